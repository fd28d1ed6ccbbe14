"""The server name of a stack that has data: it stands in every event, and cannot change."""

from __future__ import annotations

from components.data_volumes import LABEL_SERVER_NAME
from config.settings import Settings
from ops.stack import VOLUME_TYPE, Stack, State
from toolchain.steps import StepFailed


def check(stack: Stack, state: State, settings: Settings) -> None:
    """Check that the settings name the server as its data does.

    The name is a label of the data volumes, so Pulumi itself refuses to replace what is protected; here it is said in
    a sentence, and for volumes that are not protected as well.

    Raises:
        StepFailed: they do not.

    """
    deployed = {
        str(label["value"])
        for volume in state.resources
        if volume["type"] == VOLUME_TYPE
        for label in volume["outputs"].get("labels") or ()
        if label["label"] == LABEL_SERVER_NAME
    }
    if deployed - {settings.server_name}:
        (name,) = deployed
        raise StepFailed(
            step=f"stack {stack.name}",
            reason=f"serverName is {settings.server_name}, but the accounts and conversations of this stack are "
            f"{name}'s; the name stands in each of them and cannot change",
            remedy=f"pulumi config set serverName {name}\n"
            "or make another server: write another Pulumi.<name>.yaml, make up STACK=<name>",
        )
