"""Where each part is taken from: PATH, the cache, Pulumi's host, Go modules, in this order."""

from __future__ import annotations

import http.server
import io
import os
import socket
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from toolchain import download, golang, plugins, pulumi_cli, python_env, versions
from toolchain.places import Places, System
from toolchain.steps import StepFailed

LINUX = System(os="linux", arch="amd64")


@pytest.fixture
def places(tmp_path: Path) -> Places:
    found = Places(root=tmp_path / "root", cache=tmp_path / "cache")
    found.make()
    return found


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch, places: Places) -> list[str]:
    """Replace the build; the list has the names of the parts that were built."""
    names: list[str] = []

    def build(part: golang.Part, _places: Places, system: System, _venv: Path) -> Path:
        names.append(part.name)
        folder = golang.folder(part, places, system)
        program(folder / part.program, "true")
        return folder

    monkeypatch.setattr(golang, "provide_part", build)
    return names


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Stand in for Pulumi's host; files below the folder are served."""
    folder = tmp_path / "host"
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(folder))  # type: ignore[arg-type]

        def log_message(self, *_args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        monkeypatch.setenv(download.HOST_VARIABLE, f"http://127.0.0.1:{running.server_port}")
        yield folder
        running.shutdown()


@pytest.fixture(autouse=True)
def no_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(download.HOST_VARIABLE, "http://127.0.0.1:9")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")


def program(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def pulumi_in(folder: Path, version: str, *, with_host: bool = True) -> Path:
    program(folder / "pulumi", f"echo {version}")
    if with_host:
        program(folder / "pulumi-language-python", "true")
    return folder


def archive(path: Path, files: dict[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))


def cli_archive(server: Path, version: str = f"v{versions.PULUMI}") -> None:
    files = {"pulumi/pulumi": f"#!/bin/sh\necho {version}\n", "pulumi/pulumi-language-python": "#!/bin/sh\n"}
    archive(server / f"releases/sdk/pulumi-v{versions.PULUMI}-linux-x64.tar.gz", files)


def provide(places: Places) -> list[Path]:
    return pulumi_cli.provide_pulumi(places, LINUX, Path("/unused"))


def test_a_pulumi_on_path_that_is_new_enough_is_used(
    tmp_path: Path, places: Places, built: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = pulumi_in(tmp_path / "bin", "v3.300.0")
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    assert provide(places) == [folder]
    assert built == []


@pytest.mark.parametrize(("version", "with_host"), [("v3.258.0", True), ("v3.300.0", False), ("nonsense", True)])
def test_a_pulumi_on_path_that_is_too_old_or_lacks_its_host_is_not_used(
    tmp_path: Path, places: Places, built: list[str], monkeypatch: pytest.MonkeyPatch, version: str, *, with_host: bool
) -> None:
    folder = pulumi_in(tmp_path / "bin", version, with_host=with_host)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    assert folder not in provide(places)
    assert built == ["pulumi", "language-python"]


def test_an_own_build_on_path_is_not_mistaken_for_the_users_pulumi(
    places: Places, built: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = pulumi_in(places.parts / "pulumi-outdated", "v3.300.0")
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    provide(places)
    assert built == ["pulumi", "language-python"]


def test_pulumis_host_is_used_where_it_answers_and_only_once(places: Places, built: list[str], server: Path) -> None:
    cli_archive(server)
    (folder,) = provide(places)
    assert sorted(path.name for path in folder.iterdir()) == ["pulumi", "pulumi-language-python"]
    for file in server.rglob("*.gz"):
        file.unlink()
    assert provide(places) == [folder]
    assert built == []


@pytest.mark.parametrize("version", ["v3.1.0", "a page to sign in"])
def test_a_wrong_program_from_the_host_is_refused_and_built_instead(
    places: Places, built: list[str], server: Path, version: str
) -> None:
    cli_archive(server, version)
    provide(places)
    assert built == ["pulumi", "language-python"]


def test_a_page_instead_of_an_archive_is_refused(places: Places, built: list[str], server: Path) -> None:
    path = server / f"releases/sdk/pulumi-v{versions.PULUMI}-linux-x64.tar.gz"
    path.parent.mkdir(parents=True)
    path.write_text("<html>sign in</html>")
    provide(places)
    assert built == ["pulumi", "language-python"]
    assert not list(places.parts.glob(".pulumi*"))


def test_the_built_language_host_lies_beside_the_cli_so_that_pulumi_does_not_warn(
    places: Places, built: list[str]
) -> None:
    (folder,) = provide(places)
    assert sorted(path.name for path in folder.iterdir()) == ["pulumi", "pulumi-language-python"]
    assert built == ["pulumi", "language-python"]


def test_what_was_built_is_reused_without_asking_the_host(
    places: Places, built: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    provide(places)
    monkeypatch.setattr(download, "fetch", lambda *_: pytest.fail("asked the host"))
    provide(places)
    assert built == ["pulumi", "language-python"]


def test_a_host_that_accepts_and_says_nothing_is_given_up_within_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "_ANSWER_WITHIN", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(download.NotAvailable, match="no answer"):
        download._open_soon(f"http://127.0.0.1:{silent.getsockname()[1]}/x")


def test_an_archive_cannot_write_outside_its_folder(tmp_path: Path) -> None:
    archive(tmp_path / "bad.tar.gz", {"../../outside": "x", "/absolute": "y"})
    (tmp_path / "in").mkdir()
    assert download.unpack_programs(tmp_path / "bad.tar.gz", tmp_path / "in") == ["outside", "absolute"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.tar.gz", "in"]


def fake_pulumi(tmp_path: Path) -> Path:
    """Make a pulumi whose `plugin install` copies the file as the real one does."""
    script = (
        'd="$PULUMI_HOME/plugins/resource-$4-$5"; mkdir -p "$d"; cp "$7" "$d/pulumi-resource-$4"; echo "$4" >>"$LOGGED"'
    )
    return program(tmp_path / "cli/pulumi", script).parent


@pytest.mark.parametrize("plugin", plugins.ALL, ids=lambda plugin: plugin.name)
def test_a_plugin_is_installed_once_and_again_when_its_source_changes(
    tmp_path: Path, places: Places, built: list[str], monkeypatch: pytest.MonkeyPatch, plugin: plugins.Plugin
) -> None:
    monkeypatch.setenv("LOGGED", str(tmp_path / "logged"))
    cli = [fake_pulumi(tmp_path)]
    for _ in range(2):
        plugins.provide_plugin(plugin, places, LINUX, Path("/unused"), cli)
    assert (tmp_path / "logged").read_text().splitlines() == [plugin.name]
    assert built == [plugin.part.name]
    monkeypatch.setattr(golang, "key", lambda *_: "another-key")
    plugins.provide_plugin(plugin, places, LINUX, Path("/unused"), cli)
    assert (tmp_path / "logged").read_text().splitlines() == [plugin.name] * 2
    assert built == [plugin.part.name] * 2


def test_a_plugin_that_pulumi_did_not_finish_installing_is_not_used(places: Places) -> None:
    plugin = plugins.PLUGINS[0]
    folder = plugins.folder(plugin, places)
    program(folder / plugin.part.program, "true")
    (folder / plugins._MARKER).write_text("published\n")
    assert plugins.is_installed(plugin, places, LINUX)
    (folder.parent / f"{folder.name}.partial").touch()
    assert not plugins.is_installed(plugin, places, LINUX)


def test_a_plugin_comes_from_pulumis_host_where_it_answers(
    tmp_path: Path, places: Places, built: list[str], server: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGGED", str(tmp_path / "logged"))
    plugin = plugins.PLUGINS[0]
    name = f"pulumi-resource-docker-v{plugin.version}-linux-amd64.tar.gz"
    archive(server / "releases/plugins" / name, {"pulumi-resource-docker": "x"})
    plugins.provide_plugin(plugin, places, LINUX, Path("/unused"), [fake_pulumi(tmp_path)])
    assert (plugins.folder(plugin, places) / plugins._MARKER).read_text() == "published\n"
    assert built == []


@pytest.mark.parametrize(("version", "found"), [("go1.25.11", True), ("go1.27", True), ("go1.19.8", False)])
def test_only_a_go_that_is_new_enough_is_used(tmp_path: Path, version: str, *, found: bool) -> None:
    go = program(tmp_path / "go", f"echo {version}")
    assert golang.find_go(str(tmp_path)) == (go if found else None)


def test_the_users_go_settings_count_except_those_that_would_break_the_build() -> None:
    user = {"GOPROXY": "https://mirror.test", "GOFLAGS": "-mod=vendor", "GOOS": "windows", "GOROOT": "/old"}
    environment = golang.build_environment(user, Path("/opt/go/bin/go"))
    assert environment["GOPROXY"] == "https://mirror.test"
    assert environment["GOFLAGS"] == "-buildvcs=false"
    assert environment["GOTOOLCHAIN"] == "local"
    assert not {"GOOS", "GOROOT"} & set(environment)


def test_a_module_that_cannot_be_downloaded_names_the_setting_for_it(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = program(tmp_path / "gobin/go", 'if [ "$1" = env ]; then echo go1.26.0; else echo "403 Forbidden"; exit 1; fi')
    monkeypatch.setenv("PATH", f"{go.parent}:{os.environ['PATH']}")
    with pytest.raises(StepFailed, match="GOPROXY") as caught:
        golang.provide_part(golang.TLS, places, LINUX, Path("/unused"))
    assert "403 Forbidden" in str(caught.value)
    assert not golang.folder(golang.TLS, places, LINUX).exists()


def test_a_half_made_virtual_environment_is_not_used(places: Places, tmp_path: Path) -> None:
    lock = tmp_path / "requirements.txt"
    lock.write_text("")
    venv = python_env.venv_for(places, lock)
    program(venv / "bin/python", "true")
    (venv / "half").touch()
    assert not python_env.is_complete(venv)
    assert python_env.provide_venv(places, lock) == venv
    assert python_env.is_complete(venv)
    assert not (venv / "half").exists()


def test_a_changed_lock_file_gets_another_virtual_environment(places: Places, tmp_path: Path) -> None:
    lock = tmp_path / "requirements.txt"
    lock.write_text("a==1\n")
    before = python_env.venv_for(places, lock)
    lock.write_text("a==2\n")
    assert python_env.venv_for(places, lock) != before


def test_an_index_out_of_reach_names_pips_settings(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0"}.items():
        monkeypatch.setenv(name, value)
    lock = tmp_path / "requirements.txt"
    lock.write_text(f"nonexistent-package==1.0 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(StepFailed, match="PIP_INDEX_URL"):
        python_env.provide_venv(places, lock)
    assert not python_env.is_complete(python_env.venv_for(places, lock))
