"""What a client asks of the account itself before it gets to work. These products are not held against models."""

from __future__ import annotations

from tests.aliyun.emulation.actions import BSS, LOCATION, STS, Reply, action
from tests.aliyun.emulation.cloud import Cloud
from tests.aliyun.emulation.parameters import Parameters


@action(BSS, "QueryAvailableInstances")
def query_available_instances(_cloud: Cloud, _call: Parameters) -> Reply:
    """Answer what the plugin asks to learn whether the account is a mainland one; no error means that it is."""
    return {"Code": "Success", "Success": True, "Data": {"TotalCount": 0, "InstanceList": []}}


@action(STS, "GetCallerIdentity")
def get_caller_identity(cloud: Cloud, _call: Parameters) -> Reply:
    return {
        "AccountId": cloud.account,
        "UserId": cloud.account,
        "Arn": f"acs:ram::{cloud.account}:root",
        "IdentityType": "Account",
        "PrincipalId": cloud.account,
    }


@action(LOCATION, "DescribeEndpoints")
def describe_endpoints(_cloud: Cloud, _call: Parameters) -> Reply:
    """Name no endpoint: clients know theirs from the environment."""
    return {"Success": True, "Endpoints": {"Endpoint": []}}
