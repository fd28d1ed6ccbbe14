"""Records of the zones that the account has at Alidns. The zones themselves are given when the emulation starts."""

from __future__ import annotations

import random
import re

import dns.exception
import dns.rdata
import dns.rdataclass
import dns.rdatatype

from tests.aliyun.emulation.actions import ALIDNS, Reply, action, page
from tests.aliyun.emulation.cloud import Cloud
from tests.aliyun.emulation.errors import ApiError
from tests.aliyun.emulation.parameters import Parameters
from tests.aliyun.emulation.state import DnsRecord

KINDS = frozenset({"A", "AAAA", "CNAME", "MX", "NS", "SRV", "TXT", "CAA"})
_NAMING = frozenset({"CNAME", "MX", "NS", "SRV"})
"""Kinds whose value ends in a host name, which is absolute with or without a dot."""
_TTL = (600, 86400)
"""Seconds, in the free edition."""
_LABEL = re.compile(r"[*@]|[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")


@action(ALIDNS, "DescribeDomains")
def describe_domains(cloud: Cloud, _call: Parameters) -> Reply:
    rows = [
        {"DomainId": f"00{index}", "DomainName": domain, "PunyCode": domain}
        for index, domain in enumerate(cloud.domains, 1)
    ]
    return page(rows, "Domains", "Domain")


@action(ALIDNS, "AddDomainRecord")
def add_domain_record(cloud: Cloud, call: Parameters) -> Reply:
    domain = call.text("DomainName").lower()
    if domain not in cloud.domains:
        raise ApiError(
            400,
            "InvalidDomainName.NoExist",
            "The specified domain name does not exist. Refresh the page and try again.",
        )
    if sum(record.domain == domain for record in cloud.state.records.values()) >= cloud.limits.records:
        raise ApiError(400, "QuotaExceeded.Record", "The number of DNS records exceeds the limit.")
    record = DnsRecord(
        record_id=str(random.randrange(10**17, 10**18)),  # noqa: S311 - an id, no secret
        domain=domain,
        rr=call.text("RR"),
        kind=call.text("Type").upper(),
        value=call.text("Value"),
        ttl=call.integer("TTL", _TTL[0]),
        line=call.text("Line", "default"),
        priority=call.integer("Priority"),
    )
    _check(cloud, record)
    cloud.state.records[record.record_id] = record
    return {"RecordId": record.record_id}


@action(ALIDNS, "DescribeDomainRecordInfo")
def describe_domain_record_info(cloud: Cloud, call: Parameters) -> Reply:
    record = _find(cloud, call)
    return {
        "RecordId": record.record_id,
        "DomainName": record.domain,
        "DomainId": "",
        "PunyCode": "",
        "GroupId": "",
        "GroupName": "",
        "RR": record.rr,
        "Type": record.kind,
        "Value": record.value,
        "TTL": record.ttl,
        "Line": record.line,
        "Priority": record.priority,
        "Status": "ENABLE" if record.enabled else "DISABLE",
        "Locked": False,
        "Remark": record.remark,
    }


@action(ALIDNS, "DescribeDomainRecords")
def describe_domain_records(cloud: Cloud, call: Parameters) -> Reply:
    rows = [
        {
            "RecordId": record.record_id,
            "DomainName": record.domain,
            "RR": record.rr,
            "Type": record.kind,
            "Value": record.value,
            "TTL": record.ttl,
            "Line": record.line,
            "Status": "ENABLE" if record.enabled else "DISABLE",
            "Locked": False,
        }
        for record in cloud.state.records.values()
        if record.domain == call.text("DomainName").lower()
    ]
    return {"TotalCount": len(rows), "PageNumber": 1, "PageSize": 20, "DomainRecords": {"Record": rows}}


@action(ALIDNS, "UpdateDomainRecord")
def update_domain_record(cloud: Cloud, call: Parameters) -> Reply:
    old = _find(cloud, call)
    record = DnsRecord(
        record_id=old.record_id,
        domain=old.domain,
        rr=call.text("RR"),
        kind=call.text("Type").upper(),
        value=call.text("Value"),
        ttl=call.integer("TTL", old.ttl),
        line=call.text("Line", old.line),
        priority=call.integer("Priority", old.priority),
        enabled=old.enabled,
        remark=old.remark,
    )
    if record == old:  # nothing to change counts as a duplicate of itself
        raise _duplicate()
    _check(cloud, record)
    cloud.state.records[record.record_id] = record
    return {"RecordId": record.record_id}


@action(ALIDNS, "SetDomainRecordStatus")
def set_domain_record_status(cloud: Cloud, call: Parameters) -> Reply:
    record = _find(cloud, call)
    status = call.text("Status").upper()
    if status not in {"ENABLE", "DISABLE"}:
        raise ApiError(400, "InvalidStatus", "The specified Status is invalid.")
    record.enabled = status == "ENABLE"
    return {"RecordId": record.record_id, "Status": status.capitalize()}


@action(ALIDNS, "UpdateDomainRecordRemark")
def update_domain_record_remark(cloud: Cloud, call: Parameters) -> Reply:
    _find(cloud, call).remark = call.text("Remark")
    return {}


@action(ALIDNS, "DeleteDomainRecord")
def delete_domain_record(cloud: Cloud, call: Parameters) -> Reply:
    record = _find(cloud, call)
    del cloud.state.records[record.record_id]
    return {"RecordId": record.record_id}


def presented(record: DnsRecord) -> str:
    """Return a record's value as a zone file writes it: host names absolute, text in quotes."""
    value = record.value
    if record.kind in _NAMING and not value.endswith("."):
        value += "."
    if record.kind == "MX":
        value = f"{record.priority} {value}"
    if record.kind == "TXT" and not value.startswith('"'):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        value = " ".join(f'"{escaped[start : start + 255]}"' for start in range(0, len(escaped), 255))
    return value


def _check(cloud: Cloud, record: DnsRecord) -> None:
    if record.kind not in KINDS:
        raise ApiError(400, "InvalidType", "The specified Type is invalid.")
    if not all(_LABEL.fullmatch(label) for label in record.rr.split(".")):
        raise ApiError(400, "SubDomainInvalid.Rr", "The specified RR is invalid.")
    if not _TTL[0] <= record.ttl <= _TTL[1]:
        raise ApiError(400, "InvalidTTL", "The specified TTL is invalid for the edition of the domain name.")
    try:
        dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.from_text(record.kind), presented(record))
    except dns.exception.DNSException as error:
        text = "The DNS record is invalid or in the wrong format."
        raise ApiError(400, "SubDomainInvalid.Value", text) from error
    same_name = [
        other
        for other in cloud.state.records.values()
        if (other.domain, other.rr, other.line) == (record.domain, record.rr, record.line)
        and other.record_id != record.record_id
    ]
    if any((other.kind, other.value) == (record.kind, record.value) for other in same_name):
        raise _duplicate()
    if any((other.kind == "CNAME") != (record.kind == "CNAME") for other in same_name):
        raise ApiError(400, "DomainRecordConflict", "The DNS record conflicts with other records.")


def _duplicate() -> ApiError:
    return ApiError(400, "DomainRecordDuplicate", "The DNS record already exists.")


def _find(cloud: Cloud, call: Parameters) -> DnsRecord:
    record = cloud.state.records.get(call.text("RecordId"))
    if record is None:
        text = "This domain name record does not belong to the current account."
        raise ApiError(400, "DomainRecordNotBelongToUser", text)
    return record
