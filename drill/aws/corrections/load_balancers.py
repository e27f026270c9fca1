"""Load balancers: one that is protected stays, and a target keeps its zone."""

from __future__ import annotations

from typing import Any

from moto.elbv2.exceptions import ELBClientError
from moto.elbv2.models import ELBv2Backend, FakeHealthStatus, FakeTargetGroup

from drill.aws.corrections.base import corrects


def correct() -> None:
    """The corrections of this module are in place once it is imported."""


@corrects(ELBv2Backend)
def delete_load_balancer(self: Any, arn: str) -> None:
    """moto deletes protected balancers."""
    balancer = self.load_balancers.get(arn)
    if balancer is not None and str(balancer.attrs.get("deletion_protection.enabled")) == "true":
        message = f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled"
        raise ELBClientError("OperationNotPermitted", message)
    delete_load_balancer.moto(self, arn)  # type: ignore[attr-defined]


@corrects(FakeTargetGroup)
def register(self: Any, targets: list[dict[str, Any]]) -> None:
    """moto forgets the zone that a target was given."""
    register.moto(self, targets)  # type: ignore[attr-defined]
    for target in targets:
        self.targets[target["Id"]] |= {name: target[name] for name in ("AvailabilityZone",) if name in target}


@corrects(FakeTargetGroup)
def health_for(self: Any, target: dict[str, Any], *args: Any) -> FakeHealthStatus:
    health: FakeHealthStatus = health_for.moto(self, target, *args)  # type: ignore[attr-defined]
    health.zone = self.targets.get(target["Id"], {}).get("AvailabilityZone")  # type: ignore[attr-defined]
    return health


def _target(health: Any) -> dict[str, str]:
    zone = {"AvailabilityZone": health.zone} if getattr(health, "zone", None) else {}
    return {"Id": health.instance_id, "Port": health.port, **zone}


FakeHealthStatus.target = property(_target)  # type: ignore[method-assign,assignment]
