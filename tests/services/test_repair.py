"""What a repair removes of a real container."""

from __future__ import annotations

import io

from ops import repair
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
