"""Elastic addresses and what they are bound to."""

from __future__ import annotations

from ipaddress import IPv4Address

from tests.aliyun.emulation.actions import VPC, Reply, action, page
from tests.aliyun.emulation.cloud import EIP_POOL, Cloud
from tests.aliyun.emulation.errors import ApiError, no_address
from tests.aliyun.emulation.parameters import Parameters
from tests.aliyun.emulation.state import Eip
from tests.aliyun.emulation.tags import for_vpc

_LARGEST = {"PayByTraffic": 200, "PayByBandwidth": 500}
"""Mbit/s of an address that is paid as it is used, by how traffic is charged."""


@action(VPC, "AllocateEipAddress")
def allocate_eip_address(cloud: Cloud, call: Parameters) -> Reply:
    charge = call.text("InternetChargeType", "PayByBandwidth")
    if charge not in _LARGEST:
        raise ApiError(400, "InvalidParameter", 'Specified value of "InternetChargeType" is not valid')
    _check_bandwidth(call.text("Bandwidth", "5"), charge)
    if len(cloud.state.eips) >= cloud.limits.eips:
        raise ApiError(400, "QuotaExceeded.Eip", "Elastic IP address quota exceeded")
    eip = Eip(
        allocation_id=cloud.new_id("eip"),
        address=_free_address(cloud),
        name=call.text("Name"),
        description=call.text("Description"),
        bandwidth=call.text("Bandwidth", "5"),
        internet_charge_type=charge,
        charge_type=call.text("InstanceChargeType", "PostPaid"),
        isp=call.text("ISP", "BGP"),
        created=cloud.time(),
        tags=call.tags(),
    )
    cloud.state.eips[eip.allocation_id] = eip
    return {"AllocationId": eip.allocation_id, "EipAddress": eip.address, "ResourceGroupId": "rg-default", "OrderId": 0}


@action(VPC, "DescribeEipAddresses")
def describe_eip_addresses(cloud: Cloud, call: Parameters) -> Reply:
    wanted = {
        "allocation_id": call.text("AllocationId"),
        "address": call.text("EipAddress"),
        "instance_id": call.text("AssociatedInstanceId"),
    }
    rows = [
        _described(cloud, eip)
        for eip in cloud.state.eips.values()
        if all(value in {"", getattr(eip, name)} for name, value in wanted.items())
    ]
    return page(rows, "EipAddresses", "EipAddress")


@action(VPC, "ModifyEipAddressAttribute")
def modify_eip_address_attribute(cloud: Cloud, call: Parameters) -> Reply:
    eip = _eip(cloud, call)
    _check_bandwidth(call.text("Bandwidth", eip.bandwidth), eip.internet_charge_type)
    eip.bandwidth = call.text("Bandwidth", eip.bandwidth)
    eip.name = call.text("Name", eip.name)
    eip.description = call.text("Description", eip.description)
    return {}


@action(VPC, "DeletionProtection")
def deletion_protection(cloud: Cloud, call: Parameters) -> Reply:
    eip = cloud.state.eips.get(call.text("InstanceId"))
    if eip is None or call.text("Type") != "EIP":
        raise no_address()
    eip.deletion_protection = call.flag("ProtectionEnable")
    return {}


@action(VPC, "AssociateEipAddress")
def associate_eip_address(cloud: Cloud, call: Parameters) -> Reply:
    eip = _eip(cloud, call)
    kind = call.text("InstanceType", "EcsInstance")
    if kind != "EcsInstance":
        text = "The specified value of InstanceType is not supported."
        raise ApiError(400, "InvalidInstanceType.ValueNotSupported", text)
    instance = cloud.state.instances.get(call.text("InstanceId"))
    if instance is None:
        raise ApiError(404, "InvalidInstanceId.NotFound", "Specified instance does not exist.")
    if cloud.shown(eip) != "Available":
        raise _wrong_status()
    if cloud.shown(instance) not in {"Running", "Stopped"}:
        text = "Current instance status does not support this operation."
        raise ApiError(400, "IncorrectInstanceStatus", text)
    if any(other.instance_id == instance.instance_id for other in cloud.state.eips.values()):
        raise ApiError(400, "InvalidAssociation.Duplicated", "Specified instance already is associated.")
    if instance.bandwidth_out > 0:  # it has a public address of its own
        text = "The specified instance has a public bandwidth and cannot be bound to an EIP."
        raise ApiError(400, "InvalidStatus.InstanceHasBandWidth", text)
    # The id shows at once, while the status still changes: the plugin reads it without waiting.
    eip.instance_id, eip.instance_type = instance.instance_id, kind
    cloud.change(eip, through="Associating", to="InUse")
    found, address = instance.instance_id, IPv4Address(eip.address)
    cloud.run(eip, f"bind {address} to {found}", lambda: cloud.hypervisor.associate_address(found, address))
    return {}


