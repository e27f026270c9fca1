"""A step's calls, each made once, whatever AWS answers.

Three things go wrong with a call that changes something. It is refused because something still depends on the resource: that
passes, and is waited for within a bound. It gets no answer, or a 5xx: then it may have taken effect, and AWS is read before it is
made again. A read shows what was there before it, for EC2 and IAM are eventually consistent: one read proves nothing.

See https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import jmespath
from tenacity import RetryCallState, Retrying, retry_if_exception, wait_exponential

from incident.dependents import dependents_of
from incident.families import family_for_kind
from incident.family import Read, Scope
from incident.plan import PlannedCall, PlannedLookup, Step
from incident.planner import Unread
from incident.settings import Observed, Value, same
from tasks.aws import Aws, AwsError, observe

Tell = Callable[[str], None]
"""Takes a line of progress."""

IN_USE = frozenset(
    {
        "ConcurrentModification",
        "ConcurrentModificationException",
        "DeleteConflict",
        "DependencyViolation",
        "EntityTemporarilyUnmodifiable",
        "IncorrectInstanceState",
        "IncorrectState",
        "InvalidGroup.InUse",
        "InvalidIPAddress.InUse",
        "InvalidNetworkInterface.InUse",
        "InvalidSnapshot.InUse",
        "OperationInProgressException",
        "PriorRequestNotComplete",
        "ResourceConflictException",
        "ResourceInUse",
        "ResourceInUseException",
        "ScalingActivityInProgress",
        "VolumeInUse",
    }
)
"""The codes by which AWS says that something else must go, or end, first."""

SETTLE_SECONDS = 10.0
"""For how long a read may show what was there before a change."""
_MADE_AT_MOST = 5
_ALREADY = ("Already", "Duplicate", "Exists", "NoSuch", "NotAttached", "NotAssociated", "NotFound")


@dataclass(frozen=True, slots=True)
class Made:
    """What is known of a call that took effect: its answer, empty where it got lost, and the id of what it made."""

    answer: dict[str, Any] = field(default_factory=dict[str, Any])
    new_id: str = ""


class StepCalls:
    """Makes the calls of steps.

    Args:
        aws: where to.
        pause: waits for so many seconds.
    """

    def __init__(self, aws: Aws, pause: Callable[[float], None]) -> None:
        self._aws, self._pause = aws, pause

    def make(self, step: Step, call: PlannedCall, before: Value | Unread, tell: Tell) -> Made:
        """Make a call until AWS says that it did it, or a read shows so.

        Args:
            step: whose call it is.
            call: the call.
            before: what the step's setting was before the call.
            tell: is told of trouble.

        Raises:
            AwsError: AWS refuses it, also after what depended on the resource had its time; or nothing shows whether it was done.
        """
        for number in range(1, _MADE_AT_MOST + 1):
            try:
                answer = self._unless_in_use(step, call, tell)
                return Made(answer, str(jmespath.search(step.creates, answer) or "") if step.creates else "")
            except AwsError as error:
                if error.refused:
                    if number > 1 and any(word in error.code for word in _ALREADY):
                        return Made()
                    raise
                made = self._effect(step, call, before)
                if made is not None:
                    tell(f"{step.title}: {call.operation} got no answer, but took effect")
                    return made
                if number == _MADE_AT_MOST or not _may_be_made_again(step, call):
                    raise
                tell(f"{step.title}: {call.operation} got no answer and shows no effect; it is made again")
        raise AssertionError("unreachable: the last attempt returns or raises")

    def settled(self, step: Step, wanted: Callable[[Value], bool]) -> Observed | Unread | None:
        """The setting, read until it is as wanted or a change must have shown; what the last read showed."""
        live = self._observed(step)
        for delay in _delays():
            if isinstance(live, Unread) or wanted(live.value if live else None):
                return live
            self._pause(delay)
            live = self._observed(step)
        return live

    def marked(self, step: Step, patient: bool = False) -> str:
        """The resource that carries the step's tag; with patience, after a change must have shown.

        Raises:
            AwsError: the tags could not be read.
        """
        found = self._marked_by(step)
        for delay in _delays() if patient else ():
            if found:
                break
            self._pause(delay)
            found = self._marked_by(step)
        return next(iter(found), "")

    def unmark(self, step: Step, resource: str) -> None:
        """Take the step's tag off again: what came back must not look different. One that stays does no harm."""
        if not step.replaces or not any(TAGGED_AS.get(call.operation) for call in step.calls):
            return
        parameters = {"Resources": [resource], "Tags": [{"Key": STEP_TAG}]}
        for _ in range(_MADE_AT_MOST):
            with suppress(AwsError):
                if self.marked(step, patient=True) == resource:
                    self._aws.call(step.account, step.region, "ec2", "DeleteTags", parameters)
                return

    def shown(self, step: Step) -> Value | Unread:
        """The value of the step's setting, `None` where it is absent."""
        return _value(self._observed(step))

    def _observed(self, step: Step) -> Observed | Unread | None:
        return observe(self._aws, family_for_kind(step.key.kind), step.key)

    def _effect(self, step: Step, call: PlannedCall, before: Value | Unread) -> Made | None:
        """What a call without an answer made, where reads show that it took effect."""
        if is_tagged(step, call):
            made = self.marked(step, patient=True)
            return Made(new_id=made) if made else None
        found = _value(self.settled(step, lambda shown: not _alike(shown, before)))
        return None if isinstance(found, Unread) or _alike(found, before) else Made()

    def _unless_in_use(self, step: Step, call: PlannedCall, tell: Tell) -> dict[str, Any]:
        """Make a call; while something depends on the resource, wait and make it again, within the configured bound."""
        bound = self._aws.config.dependency_deadline_seconds

        def say(state: RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            tell(f"{step.title}: {error}; try {state.attempt_number}, {state.idle_for:.0f} of at most {bound:.0f} s until the next")

        waiting = Retrying(
            retry=retry_if_exception(lambda error: isinstance(error, AwsError) and error.code in IN_USE),
            wait=wait_exponential(multiplier=1, max=30),
            stop=lambda state: state.idle_for >= bound,
            sleep=self._pause,
            before_sleep=say,
            reraise=True,
        )
        try:
            return waiting(self._call, step, call)
        except AwsError as error:
            if error.code not in IN_USE:
                raise
            depends = self._dependents(step)
            raise AwsError(error.operation, error.code, f"{error.message} After {bound:.0f} s {depends}.") from None

    def _dependents(self, step: Step) -> str:
        """What still depends on the resource of a step, in words."""
        found: list[str] = []
        unread: list[str] = []
        for one in dependents_of(step.key):
            try:
                for page in self._aws.read_all(Scope(step.account, step.region), one.read):
                    found += [f"{one.word} {name}" for name in jmespath.search(one.path, page) or ()]
            except AwsError as error:
                unread.append(str(error))
        told = [f"still depends on it: {', '.join(dict.fromkeys(found))}"] if found else []
        told += [f"could not be read: {'; '.join(unread)}"] if unread else []
        return " and ".join(told) or "no read shows what depends on it"

    def _call(self, step: Step, call: PlannedCall) -> dict[str, Any]:
        """Make a call, once for each of what a lookup finds; the last answer."""
        parameters = _marked(call, step)
        rounds: list[dict[str, Any]] = [{}]
        for name, lookup in call.lookups.items():
            if lookup.each:
                rounds = [{name: value} for value in self._each(step, lookup)]
            else:
                shown = self._aws.call(step.account, step.region, lookup.service, lookup.operation, lookup.parameters)
                parameters[name] = jmespath.search(lookup.path, shown)
        answer: dict[str, Any] = {}
        for found in rounds:
            answer = self._aws.call(step.account, step.region, call.service, call.operation, parameters | found)
            _raise_for_what_failed(call.operation, answer)
        return answer

    def _each(self, step: Step, lookup: PlannedLookup) -> list[Any]:
        """Everything that a lookup finds just now; nothing, where what it asks for is not there."""
        read = Read(lookup.service, lookup.operation, lookup.parameters)
        try:
            pages = list(self._aws.read_all(Scope(step.account, step.region), read))
        except AwsError as error:
            if error.code in family_for_kind(step.key.kind).absent_codes:
                return []
            raise
        return [value for page in pages for value in jmespath.search(lookup.path, page) or () if value is not None]

    def _marked_by(self, step: Step) -> list[str]:
        """The resources that carry the step's tag."""
        filters = [{"Name": "key", "Values": [STEP_TAG]}, {"Name": "value", "Values": [step.id]}]
        answer = self._aws.call(step.account, step.region, "ec2", "DescribeTags", {"Filters": filters})
        return [str(tag["ResourceId"]) for tag in answer.get("Tags", [])]


def _raise_for_what_failed(operation: str, answer: dict[str, Any]) -> None:
    """Some calls answer 200 and say in the answer what they did not do.

    Raises:
        AwsError: the first of what was not done.
    """
    code, words = jmespath.search(_FAILED_WITHIN, answer)
    if code or words:
        raise AwsError(operation, str(code or "Unsuccessful"), str(words or ""))


_FAILED_WITHIN = (
    "[Unsuccessful[0].Error.Code || FailedEntries[0].ErrorCode, "
    "Unsuccessful[0].Error.Message || FailedEntries[0].ErrorMessage || FailedBatches[0].FailureMessage]"
)
"""Such as CreateFlowLogs, PutTargets and PutRemediationConfigurations."""


def is_tagged(step: Step, call: PlannedCall) -> bool:
    """Whether a call makes a resource again, under the step's tag."""
    return bool(step.replaces) and call.service == "ec2" and call.operation in TAGGED_AS


def _may_be_made_again(step: Step, call: PlannedCall) -> bool:
    """Whether a read would have shown that the call was made. What EC2 makes under a new id and without our tag stays unseen."""
    return not (step.creates and step.replaces and call is step.calls[-1] and call.service == "ec2") or is_tagged(step, call)


def _value(live: Observed | Unread | None) -> Value | Unread:
    return live.value if isinstance(live, Observed) else live


def _alike(one: Value | Unread, other: Value | Unread) -> bool:
    return not isinstance(one, Unread) and not isinstance(other, Unread) and same(one, other)


def _delays() -> Iterable[float]:
    """Growing waits, in seconds, that come to `SETTLE_SECONDS`."""
    waited, delay = 0.0, 0.2
    while waited < SETTLE_SECONDS:
        yield delay
        waited, delay = waited + delay, min(delay * 1.6, 2.0)


STEP_TAG = "countermand:step"
TAGGED_AS = {
    "AllocateAddress": "elastic-ip",
    "CreateCarrierGateway": "carrier-gateway",
    "CreateCustomerGateway": "customer-gateway",
    "CreateDhcpOptions": "dhcp-options",
    "CreateEgressOnlyInternetGateway": "egress-only-internet-gateway",
    "CreateFlowLogs": "vpc-flow-log",
    "CreateInternetGateway": "internet-gateway",
    "CreateManagedPrefixList": "prefix-list",
    "CreateNatGateway": "natgateway",
    "CreateNetworkAcl": "network-acl",
    "CreateNetworkInterface": "network-interface",
    "CreateRouteTable": "route-table",
    "CreateSecurityGroup": "security-group",
    "CreateSubnet": "subnet",
    "CreateVpc": "vpc",
    "CreateVpcEndpoint": "vpc-endpoint",
    "CreateVpcPeeringConnection": "vpc-peering-connection",
    "CreateVpnConnection": "vpn-connection",
    "CreateVpnGateway": "vpn-gateway",
}
"""Operations that make a resource, and what its tags call it."""


def _marked(call: PlannedCall, step: Step) -> dict[str, Any]:
    """The parameters, with the step's tag on a resource that is made again, so that a crash does not make it twice."""
    parameters = dict(call.parameters)
    taggable = TAGGED_AS.get(call.operation)
    if step.replaces and call.service == "ec2" and taggable:
        # AWS takes one list of tags for each type of resource.
        tags = [tag for one in parameters.get("TagSpecifications", []) for tag in one["Tags"]]
        mark = {"ResourceType": taggable, "Tags": [*tags, {"Key": STEP_TAG, "Value": step.id}]}
        parameters["TagSpecifications"] = [mark]
    return parameters
