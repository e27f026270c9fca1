"""Auto Scaling: what it launches and terminates by itself, written down as its own calls.

moto starts and stops the instances of a group without a word. Whatever a group has gained or lost over a call is recorded as
RunInstances or TerminateInstances by the service-linked role. See
https://docs.aws.amazon.com/autoscaling/ec2/userguide/autoscaling-service-linked-role.html
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from xml.sax.saxutils import escape

from drill.aws.clock import Clock
from drill.aws.config import SERVICE_LINKED_ROLES, bootstrap_keys
from drill.aws.identity import Caller
from drill.aws.sessions import Sessions
from drill.aws.trail import Trail, make_record
from drill.aws.wire import Answer, Call, ec2_call

_SERVICE = "autoscaling.amazonaws.com"
_SESSION = "AutoScaling"
_NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"
_RESERVATION = re.compile(rb"<reservationSet>\s*<item>(.*)</item>\s*</reservationSet>", re.S)
_LEFT_BEFORE_EXPIRY = 60

Members = dict[str, Any]


class AutoScaling:
    """Watches the groups of all accounts and regions."""

    def __init__(self, clock: Clock, sessions: Sessions, trail: Trail, forward: Callable[[Call, Caller], Answer]) -> None:
        self._clock, self._sessions, self._trail, self._forward = clock, sessions, trail, forward
        self._held: dict[tuple[str, str], Caller] = {}

    def clear(self) -> None:
        self._held.clear()

    @staticmethod
    def members(call: Call, account: str) -> Members | None:
        """The instances in groups where a call is made, each with its group; None for a call that cannot change them."""
        if call.service != "autoscaling" and call.operation != "TerminateInstances":
            return None
        from moto.autoscaling.models import autoscaling_backends

        groups = autoscaling_backends[account][call.region].autoscaling_groups.values()
        return {state.instance.id: group for group in groups for state in group.instance_states}

    def after(self, call: Call, account: str, before: Members) -> None:
        """Write down what the groups have gained and lost since."""
        now = self.members(call, account) or {}
        for group in {group.name: group for ident, group in now.items() if ident not in before}.values():
            launched = [ident for ident, held in now.items() if held.name == group.name and ident not in before]
            self._record_launch(account, call.region, group, launched)
        # Whoever terminated an instance by hand has a record of that already.
        gone = [] if call.operation == "TerminateInstances" else [ident for ident in before if ident not in now]
        if gone:
            self._record_end(account, call.region, gone)

    def _record_launch(self, account: str, region: str, group: Any, launched: list[str]) -> None:
        call = self._call("RunInstances", _launch_form(group, len(launched)), account, region)
        self._keep(call, account, region, _as_launch(self._described(account, region, launched)))

    def _record_end(self, account: str, region: str, gone: list[str]) -> None:
        call = self._call("TerminateInstances", _numbered("InstanceId", gone), account, region)
        self._keep(call, account, region, _as_end(gone))

    def _call(self, operation: str, form: dict[str, str], account: str, region: str) -> Call:
        return ec2_call(operation, form, region, bootstrap_keys(account).access_key, self._clock.now(), _SERVICE)

    def _keep(self, call: Call, account: str, region: str, answer: Answer) -> None:
        self._trail.keep(make_record(call, self._session(account, region), answer), call.time)

    def _session(self, account: str, region: str) -> Caller:
        held = self._held.get((account, region))
        if held is None or (held.expires_at or 0) - self._clock.now() < _LEFT_BEFORE_EXPIRY:
            held = self._sessions.service(account, region, _SERVICE, SERVICE_LINKED_ROLES[_SERVICE], _SESSION)
            self._held[account, region] = held
        return held

    def _described(self, account: str, region: str, instances: list[str]) -> bytes:
        keys = bootstrap_keys(account)
        call = ec2_call("DescribeInstances", _numbered("InstanceId", instances), region, keys.access_key, self._clock.now())
        root = Caller("Root", account, "root", f"arn:aws:iam::{account}:root", account, keys.access_key, bootstrap=True)
        return self._forward(call, root).body


def _numbered(name: str, values: list[str]) -> dict[str, str]:
    return {f"{name}.{place}": value for place, value in enumerate(values, 1)}


def _launch_form(group: Any, count: int) -> dict[str, str]:
    form = {"MinCount": "1", "MaxCount": str(count)}
    if group.vpc_zone_identifier:
        form["SubnetId"] = group.vpc_zone_identifier.split(",")[0]
    if group.ec2_launch_template:
        form |= {"LaunchTemplate.LaunchTemplateId": group.ec2_launch_template.id}
        form |= {"LaunchTemplate.Version": str(group.launch_template_version or "$Default")}
    else:
        form |= {"ImageId": group.image_id, "InstanceType": group.instance_type}
    tags = {"TagSpecification.1.ResourceType": "instance"}
    return form | tags | {"TagSpecification.1.Tag.1.Key": "aws:autoscaling:groupName", "TagSpecification.1.Tag.1.Value": group.name}


def _as_launch(described: bytes) -> Answer:
    """A reservation as DescribeInstances shows it, in the words of RunInstances: the two have the same elements."""
    inner = _RESERVATION.search(described)
    body = b'<RunInstancesResponse xmlns="%s">%s</RunInstancesResponse>'
    return Answer(200, [], body % (_NAMESPACE.encode(), inner.group(1) if inner else b""))


def _as_end(instances: list[str]) -> Answer:
    state = "<currentState><code>32</code><name>shutting-down</name></currentState>"
    state += "<previousState><code>16</code><name>running</name></previousState>"
    items = "".join(f"<item><instanceId>{escape(ident)}</instanceId>{state}</item>" for ident in instances)
    body = f'<TerminateInstancesResponse xmlns="{_NAMESPACE}"><instancesSet>{items}</instancesSet></TerminateInstancesResponse>'
    return Answer(200, [], body.encode())
