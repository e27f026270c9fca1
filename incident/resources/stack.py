"""CloudFormation stacks: only that they exist. What a stack made is undone by the calls that made it; the stack itself goes last.

A template is in no record, so that an update of somebody else's stack can be named and not undone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from incident.family import Acts, Call, Change, Family, Read, Scope, Unrestorable
from incident.record import Record
from incident.settings import Known, Observed, SettingKey, Value, Write

STACK = "cloudformation-stack"
_GONE = "DELETE_COMPLETE"
_SETTLED = ("_COMPLETE", "_FAILED")
_TAKES_THE_REST = "deletes whatever of the stack's resources is still there"


def _writes(record: Record, known: Known) -> Iterator[Write]:
    """A stack is known by its ARN; records that name it by name are led to the ARN."""
    name = str(record.request.get("stackName", ""))
    alias = f"stack {record.account} {record.region} {name}"
    made = str(record.response.get("stackId", ""))
    if record.event_name == "CreateStack":
        if not made:
            raise ValueError("the record shows no id of the stack that it made")
        yield Write(_key(record, made), {"StackName": name}, before=None, handles={"StackName": alias})
        return
    key = _key(record, name) if name.startswith("arn:") else known.alias(alias)
    yield Write(key or _key(record, name), None)


def _key(record: Record, stack: str) -> SettingKey:
    return SettingKey(record.account, record.region, STACK, stack)


def _observe(scope: Scope, read: Read, answer: Mapping[str, Any]) -> Iterable[Observed]:
    for stack in answer.get("Stacks", []):
        status = str(stack["StackStatus"])
        if status == _GONE:
            continue
        key = SettingKey(scope.account, scope.region, STACK, stack["StackId"])
        yield Observed(key, {"StackName": stack["StackName"]}, settled=status.endswith(_SETTLED))


def _change(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is not None:
        return Unrestorable(
            "a deleted stack's template is in no record", "Create it again from the template's source; what it had made comes back."
        )
    if live is None:
        return ()
    parameters = {"StackName": key.resource}
    return (Call("cloudformation", "DeleteStack", parameters, ("cloudformation:DeleteStack",), irreversible=_TAKES_THE_REST),)


STACKS = Family(
    kinds=(STACK,),
    events=frozenset({"cloudformation:CreateStack", "cloudformation:DeleteStack"}),
    writes=_writes,
    inventory=(),
    read=lambda key: Read("cloudformation", "DescribeStacks", {"StackName": key.resource}),
    observe=_observe,
    change=_change,
    absent_codes=frozenset({"ValidationError"}),
    rank={STACK: 1000},
    acts={
        STACK: Acts(removes=("cloudformation:DeleteStack",)),
    },
)

FAMILIES = (STACKS,)
