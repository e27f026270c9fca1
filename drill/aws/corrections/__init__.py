"""What moto gets wrong and the range needs right. `docs/moto.md` lists every fault with its reproduction."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from drill.aws.clock import Clock
from drill.aws.corrections import runtime

_MODULES = (
    "runtime", "additions", "security_groups", "routing", "network_acls",
    "prefix_lists", "networks", "interfaces", "public_access", "dns", "iam", "firewalls", "load_balancers", "functions", "tags",
    "services", "scaling", "dispatch", "buckets", "spot", "flow_logs", "images",
)  # fmt: skip
_applied = False


def apply(clock: Clock, snapshot_seconds: float) -> None:
    """Correct moto, once for the process, and set what depends on this range."""
    global _applied
    if not _applied:
        for name in _MODULES:
            import_module(f"{__name__}.{name}").correct()
        _applied = True
    runtime.settings.clock = clock
    runtime.settings.snapshot_seconds = snapshot_seconds
    runtime.settings.snapshot_failures = 0


@cache
def apply_for(service: str) -> None:
    """Correct what moto loads only when a service is first asked: for stacks it loads half of all services, which takes seconds."""
    if service == "cloudformation":
        import_module(f"{__name__}.stacks").correct()


def fail_snapshots(count: int) -> None:
    """Let the next so many snapshots end in the state `error`."""
    runtime.settings.snapshot_failures = count