@action(VPC, "UnassociateEipAddress")
def unassociate_eip_address(cloud: Cloud, call: Parameters) -> Reply:
    eip = _eip(cloud, call)
    if cloud.shown(eip) != "InUse":
        raise _wrong_status()
    if call.text("InstanceId", eip.instance_id) != eip.instance_id:
        raise ApiError(400, "InvalidBindingStatus", "The eip binding status invalid.")
    release(cloud, eip)
    return {}


@action(VPC, "ReleaseEipAddress")
def release_eip_address(cloud: Cloud, call: Parameters) -> Reply:
    eip = _eip(cloud, call)
    if eip.deletion_protection:
        text = "The specified instance is under deletion protection."
        raise ApiError(400, "OperationDenied.DeletionProtectionEnabled", text)
    if cloud.shown(eip) != "Available":
        raise _wrong_status()
    del cloud.state.eips[eip.allocation_id]
    return {}


def release(cloud: Cloud, eip: Eip) -> None:
    """Free an address from its instance."""
    found, address = eip.instance_id, IPv4Address(eip.address)
    eip.instance_id, eip.instance_type = "", ""
    cloud.change(eip, through="Unassociating", to="Available")
    cloud.run(eip, f"unbind {address} from {found}", lambda: cloud.hypervisor.dissociate_address(found, address))


def _described(cloud: Cloud, eip: Eip) -> Reply:
    return {
        "AllocationId": eip.allocation_id,
        "IpAddress": eip.address,
        "Name": eip.name,
        "Description": eip.description,
        "Descritpion": eip.description,  # so spelt in the real API; both are read
        "Status": cloud.shown(eip),
        "InstanceId": eip.instance_id,
        "InstanceType": eip.instance_type,
        "Bandwidth": eip.bandwidth,
        "EipBandwidth": eip.bandwidth,
        "InternetChargeType": eip.internet_charge_type,
        "ChargeType": eip.charge_type,
        "ISP": eip.isp,
        "AllocationTime": eip.created,
        "RegionId": cloud.region,
        "ResourceGroupId": "rg-default",
        "DeletionProtection": eip.deletion_protection,
        "HDMonitorStatus": "OFF",
        "Netmode": "public",
        "Mode": "NAT" if eip.instance_id else "",
        "PrivateIpAddress": "",
        "PublicIpAddressPoolId": "",
        "VpcId": "",
        "Zone": "",
        "SecurityProtectionTypes": {"SecurityProtectionType": []},
        "Tags": for_vpc(eip.tags),
    }


def _eip(cloud: Cloud, call: Parameters) -> Eip:
    eip = cloud.state.eips.get(call.text("AllocationId"))
    if eip is None:
        raise no_address()
    return eip


def _free_address(cloud: Cloud) -> str:
    used = {eip.address for eip in cloud.state.eips.values()}
    for address in list(EIP_POOL)[1:-1]:
        if str(address) not in used:
            return str(address)
    raise ApiError(400, "ReserveIpFail", "Reserve eip failed.")


def _check_bandwidth(value: str, charge: str) -> None:
    if not value.isdigit() or not 1 <= int(value) <= _LARGEST[charge]:
        raise ApiError(400, "InvalidParameter", 'Specified value of "Bandwidth" is not valid.')


def _wrong_status() -> ApiError:
    return ApiError(400, "IncorrectEipStatus", "Current elastic IP status does not support this operation")
