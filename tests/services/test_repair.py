"""What a repair removes of a real container."""

from __future__ import annotations

import io
from typing import Any

import pytest

from components.container import LABEL_STACK
from ops import engine, repair
from tests.services.conftest import Bench


def test_a_volume_that_only_the_image_asks_for_goes_with_its_container_and_one_with_a_name_stays(bench: Bench) -> None:
    # As the published images of Prometheus and Alertmanager do.
    dockerfile = io.BytesIO(f"FROM {bench.image('toolbox')}\nVOLUME /unused\n".encode())
    image, _ = bench.client.images.build(fileobj=dockerfile, rm=True)
    named = bench.empty_volume()
    container = bench.client.containers.run(
        str(image.id), ["busybox", "sleep", "3600"], detach=True, volumes={named.name: {"bind": "/data", "mode": "rw"}}
    )
    mounted = {each["Destination"]: str(each["Name"]) for each in container.attrs["Mounts"]}
    assert mounted.keys() == {"/data", "/unused"}

    repair._remove_container(container)
    left = {str(each.name) for each in bench.client.volumes.list()}
    assert named.name in left
    assert mounted["/unused"] not in left
    bench.client.images.remove(str(image.id))


def test_a_container_that_ends_while_it_is_looked_for_is_not_there(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Seen: `docker run --rm` of somebody else ended between the list and the question about each, and so did `make up`.
    listed = bench.client.api.containers

    def with_one_that_has_gone(**asked: Any) -> Any:  # noqa: ANN401 (the library's list)
        return [{"Id": "0" * 64}, *listed(**asked)]

    there = bench.client.containers.run(
        bench.image("toolbox"), ["busybox", "sleep", "3600"], detach=True, labels={LABEL_STACK: "listed-test"}
    )
    monkeypatch.setattr(bench.client.api, "containers", with_one_that_has_gone)
    try:
        assert [each.id for each in engine.containers(bench.client, "listed-test")] == [there.id]
    finally:
        there.remove(force=True)
