"""When the metadata service of a host on Aliyun asks for a token: not before the host has read its setup from it.

Debian 12's cloud-init fetches no token (config/cloud.py). So a host is made with `metadataTokens` unset, and once it is
there the setting is raised, in the stack's config, where the next preview sees it too. What a person wrote there stays,
but for one value that would leave a new host without its setup.
"""

from __future__ import annotations

from typing import Final

from config.settings import Settings
from ops.stack import INSTANCE_TYPE, Stack, State

_KEY: Final = "metadataTokens"
_WITHOUT_TOKENS: Final = "debian_12_"


def lower_for_a_new_host(stack: Stack, state: State, settings: Settings) -> Settings:
    """Take the setting back where the next `pulumi up` makes a host that would be asked for a token too early."""
    cloud = settings.cloud
    if cloud is None or cloud.metadata_tokens == "optional" or state.ids(INSTANCE_TYPE):
        return settings
    if not cloud.image_id.startswith(_WITHOUT_TOKENS):
        return settings
    stack.remove_config(_KEY)
    print(f"A new host of {cloud.image_id} reads its setup without a token: {_KEY} is unset until it is there.")
    return stack.settings()


def raise_for_a_host_that_is_there(stack: Stack, settings: Settings) -> bool:
    """Raise the setting unless somebody has set it; return whether that takes another `pulumi up`."""
    if settings.cloud is None or stack.config()[0].get(_KEY):
        return False
    stack.set_config(_KEY, "required")
    return True
