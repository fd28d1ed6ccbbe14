"""When the metadata service of a host on Aliyun asks for a token: not before the host has read its setup from it.

Debian 12's cloud-init fetches no token (config/cloud.py). So a host is made with `metadataTokens` unset, and once it is
there the setting is raised, in the stack's config, where the next preview sees it too. What a person wrote there stays,
but for one value that would leave a new host without its setup.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from config.settings import Settings
from ops.changes import changes_of_preview
from ops.stack import INSTANCE_TYPE, Stack, State
from toolchain.steps import StepFailed

_KEY: Final = "metadataTokens"
_WITHOUT_TOKENS: Final = "debian_12_"


def lower_for_a_new_host(stack: Stack, state: State, settings: Settings, replacing: Sequence[str] = ()) -> Settings:
    """Take the setting back where the next `pulumi up` makes a host that would be asked for a token too early.

    Args:
        stack: the stack.
        state: its state.
        settings: its settings.
        replacing: what `pulumi up` is told to make anew.

    Returns:
        the settings afterwards.

    """
    cloud = settings.cloud
    if cloud is None or cloud.metadata_tokens == "optional":
        return settings
    if not cloud.image_id.startswith(_WITHOUT_TOKENS):
        return settings
    if state.ids(INSTANCE_TYPE) and not replacing and not _is_replaced(stack):
        return settings
    stack.remove_config(_KEY)
    print(f"A new host of {cloud.image_id} reads its setup without a token: {_KEY} is unset until it is there.")
    return stack.settings()


def _is_replaced(stack: Stack) -> bool:
    """Return whether a changed setting takes another host."""
    try:
        steps = json.loads(stack.ask("preview", "--json"))["steps"]
    except StepFailed:
        # Of whatever stands in the way, `pulumi up` will tell.
        return False
    return any(each.kind == "replace" and each.type == INSTANCE_TYPE for each in changes_of_preview(steps))


def raise_for_a_host_that_is_there(stack: Stack, settings: Settings) -> bool:
    """Raise the setting unless somebody has set it; return whether that takes another `pulumi up`."""
    if settings.cloud is None or stack.config()[0].get(_KEY):
        return False
    stack.set_config(_KEY, "required")
    return True
