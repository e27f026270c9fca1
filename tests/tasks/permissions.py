"""What the responder's policies allow, against what was called and what steps declare."""

from __future__ import annotations

from collections.abc import Iterable

from incident.permissions import Acting, needed
from incident.plan import Phase, Plan

_PHASES = {
    Phase.EVIDENCE: Acting.KEEP_EVIDENCE,
    Phase.CONTAIN: Acting.CONTAIN,
    Phase.RELEASE: Acting.CONTAIN,
    Phase.ERADICATE: Acting.ERADICATE,
    Phase.RECOVER: Acting.RECOVER,
}


def missing(plans: Iterable[Plan]) -> list[str]:
    """The actions of steps that neither the policy for reading nor the one for their phase allows."""
    allowed = needed()
    steps = [step for plan in plans for step in plan.steps]
    wanted = {(step.phase, action) for step in steps for action in step.permissions}
    lacking = [one for one in wanted if one[1] not in allowed[_PHASES[one[0]]] | allowed[Acting.READ]]
    return sorted(f"{phase}: {action}" for phase, action in lacking)
