"""Runs the whole program without a Pulumi engine and records every registration with its options.

Pulumi's own mocks see type, name and inputs only. Protection, parents, dependencies, sealed values and the rest are in
the request that the SDK sends to its monitor, so this monitor keeps the requests.
"""

from __future__ import annotations

import asyncio
import json
import os
import runpy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final
from unittest import mock

import pulumi
from google.protobuf.json_format import MessageToDict
from pulumi.runtime import mocks as pulumi_mocks
from pulumi.runtime import set_all_config, set_mocks
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.settings import get_root_resource, set_root_resource
from pulumi.runtime.stack import Stack

from config.project import PROJECT

ROOT = Path(__file__).resolve().parent.parent
SIGNATURE_KEY = "4dabf18193072939515e22adb298388d"
SEALED = "1b47061264138c4ac30d75fd1eb44270"
"""Key and value by which the wire format marks ``{"value": …}`` as sealed (pulumi/sdk/go/common/resource/sig)."""
PUBLIC_ADDRESS = "198.51.100.130"
"""What the recorded EIP got."""
PUBLIC_KEY = "ssh-key"
"""What a recorded key pair's public key begins with."""
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


@final
@dataclass(frozen=True, kw_only=True)
class Registration:
    """One resource as the program registered it."""

    urn: str
    type: str
    name: str
    parent: str
    custom: bool
    protect: bool
    provider: str
    inputs: Mapping[str, Any]
    """As on the wire: sealed values are still wrapped."""
    dependencies: frozenset[str]
    delete_before_replace: bool | None
    replace_on_changes: tuple[str, ...]
    ignore_changes: tuple[str, ...]
    retain_on_delete: bool
    additional_secret_outputs: tuple[str, ...]
    deleted_with: str
    property_dependencies: Mapping[str, frozenset[str]]
    hooks: Mapping[str, Sequence[str]]
    """Names of the hooks, by when they run: ``before_create`` and so on."""


@final
@dataclass(kw_only=True)
class Recording:
    """Everything that one evaluation of the program declared."""

    registrations: dict[str, Registration] = field(default_factory=dict)
    component_outputs: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)
    order: list[tuple[str, str]] = field(default_factory=list)
    """("register" or "outputs", URN) in the order of their arrival."""

    def of_type(self, type_: str) -> list[Registration]:
        """Return the registrations of one type."""
        return [each for each in self.registrations.values() if each.type == type_]

    def named(self, type_: str, name: str) -> Registration:
        """Return the one registration of that type and name."""
        (found,) = [each for each in self.of_type(type_) if each.name == name]
        return found

    @property
    def stack_outputs(self) -> Mapping[str, Any]:
        """The stack's own outputs."""
        (outputs,) = [value for urn, value in self.component_outputs.items() if "::pulumi:pulumi:Stack::" in urn]
        return outputs[-1]


def is_sealed(value: object) -> bool:
    """Return whether a value of the wire format is a secret."""
    return isinstance(value, dict) and value.get(SIGNATURE_KEY) == SEALED


def unseal(value: Any) -> Any:  # noqa: ANN401 (JSON)
    """Return a value of the wire format with all seals taken off."""
    if is_sealed(value):
        return unseal(value["value"])
    if isinstance(value, dict):
        return {key: unseal(each) for key, each in value.items()}
    if isinstance(value, list):
        return [unseal(each) for each in value]
    return value


class _Answers(pulumi_mocks.Mocks):
    """Computed outputs, which a plain echo would leave out: inputs made from them would silently be missing."""

    def new_resource(self, args: pulumi_mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        outputs = dict(args.inputs)
        match args.typ:
            case "docker:index/remoteImage:RemoteImage":
                outputs |= {"imageId": f"sha256:{args.name}", "repoDigest": f"{args.inputs['name']}@sha256:{args.name}"}
            case "docker:index/container:Container":
                outputs |= {"exitCode": 0}
            case "tls:index/privateKey:PrivateKey":
                outputs |= {
                    "privateKeyPem": f"PRIVATE KEY of {args.name}",
                    "publicKeyPem": f"public key of {args.name}",
                    "privateKeyOpenssh": f"OPENSSH PRIVATE KEY of {args.name}\n",
                    "publicKeyOpenssh": f"{PUBLIC_KEY} of {args.name}\n",
                }
            case "tls:index/selfSignedCert:SelfSignedCert" | "tls:index/locallySignedCert:LocallySignedCert":
                outputs |= {"certPem": f"certificate {args.name}\n"}
            case "tls:index/certRequest:CertRequest":
                outputs |= {"certRequestPem": f"request {args.name}"}
            case "alicloud:ecs/eipAddress:EipAddress":
                outputs |= {"ipAddress": PUBLIC_ADDRESS}
            case "alicloud:ecs/ecsDisk:EcsDisk":
                return f"d-{args.name}", outputs
        return f"{args.name}-id", outputs

    def call(self, args: pulumi_mocks.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]] | None]:
        message = f"the program called {args.token}: evaluating it must touch nothing"
        raise AssertionError(message)


