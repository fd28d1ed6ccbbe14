"""A Pulumi plugin driven directly over gRPC, without the Pulumi engine: what it checks, plans and compares.

    with Plugin.start("docker") as docker:
        docker.configure({"host": "unix:///var/run/docker.sock"})
        inputs = docker.check(urn, {"name": "alpine:3.20"})

Properties are plain JSON values. Everything the plugin refuses is raised as :class:`PluginError`.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from concurrent import futures
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Self

import grpc
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, plugin_pb2, provider_pb2, provider_pb2_grpc

from toolchain.places import ROOT, Places

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""Stands for a value that is not known in a preview."""

_LARGEST_MESSAGE = 256 * 1024 * 1024  # bytes; schemas of big providers exceed gRPC's 4 MiB
_CALL_WITHIN = 600.0  # seconds; the build of an image is one call
Properties = Mapping[str, Any]


class PluginError(RuntimeError):
    """The plugin refused a call; ``str()`` has the call and the plugin's words."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The answer to Diff.

    Attributes:
        changes: whether there is a difference at all.
        replaces: properties that force a replacement.
        diffs: properties that differ.
        delete_before_replace: whether the old one must go first.
    """

    changes: bool
    replaces: list[str]
    diffs: list[str]
    delete_before_replace: bool


class _Engine(engine_pb2_grpc.EngineServicer):
    """Takes the plugin's log messages, as the Pulumi engine would."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def Log(self, request: engine_pb2.LogRequest, context: object) -> empty_pb2.Empty:  # noqa: N802 - gRPC's name
        """Keep a message."""
        del context
        self.messages.append(request.message)
        return empty_pb2.Empty()


def plugin_program(name: str) -> Path:
    """Return the installed program of a plugin, of the version that its Python SDK asks for."""
    home = Path(os.environ.get("PULUMI_HOME") or Places.of(os.environ).pulumi_home)
    version = metadata.version(f"pulumi-{name}")
    program = home / "plugins" / f"resource-{name}-v{version}" / f"pulumi-resource-{name}"
    if not program.is_file():
        raise PluginError(f"The plugin {name} is not installed: {program}. Run `make toolchain`.")
    return program


class Plugin:
    """A running plugin. Made by :meth:`start`."""

    def __init__(self, name: str, channel: grpc.Channel, engine: _Engine) -> None:
        self.name = name
        self._stub = provider_pb2_grpc.ResourceProviderStub(channel)
        self._engine = engine

    @classmethod
    @contextlib.contextmanager
    def start(cls, name: str, environ: Mapping[str, str] | None = None) -> Iterator[Self]:
        """Run the plugin's program for the time of the block; ``environ`` is its whole environment."""
        engine = _Engine()
        server = grpc.server(futures.ThreadPoolExecutor(max_workers=2))
        engine_pb2_grpc.add_EngineServicer_to_server(engine, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        process = subprocess.Popen(
            [plugin_program(name), f"127.0.0.1:{port}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=None if environ is None else dict(environ),
            cwd=ROOT,  # where the Pulumi engine runs it: paths of build contexts are relative
        )
        try:
            line = process.stdout.readline().strip() if process.stdout else ""
            if not line.isdigit():
                raise PluginError(f"The plugin {name} did not start: it said {line!r} instead of its port.")
            options = [("grpc.max_receive_message_length", _LARGEST_MESSAGE)]
            with grpc.insecure_channel(f"127.0.0.1:{line}", options=options) as channel:
                yield cls(name, channel, engine)
        finally:
            process.kill()
            process.wait()
            server.stop(None)

    @property
    def log(self) -> list[str]:
        """What the plugin logged so far."""
        return list(self._engine.messages)

    def version(self) -> str:
        """Return the version that the plugin states about itself."""
        info: plugin_pb2.PluginInfo = self._call("GetPluginInfo", empty_pb2.Empty())
        return info.version.removeprefix("v")

    def schema(self) -> dict[str, Any]:
        """Return the package schema; ``{}`` from a plugin that was built without Pulumi's generator."""
        answer: provider_pb2.GetSchemaResponse = self._call("GetSchema", provider_pb2.GetSchemaRequest(version=0))
        schema: dict[str, Any] = json.loads(answer.schema)
        return schema

    def configure(self, config: Properties | None = None) -> dict[str, Any]:
        """Check the provider's own settings, then set them; return them with defaults."""
        urn = f"urn:pulumi:test::matrix::pulumi:providers:{self.name}::test"
        # Nested values of a provider's settings travel as JSON text.
        flat = {key: value if isinstance(value, str) else json.dumps(value) for key, value in (config or {}).items()}
        checked: provider_pb2.CheckResponse = self._call(
            "CheckConfig", provider_pb2.CheckRequest(urn=urn, olds=_struct({}), news=_struct(flat))
        )
        self._raise_failures("CheckConfig", urn, checked)
        settings = _plain(checked.inputs)
        request = provider_pb2.ConfigureRequest(
            variables={f"{self.name}:config:{key}": str(value) for key, value in settings.items()},
            args=checked.inputs,
            acceptSecrets=True,
            acceptResources=True,
        )
        self._call("Configure", request)
        return settings

    def check(self, urn: str, news: Properties, olds: Properties | None = None) -> dict[str, Any]:
        """Return the inputs as the plugin takes them, with defaults."""
        request = provider_pb2.CheckRequest(urn=urn, olds=_struct(olds or {}), news=_struct(news))
        answer: provider_pb2.CheckResponse = self._call("Check", request)
        self._raise_failures("Check", urn, answer)
        return _plain(answer.inputs)

    def create_preview(self, urn: str, inputs: Properties) -> dict[str, Any]:
        """Return what Create would give, without creating; what is not known yet is :data:`UNKNOWN`."""
        request = provider_pb2.CreateRequest(urn=urn, properties=_struct(inputs), preview=True)
        answer: provider_pb2.CreateResponse = self._call("Create", request)
        return _plain(answer.properties)

    def create(self, urn: str, inputs: Properties) -> tuple[str, dict[str, Any]]:
        """Create the resource; return its id and state."""
        request = provider_pb2.CreateRequest(urn=urn, properties=_struct(inputs))
        answer: provider_pb2.CreateResponse = self._call("Create", request)
        return answer.id, _plain(answer.properties)

    def diff(
        self, urn: str, resource_id: str, *, state: Properties, news: Properties, old_inputs: Properties
    ) -> Difference:
        """Compare a state with checked inputs."""
        request = provider_pb2.DiffRequest(
            urn=urn, id=resource_id, olds=_struct(state), news=_struct(news), old_inputs=_struct(old_inputs)
        )
        answer: provider_pb2.DiffResponse = self._call("Diff", request)
        return Difference(
            changes=answer.changes == provider_pb2.DiffResponse.DIFF_SOME,
            replaces=list(answer.replaces),
            diffs=list(answer.diffs),
            delete_before_replace=answer.deleteBeforeReplace,
        )

    def read(
        self, urn: str, resource_id: str, *, state: Properties, inputs: Properties
    ) -> tuple[str, dict[str, Any], dict[str, Any]]:
        """Refresh a resource; return its id ("" if it is gone), its state and its inputs."""
        request = provider_pb2.ReadRequest(urn=urn, id=resource_id, properties=_struct(state), inputs=_struct(inputs))
        answer: provider_pb2.ReadResponse = self._call("Read", request)
        return answer.id, _plain(answer.properties), _plain(answer.inputs)

    def delete(self, urn: str, resource_id: str, state: Properties) -> None:
        """Delete a resource."""
        self._call("Delete", provider_pb2.DeleteRequest(urn=urn, id=resource_id, properties=_struct(state)))

    def _call(self, method: str, request: Any) -> Any:  # noqa: ANN401 - one for all the generated message types
        try:
            return getattr(self._stub, method)(request, timeout=_CALL_WITHIN)
        except grpc.RpcError as error:
            about = f" of {request.urn}" if getattr(request, "urn", "") else ""
            raise PluginError(f"{self.name}: {method}{about}: {error.details()}") from error

    def _raise_failures(self, method: str, urn: str, answer: provider_pb2.CheckResponse) -> None:
        if answer.failures:
            lines = [f"{failure.property or '(whole)'}: {failure.reason}" for failure in answer.failures]
            raise PluginError("\n".join([f"{self.name}: {method} of {urn}:", *lines]))


def _struct(properties: Properties) -> struct_pb2.Struct:
    struct = struct_pb2.Struct()
    json_format.ParseDict(dict(properties), struct)
    return struct


def _plain(struct: struct_pb2.Struct) -> dict[str, Any]:
    plain: dict[str, Any] = json_format.MessageToDict(struct)
    return plain
