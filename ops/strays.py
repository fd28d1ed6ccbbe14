"""The instances that an Aliyun account has of a stack, and those among them that the stack knows nothing of.

They are asked for before a run too: a refresh with an access key that the account does not know would take everything
for gone, and forget it.

A run that is killed between asking for an instance and hearing of it leaves one behind, and the next run makes another:
the API cannot tell a new wish from a repeated one. It costs money, so whoever runs the program is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from components.aliyun.ownership import Ownership
from config.settings import Settings
from ops import aliyun_api
from ops.stack import INSTANCE_TYPE, State
from toolchain.steps import StepFailed


def instances(environment: Mapping[str, str], settings: Settings) -> list[Mapping[str, Any]]:
    """Return the instances that carry the tags of a stack, as DescribeInstances has them.

    None where there is no access key to ask with: credentials of another kind are the plugin's affair.

    Raises:
        StepFailed: the API refuses the key, or does not answer.

    """
    if settings.cloud is None or not aliyun_api.has_credentials(environment):
        return []
    from alibabacloud_ecs20140526.models import DescribeInstancesRequest  # noqa: PLC0415

    region = settings.cloud.region
    tags = [{"Key": key, "Value": value} for key, value in Ownership(stack=settings.stack).tags.items()]
    request = DescribeInstancesRequest().from_map({"RegionId": region, "Tag": tags, "PageSize": 100})
    try:
        answer = aliyun_api.ecs(environment, region).describe_instances(request).body.to_map()
    except aliyun_api.errors() as error:
        raise StepFailed(
            step="Aliyun account",
            reason=aliyun_api.reason(error),
            remedy="Nothing was changed. Is the access key right, active, and allowed what docs/ram-policy.json lists?",
        ) from error
    return list((answer.get("Instances") or {}).get("Instance") or [])


def strays(found: Iterable[Mapping[str, Any]], state: State) -> list[str]:
    """Return a sentence for each instance that the state does not know."""
    known = state.ids(INSTANCE_TYPE)
    return [
        f"The instance {each['InstanceId']} ({each['InstanceName']}) carries the tags of this stack, which knows "
        "nothing of it: a run that was cut off has made it. It costs money and does nothing; delete it in the console "
        "of ECS."
        for each in found
        if each["InstanceId"] not in known
    ]