class _Monitor(pulumi_mocks.MockMonitor):
    def __init__(self, recording: Recording) -> None:
        super().__init__(_Answers())
        self._recording = recording

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        """Return the URN as the Pulumi engine makes it: with the types of all ancestors but the stack."""
        ancestors = parent.split("::")[2] if parent else ""
        own = type_ if ancestors in {"", "pulumi:pulumi:Stack"} else f"{ancestors}${type_}"
        return f"urn:pulumi:stack::{PROJECT}::{own}::{name}"

    def RegisterResource(self, request: resource_pb2.RegisterResourceRequest) -> Any:  # noqa: ANN401, N802
        urn = self.make_urn(request.parent, request.type, request.name)
        if request.type != "pulumi:pulumi:Stack":
            if urn in self._recording.registrations:
                message = f"declared twice: {urn}"
                raise AssertionError(message)
            dependencies = {*request.dependencies}
            for each in request.propertyDependencies.values():
                dependencies |= {*each.urns}
            self._recording.registrations[urn] = Registration(
                urn=urn,
                type=request.type,
                name=request.name,
                parent=request.parent,
                custom=request.custom,
                protect=request.protect,
                provider=request.provider,
                inputs=MessageToDict(request.object),
                dependencies=frozenset(dependencies),
                delete_before_replace=request.deleteBeforeReplace if request.deleteBeforeReplaceDefined else None,
                replace_on_changes=tuple(request.replaceOnChanges),
                ignore_changes=tuple(request.ignoreChanges),
                retain_on_delete=request.retainOnDelete,
                additional_secret_outputs=tuple(request.additionalSecretOutputs),
                deleted_with=request.deletedWith,
                hooks={kind.name: list(names) for kind, names in request.hooks.ListFields()},
                property_dependencies={key: frozenset(each.urns) for key, each in request.propertyDependencies.items()},
            )
            self._recording.order.append(("register", urn))
        return super().RegisterResource(request)  # type: ignore[no-untyped-call]

    def RegisterResourceOutputs(self, request: resource_pb2.RegisterResourceOutputsRequest) -> Any:  # noqa: ANN401, N802
        self._recording.component_outputs.setdefault(request.urn, []).append(MessageToDict(request.outputs))
        self._recording.order.append(("outputs", request.urn))
        return super().RegisterResourceOutputs(request)  # type: ignore[no-untyped-call]


def _registered(_hook: pulumi.ResourceHook) -> asyncio.Future[None]:
    """Stand in for the registration of a hook, which needs a Pulumi engine that calls it."""
    done: asyncio.Future[None] = asyncio.get_event_loop().create_future()
    done.set_result(None)
    return done


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {key: os.environ.get(key) for key in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                del os.environ[key]
            else:
                os.environ[key] = value


def record(
    config: Mapping[str, str], secrets: Mapping[str, str], *, stack: str = "local", preview: bool = False
) -> Recording:
    """Evaluate ``__main__.py`` with a stack's config and return what it declared.

    A fresh event loop for each evaluation: work that one leaves on its loop would run inside the next.
    """
    recording = Recording()
    texts = {f"{PROJECT}:{key}": value for key, value in {**config, **secrets}.items()}
    sealed = [f"{PROJECT}:{key}" for key in secrets]
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        # The stack of the evaluation before would keep its outputs.
        set_root_resource(None)  # type: ignore[arg-type]
        set_mocks(_Answers(), project=PROJECT, stack=stack, preview=preview, monitor=_Monitor(recording))
        set_all_config(texts, sealed)

        @pulumi.runtime.test  # type: ignore[untyped-decorator,unused-ignore]
        def program() -> None:
            runpy.run_path(str(ROOT / "__main__.py"), run_name="__main__")
            root = get_root_resource()
            assert isinstance(root, Stack)
            root.register_outputs(root.outputs)

        with (
            _environment({"PULUMI_CONFIG": json.dumps(texts), "PULUMI_CONFIG_SECRET_KEYS": json.dumps(sealed)}),
            mock.patch("pulumi.resource_hooks.register_resource_hook", _registered),
        ):
            program()
    finally:
        loop.close()
        asyncio.set_event_loop(None)
    return recording
