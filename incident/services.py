"""What AWS services did for somebody: whose work a call of CloudFormation or Auto Scaling is.

See https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html (`invokedBy`)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, cast

from incident.actor import Actor, Credential, Link, session_of
from incident.record import Record, in_order

CLOUDFORMATION = "cloudformation.amazonaws.com"
AUTO_SCALING = "autoscaling.amazonaws.com"
STACK_CALLS = ("CreateStack", "UpdateStack", "DeleteStack", "ExecuteChangeSet", "RollbackStack")
STACK_SESSION = "AWSCloudFormation"
GROUP_SESSION = "AutoScaling"
_STACK_TAG, _GROUP_TAG = "aws:cloudformation:stack-id", "aws:autoscaling:groupName"


def delegated(actor: Actor, records: Iterable[Record]) -> Actor:
    """The actor with the records that services made for them, or for the rightful owner of a credential of theirs.

    Args:
        records: in order.
    """
    listed = list(records)
    actor = _with_stack_sessions(actor, listed)
    told = dict(actor.attributed)
    told.update(_forwarded(actor, listed))
    told.update(_scaled(actor, listed))
    return replace(actor, attributed=told)


def is_stack_call(record: Record) -> bool:
    return record.event_source == CLOUDFORMATION and record.event_name in STACK_CALLS


# --- a service that calls with the caller's own credentials ---------------------------------------------------------------------


def _forwarded(actor: Actor, records: list[Record]) -> Iterator[tuple[str, bool]]:
    """Calls that a service made with a stolen credential: they belong to whoever called the service with it last before.

    The record's address is the service's name, so that it tells nothing of owner or actor.
    """
    callers: dict[tuple[str, str, str], bool] = {}
    for record in records:
        key, service = record.identity.access_key, record.identity.invoked_by
        credential = actor.credentials.get(key)
        if credential is None or credential.made or credential.link is not Link.PROVED:
            continue
        if not service:
            if not record.read_only:
                callers[key, record.event_source, record.region] = actor.did(record)
            continue
        theirs = callers.get((key, service, record.region))
        if theirs is not None:
            yield record.event_id, theirs and actor.since is not None and record.time >= actor.since


# --- CloudFormation under a service role ----------------------------------------------------------------------------------------


def _with_stack_sessions(actor: Actor, records: list[Record]) -> Actor:
    """The actor with the sessions in which CloudFormation worked on their stacks under a service role.

    A session belongs to the last call on a stack under that role before it; a tag that names another stack refutes that.
    """
    for call in [record for record in records if is_stack_call(record) and actor.did(record) and record.succeeded]:
        role = _text(call.request.get("roleARN")) or _text(call.request.get("roleArn"))
        for session in _sessions_under(role, call, records):
            actor = actor.with_credential(_stack_session(session, call, role))
    return actor


def _sessions_under(role: str, call: Record, records: list[Record]) -> list[Record]:
    """The first record of each session that CloudFormation began under a role for one call on a stack."""
    if not role:
        return []
    later = [
        record for record in records if record.time >= call.time and (record.region, record.account) == (call.region, call.account)
    ]
    others = [record for record in later if is_stack_call(record) and record is not call and role in record.request.values()]
    ends = min((record.time for record in others if record.time > call.time), default=None)
    found: dict[str, Record] = {}
    for record in later:
        identity = record.identity
        if session_of(identity) != STACK_SESSION or identity.issuer_arn != role or identity.invoked_by != CLOUDFORMATION:
            continue
        if ends is None or record.time < ends:
            found.setdefault(identity.access_key, record)
    stack = _text(call.response.get("stackId"))
    return [record for key, record in found.items() if _stacks_of(key, later) <= {stack}]


def _stacks_of(access_key: str, records: Iterable[Record]) -> set[str]:
    """The stacks that the tags in a session's own records name."""
    own = (record for record in records if record.identity.access_key == access_key)
    return {stack for record in own for stack in _tagged(record, _STACK_TAG)}


