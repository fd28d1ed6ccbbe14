"""Instances that an account has of a stack, and the stack knows nothing of.

A run that is killed between asking for an instance and hearing of it leaves one behind, and the next run makes another:
the API cannot tell a new wish from a repeated one. It costs money, so whoever runs the program is told.
"""

from __future__ import annotations

from collections.abc import Mapping

from config.project import PROJECT
from config.settings import Settings
from ops import aliyun_api
from ops.stack import INSTANCE_TYPE, Stack


def strays(environment: Mapping[str, str], stack: Stack, settings: Settings) -> list[str]:
    """Return sentences for people; none where nothing is astray, or nobody can be asked."""
    if settings.cloud is None or not aliyun_api.has_credentials(environment):
        return []
    from alibabacloud_ecs20140526.models import DescribeInstancesRequest  # type: ignore[import-untyped]  # noqa: PLC0415

    region = settings.cloud.region
    # The tags of components/aliyun/ownership.py.
    tags = [{"Key": "project", "Value": PROJECT}, {"Key": "stack", "Value": stack.name}]
    request = DescribeInstancesRequest().from_map({"RegionId": region, "Tag": tags, "PageSize": 100})
    try:
        found = aliyun_api.ecs(environment, region).describe_instances(request).body.to_map()
    except aliyun_api.errors() as error:
        return [f"Whether the account has instances that nothing uses could not be asked: {aliyun_api.reason(error)}"]
    known = stack.state().ids(INSTANCE_TYPE)
    return [
        f"The instance {each['InstanceId']} ({each['InstanceName']}) carries the tags of this stack, which knows "
        "nothing of it: a run that was cut off has made it. It costs money and does nothing; delete it in the console "
        "of ECS."
        for each in (found.get("Instances") or {}).get("Instance") or []
        if each["InstanceId"] not in known
    ]
