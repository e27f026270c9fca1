"""How a correction is put in."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any, TypeVar

from moto.ec2.exceptions import EC2ClientError

Function = TypeVar("Function", bound=Callable[..., Any])


def corrects(owner: type) -> Callable[[Function], Function]:
    """Put a function in the place of the method of the same name; moto's own stays at hand as `.moto`."""

    def put(function: Function) -> Function:
        function.moto = getattr(owner, function.__name__, None)  # type: ignore[attr-defined]
        setattr(owner, function.__name__, function)
        return function

    return put


def refuse(code: str, message: str) -> EC2ClientError:
    """An EC2 error to raise."""
    return EC2ClientError(code, message)


def dependency(what: str) -> EC2ClientError:
    """The error for deleting what something else still needs."""
    return refuse("DependencyViolation", f"resource {what} has a dependent object")


def canonical_cidr(text: str) -> str:
    """A CIDR as AWS keeps it: the network, not an address in it."""
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError as e:
        raise refuse("InvalidParameterValue", f"CIDR block {text} is malformed") from e
