"""The host of a stack on Aliyun as the account has it: started, stopped in order, looked at where it seems to be gone.

A run talks to the host's Docker engine before the plugin reads anything. Of a host that was stopped or deleted by hand
it would wait for an answer until its patience ends, and then tell no more than that there is none.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final

from config.settings import Settings
from ops import aliyun_api
from ops.stack import INSTANCE_TYPE, Stack, State
from ops.strays import instances
from toolchain.steps import Step, StepFailed, step

_PATIENCE_SECONDS: Final = 600
"""A guest has a few minutes to shut down before Aliyun switches it off."""
_POLL_SECONDS: Final = 3


def bring_back(stack: Stack, settings: Settings, state: State, found: Iterable[Mapping[str, Any]]) -> State:
    """Start the host where somebody has stopped it; let Pulumi look for one that the account does not show.

    Args:
        stack: the stack.
        settings: its settings.
        state: its state.
        found: the instances of the account (ops/strays.py).

    Returns:
        the state afterwards.

    Raises:
        StepFailed: the API refuses to start it, or it does not stop before.

    """
    if settings.cloud is None or not aliyun_api.has_credentials(os.environ):
        return state
    known = state.ids(INSTANCE_TYPE)
    here = {str(each["InstanceId"]): str(each["Status"]) for each in found if each["InstanceId"] in known}
    if known and not here:
        with step(f"Host {', '.join(sorted(known))} is not in the account") as this:
            for urn in _urns(state):
                stack.ask("refresh", "--yes", "--skip-preview", "--target", urn)
            state = stack.state()
            this.outcome("still there" if state.ids(INSTANCE_TYPE) else "gone: this run makes another")
    for instance, status in here.items():
        if status in {"Stopping", "Stopped"}:
            with step(f"Host {instance} was stopped: starting it") as this:
                _wait_until_stopped(this, settings, instance)
                _call(settings, "start_instance", instance)
    return state


def stop(settings: Settings, state: State, found: Iterable[Mapping[str, Any]]) -> None:
    """Shut the host down, so that its containers have written everything before its disk is taken away.

    Raises:
        StepFailed: the API refuses it, or it does not stop in time.

    """
    known = state.ids(INSTANCE_TYPE)
    for each in found:
        if each["InstanceId"] in known:
            with step(f"Host {each['InstanceId']}: shutting it down") as this:
                if each["Status"] == "Running":
                    _call(settings, "stop_instance", each["InstanceId"])
                _wait_until_stopped(this, settings, each["InstanceId"])


def replacement(stack: Stack, state: State) -> list[str]:
    """Return the arguments by which `pulumi up` makes the host anew; none unless that was asked for.

    Raises:
        StepFailed: something else was asked for, there is no host, or it is protected.

    """
    wanted = os.environ.get("MATRIX_REPLACE", "")
    if not wanted:
        return []
    urns = _urns(state)
    reason, remedy = "", f"make up STACK={stack.name} REPLACE=host"
    if wanted != "host":
        reason = f"REPLACE={wanted}: it is only the host that can be replaced as a whole"
    elif not urns:
        reason, remedy = "it has no host on Aliyun yet", f"make up STACK={stack.name}"
    elif any(each.get("protect") for each in state.resources if each["type"] == INSTANCE_TYPE):
        reason = "deleteProtection is on, for the host too"
        remedy = (
            f"turn it off: pulumi config set deleteProtection false --stack {stack.name} && make up "
            f"STACK={stack.name}\nThen {remedy}, and turn it on again in the same way."
        )
    if reason:
        raise StepFailed(step=f"stack {stack.name}", reason=reason, remedy=remedy)
    return [word for urn in urns for word in ("--replace", urn)]


def _urns(state: State) -> list[str]:
    return [str(each["urn"]) for each in state.resources if each["type"] == INSTANCE_TYPE]


def _wait_until_stopped(this: Step, settings: Settings, instance: str) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while status := {each["InstanceId"]: each["Status"] for each in instances(os.environ, settings)}.get(instance):
        if status == "Stopped":
            return
        if time.monotonic() > deadline:
            raise StepFailed(
                step=this.title,
                reason=f"it is still {status} after {_PATIENCE_SECONDS // 60} minutes",
                remedy="stop it in the console of ECS, then run the same command again",
            )
        this.say(f"waiting until it has stopped ({status})")
        time.sleep(_POLL_SECONDS)


def _call(settings: Settings, method: str, instance: str) -> None:
    """Start or stop an instance."""
    from alibabacloud_ecs20140526 import models  # noqa: PLC0415

    name = "".join(part.capitalize() for part in method.split("_"))
    request = getattr(models, f"{name}Request")(instance_id=instance)
    client = aliyun_api.ecs(os.environ, settings.cloud.region if settings.cloud else "")
    try:
        getattr(client, method)(request)
    except aliyun_api.errors() as error:
        raise StepFailed(
            step=f"{name} {instance}",
            reason=aliyun_api.reason(error),
            remedy="do it in the console of ECS, then run the same command again",
        ) from error
