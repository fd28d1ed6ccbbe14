"""Errors as the API answers them.

Codes and texts are Alibaba's own, from the error tables of its API reference (ECS, EIP, VPC pages). The texts matter:
the plugin looks into them too, so a careless word can make it repeat a call or take a resource for gone.
"""

from __future__ import annotations

from typing import final


@final
class ApiError(Exception):
    """What the API answers instead of a result.

    Attributes:
        status: the HTTP status.
        code: what programs go by, for instance ``InvalidDiskId.NotFound``.
        message: what people read.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message


def missing(name: str) -> ApiError:
    """A mandatory parameter is not there, as ECS and VPC say it."""
    text = f'The input parameter "{name}" that is mandatory for processing this request is not supplied.'
    return ApiError(400, "MissingParameter", text)


def missing_in_dns(name: str) -> ApiError:
    """A mandatory parameter is not there, as Alidns says it: the name is part of the code."""
    return ApiError(400, f"Missing{name}", f"{name} is mandatory for this action.")


def unsupported(name: str) -> ApiError:
    """A parameter that the action does not have.

    The real API mostly ignores these. Here they are refused, because a misspelt parameter is what a test wants to find.
    """
    return ApiError(400, "UnsupportedParameter", f'The parameter "{name}" is not supported by this action.')


def not_valid(name: str) -> ApiError:
    """A parameter with a value that cannot be."""
    return ApiError(400, "InvalidParameter", f'The specified parameter "{name}" is not valid.')


def unknown_action(name: str) -> ApiError:
    """Neither the API nor this emulation has such an action."""
    return ApiError(
        404, "InvalidAction.NotFound", f"Specified api is not found, please check your url and method: {name}"
    )


def throttled() -> ApiError:
    """Too many calls; clients are to come again."""
    return ApiError(400, "Throttling.User", "Request was denied due to user flow control.")


def wrong_instance_status() -> ApiError:
    """An instance is in a state in which it cannot do what was asked for."""
    text = "The current status of the resource does not support this operation."
    return ApiError(403, "IncorrectInstanceStatus", text)


def wrong_disk_status() -> ApiError:
    """A disk is in a state in which it cannot do what was asked for."""
    return ApiError(403, "IncorrectDiskStatus", "The current disk status does not support this operation.")


def no_instance() -> ApiError:
    """There is no such instance."""
    return ApiError(404, "InvalidInstanceId.NotFound", "The specified InstanceId does not exist.")


def no_disk() -> ApiError:
    """There is no such disk."""
    return ApiError(404, "InvalidDiskId.NotFound", "The specified disk does not exist.")


def no_group() -> ApiError:
    """There is no such security group."""
    return ApiError(404, "InvalidSecurityGroupId.NotFound", "The specified SecurityGroupId does not exist.")


def no_vpc() -> ApiError:
    """There is no such VPC."""
    return ApiError(404, "InvalidVpcId.NotFound", "Specified VPC does not exist.")


def no_switch() -> ApiError:
    """There is no such vSwitch."""
    return ApiError(404, "InvalidVSwitchId.NotFound", "Specified virtual switch does not exist.")


def no_address() -> ApiError:
    """There is no such elastic address."""
    return ApiError(404, "InvalidAllocationId.NotFound", "Specified allocation ID is not found")


def dry_run() -> ApiError:
    """Everything was checked and would have been done."""
    text = "Request validation has been passed with DryRun flag set."
    return ApiError(400, "DryRunOperation", text)