def _stack_session(record: Record, call: Record, role: str) -> Credential:
    stack = _text(call.request.get("stackName"))
    how = f"CloudFormation worked on stack {stack} under this role after {call.identity.label} called {call.event_name}"
    return Credential(
        access_key=record.identity.access_key,
        owner=role,
        kind="service",
        link=Link.PROVED,
        how=how,
        record=call.event_id,
        account=record.account,
        made=True,
        issued=record.identity.session_created,
        parent=call.identity.access_key,
    )


# --- Auto Scaling ---------------------------------------------------------------------------------------------------------------


def _scaled(actor: Actor, records: list[Record]) -> Iterator[tuple[str, bool]]:
    """What Auto Scaling launched and ended for the groups that the actor made: a launch's tag names its group."""
    groups = {
        (record.account, record.region, _text(record.request.get("autoScalingGroupName")))
        for record in records
        if record.operation == "autoscaling:CreateAutoScalingGroup" and record.succeeded and actor.did(record)
    }
    launched: set[str] = set()
    for record in records if groups else ():
        if record.identity.invoked_by != AUTO_SCALING:
            continue
        if any((record.account, record.region, name) in groups for name in _tagged(record, _GROUP_TAG)):
            launched.update(_instances(record.response))
            yield record.event_id, True
        elif launched and set(_instances(record.request)) <= launched and list(_instances(record.request)):
            yield record.event_id, True


def questions(actor: Actor, records: Iterable[Record]) -> Iterator[tuple[Record, str, str]]:
    """What must be asked of the event history to see what services did for the actor: after which call of theirs, in its region,
    which attribute with which value.
    """
    for record in records:
        if not record.succeeded or not actor.did(record):
            continue
        if record.operation == "autoscaling:CreateAutoScalingGroup":
            yield record, "Username", GROUP_SESSION
        elif is_stack_call(record) and (record.request.get("roleARN") or record.request.get("roleArn")):
            yield record, "Username", STACK_SESSION
            for name in STACK_CALLS:
                yield record, "EventName", name


def caller_behind(record: Record, records: Iterable[Record]) -> Record:
    """The call of a person or program that a service's call goes back to, or the record itself where nothing tells.

    A call that a service made with the caller's own credentials carries their key already.
    """
    before = [one for one in in_order(records) if one.time <= record.time and one.region == record.region and one.succeeded]
    session = session_of(record.identity)
    if record.identity.invoked_by == AUTO_SCALING and session == GROUP_SESSION:
        names = set(_tagged(record, _GROUP_TAG))
        calls = [one for one in before if one.service == "autoscaling" and one.request.get("autoScalingGroupName") in names]
        return calls[-1] if calls else record
    if record.identity.invoked_by == CLOUDFORMATION and session == STACK_SESSION:
        role, stacks = record.identity.issuer_arn, set(_tagged(record, _STACK_TAG))
        calls = [one for one in before if is_stack_call(one) and role in one.request.values()]
        named = [one for one in calls if _text(one.response.get("stackId")) in stacks]
        return (named or calls or [record])[-1]
    return record


def _tagged(record: Record, tag: str) -> Iterator[str]:
    """The values of one tag in a request that makes tagged resources, or tags them."""
    specified = [part.get("tags") for part in _items(record.request.get("tagSpecificationSet"))]
    for tags in (record.request.get("tagSet"), *specified):
        for item in (*_items(tags), *_mappings(tags)):
            if _text(item.get("key")) == tag:
                yield _text(item.get("value"))


def _instances(body: Mapping[str, Any]) -> Iterator[str]:
    for item in _items(body.get("instancesSet")):
        if _text(item.get("instanceId")):
            yield _text(item.get("instanceId"))


def _items(value: object) -> list[Mapping[str, Any]]:
    return _mappings(cast(Mapping[str, Any], value).get("items")) if isinstance(value, Mapping) else []


def _mappings(value: object) -> list[Mapping[str, Any]]:
    listed = cast(list[object], value) if isinstance(value, list) else []
    return [cast(Mapping[str, Any], item) for item in listed if isinstance(item, Mapping)]


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
