"""Managed policies in records alone: what each changed, and the calls that change it back."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from examples import ACCOUNT, plan, record, setting, step
from hypothesis import given
from hypothesis import strategies as st

from incident.explain import Certainty, Explanation, explain
from incident.families import family_for_event
from incident.family import Scope, Unrestorable
from incident.guards import refusals
from incident.plan import Plan, Step
from incident.planner import first_wave, propose
from incident.policy import Policy
from incident.record import Record
from incident.resources.iam import compact
from incident.resources.managed_policy import MANAGED_POLICIES, digest
from incident.settings import Fold, Observed, SettingKey, names_in, reversals, same

SCOPE = Scope(ACCOUNT, "us-east-1")
ARN = f"arn:aws:iam::{ACCOUNT}:policy/shop/orders@team+eu"
SAID = [
    json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": f"s3:{n}", "Resource": "*"}]}) for n in "abc"
]


class Policies:
    """IAM as far as one policy goes: its versions by number, the one in force, and what a record of each call says."""

    def __init__(self) -> None:
        self.versions: dict[str, str] = {}
        self.default, self.made, self.records = "", 0, list[Record]()

    def call(self, operation: str, user: str, asked: dict[str, Any]) -> bool:
        """Make a call as IAM would; whether it was let."""
        answer = getattr(self, f"_{operation}")(asked)
        if answer is None:
            return False
        request = {name[:1].lower() + name[1:]: value for name, value in asked.items()}
        at = len(self.records)
        self.records.append(record(operation, service="iam", at=at, user=user, request=request, response=answer))
        return True

    def _CreatePolicy(self, asked: dict[str, Any]) -> dict[str, Any] | None:
        if self.versions:
            return None
        self.versions, self.default, self.made = {"v1": asked["PolicyDocument"]}, "v1", 1
        return {"policy": {"arn": ARN, "path": "/shop/", "policyName": "orders@team+eu", "defaultVersionId": "v1"}}

    def _CreatePolicyVersion(self, asked: dict[str, Any]) -> dict[str, Any] | None:
        if not self.versions:
            return None
        self.made += 1
        number = f"v{self.made}"
        self.versions[number] = asked["PolicyDocument"]
        self.default = number if asked["SetAsDefault"] else self.default
        return {"policyVersion": {"versionId": number, "isDefaultVersion": asked["SetAsDefault"]}}

    def _SetDefaultPolicyVersion(self, asked: dict[str, Any]) -> dict[str, Any] | None:
        if asked["VersionId"] not in self.versions:
            return None
        self.default = asked["VersionId"]
        return {}

    def _DeletePolicyVersion(self, asked: dict[str, Any]) -> dict[str, Any] | None:
        if asked["VersionId"] not in self.versions or asked["VersionId"] == self.default:
            return None
        del self.versions[asked["VersionId"]]
        return {}

    def _DeletePolicy(self, asked: dict[str, Any]) -> dict[str, Any] | None:
        if len(self.versions) != 1:
            return None
        self.versions, self.default = {}, ""
        return {}

    def said(self) -> tuple[str, list[str]]:
        """The document in force and all documents: what a policy is to whoever has it."""
        said = {number: compact(json.loads(document)) for number, document in self.versions.items()}
        return said.get(self.default, ""), sorted(set(said.values()))

    def live(self) -> dict[SettingKey, Observed]:
        """What the read of everything shows; boto3 gives documents as values."""
        listed = [{"VersionId": number, "Document": json.loads(said)} for number, said in self.versions.items()]
        told = {"Arn": ARN, "Path": "/shop/", "DefaultVersionId": self.default, "PolicyVersionList": listed}
        answer = {"Policies": [told] if listed else []}
        return {one.key: one for one in MANAGED_POLICIES.observe(SCOPE, MANAGED_POLICIES.inventory[0], answer)}

    def carry_out(self, step: Step) -> None:
        """As the executor does: what is right is skipped, what moved or is refused fails."""
        live = self.live().get(step.key)
        found = live.value if live else None
        if same(found, step.leaves):
            return
        assert same(found, step.expects), step.title
        for call in step.calls:
            if call.operation.startswith("Detach"):
                continue
            spare = [number for number in self.versions if number != self.default]
            rounds = [{"VersionId": number} for number in spare] if call.lookups else [{}]
            for more in rounds:
                assert self.call(call.operation, "responder", {**call.parameters, **more}), f"{step.title}: {call.operation}"
        live = self.live().get(step.key)
        assert same(live.value if live else None, step.leaves), step.title


NUMBERS = st.integers(1, 8).map(lambda number: {"PolicyArn": ARN, "VersionId": f"v{number}"})
MADE = st.sampled_from(SAID).map(lambda said: {"PolicyName": "orders@team+eu", "PolicyDocument": said})
ADDED = st.builds(
    lambda said, now: {"PolicyArn": ARN, "PolicyDocument": said, "SetAsDefault": now}, st.sampled_from(SAID), st.booleans()
)
CALLS = st.one_of(
    st.tuples(st.just("CreatePolicyVersion"), ADDED),
    st.tuples(st.just("SetDefaultPolicyVersion"), NUMBERS),
    st.tuples(st.just("DeletePolicyVersion"), NUMBERS),
    st.tuples(st.just("DeletePolicy"), st.just({"PolicyArn": ARN})),
    st.tuples(st.just("CreatePolicy"), MADE),
)


def fold(records: Iterable[Record]) -> Fold:
    folded = Fold()
    for one in records:
        family = family_for_event(one.operation)
        assert family is not None
        folded.read(one, family.writes)
    return folded


def undone(iam: Policies) -> None:
    """Plan the way back and go it, in the two waves in which plans run."""
    wanted = reversals(fold(iam.records), lambda one: one.identity.name == "mallory")
    shown = iam.live()
    proposal = propose(wanted, {one.key: shown.get(one.key) for one in wanted})
    assert proposal.unplanned == ()
    early = first_wave(Plan(incident="inc-1", title="the way back", steps=proposal.steps))
    for planned in (*early, *(one for one in proposal.steps if one not in early)):
        iam.carry_out(planned)


@given(st.booleans(), st.lists(CALLS, max_size=5), st.lists(CALLS, min_size=1, max_size=7))
def test_whatever_the_actor_does_to_a_policy_it_says_the_same_again(there: bool, owners: list[Any], actors: list[Any]):
    iam = Policies()
    if there:
        for operation, asked in (("CreatePolicy", {"PolicyName": "orders@team+eu", "PolicyDocument": SAID[0]}), *owners):
            iam.call(operation, "alice", asked)
    before = iam.said()
    for operation, asked in actors:
        iam.call(operation, "mallory", asked)
    undone(iam)
    assert iam.said() == before


# --- one record ---------------------------------------------------------------------------------------------------------------


def explained(iam: Policies) -> Explanation:
    return list(explain([one.raw for one in iam.records]))[-1]


def undo(told: Explanation) -> list[tuple[str, dict[str, Any]]]:
    assert not isinstance(told.undo, str), told.undo
    return [(call.operation, dict(call.parameters)) for call in told.undo]


@pytest.fixture
def iam() -> Policies:
    """A policy of two versions, the newer in force."""
    made = Policies()
    made.call("CreatePolicy", "alice", {"PolicyName": "orders@team+eu", "PolicyDocument": SAID[0]})
    made.call("CreatePolicyVersion", "alice", {"PolicyArn": ARN, "PolicyDocument": SAID[1], "SetAsDefault": True})
    return made


def test_each_record_of_a_policy_has_its_exact_undo(iam: Policies):
    named = {"PolicyArn": ARN}
    iam.call("CreatePolicyVersion", "mallory", {**named, "PolicyDocument": SAID[2], "SetAsDefault": True})
    told = explained(iam)
    assert told.certainty is Certainty.EXACT
    assert undo(told) == [
        ("SetDefaultPolicyVersion", {**named, "VersionId": "v2"}),
        ("DeletePolicyVersion", {**named, "VersionId": "v3"}),
    ]
    iam.call("SetDefaultPolicyVersion", "mallory", {**named, "VersionId": "v1"})
    assert (explained(iam).certainty, undo(explained(iam))) == (
        Certainty.EXACT,
        [("SetDefaultPolicyVersion", {**named, "VersionId": "v3"})],
    )
    iam.call("DeletePolicyVersion", "mallory", {**named, "VersionId": "v2"})
    told = explained(iam)
    assert told.certainty is Certainty.EXACT
    assert [operation for operation, _ in undo(told)] == ["CreatePolicyVersion"]
    assert json.loads(undo(told)[0][1]["PolicyDocument"]) == json.loads(SAID[1])
    iam.call("DeletePolicyVersion", "mallory", {**named, "VersionId": "v3"})
    iam.call("DeletePolicy", "mallory", named)
    told = explained(iam)
    assert told.certainty is Certainty.EXACT
    ((operation, asked),) = undo(told)
    assert (operation, asked["PolicyName"], asked["Path"]) == ("CreatePolicy", "orders@team+eu", "/shop/")
    assert json.loads(asked["PolicyDocument"]) == json.loads(SAID[0])


def test_a_new_policy_goes_after_what_it_still_has():
    iam = Policies()
    iam.call("CreatePolicy", "mallory", {"PolicyName": "orders@team+eu", "PolicyDocument": SAID[0]})
    told = explained(iam)
    assert told.certainty is Certainty.EXACT
    assert [operation for operation, _ in undo(told)] == [
        "DetachUserPolicy",
        "DetachRolePolicy",
        "DetachGroupPolicy",
        "DeletePolicyVersion",
        "DeletePolicy",
    ]


def test_a_version_of_which_nothing_tells_needs_prior_state():
    one = record("DeletePolicyVersion", service="iam", request={"policyArn": ARN, "versionId": "v4"})
    (told,) = explain([one.raw])
    assert told.certainty is Certainty.NEEDS_PRIOR_STATE
    change = MANAGED_POLICIES.change(setting("managed-policy-version", ARN, "v4", "global"), None, SAID[0])
    assert isinstance(change, Unrestorable)


@pytest.mark.parametrize("owner", ["User", "Role"])
def test_a_boundary_returns_to_the_one_of_an_earlier_record(owner: str):
    named = {f"{owner.lower()}Name": "orders"}
    first = record(f"Put{owner}PermissionsBoundary", service="iam", request={**named, "permissionsBoundary": ARN})
    second = record(f"Delete{owner}PermissionsBoundary", service="iam", at=1, request=named)
    told = list(explain([first.raw, second.raw]))[-1]
    assert told.certainty is Certainty.EXACT
    assert undo(told) == [(f"Put{owner}PermissionsBoundary", {f"{owner}Name": "orders", "PermissionsBoundary": ARN})]


def test_nobody_takes_the_boundary_of_a_break_glass_role():
    key = setting("role-boundary", "admin", "boundary", "global")
    policy = Policy(break_glass=(f"arn:aws:iam::{ACCOUNT}:role/admin",))
    assert [one.rule for one in refusals(plan(step(key, expects=ARN)), policy)] == ["break_glass"]


def test_a_name_with_odd_characters_is_found_whole():
    assert {ARN, f"{ARN}/{digest(SAID[0])}", "jo@team.example"} <= names_in(
        [ARN, {"Version": f"{ARN}/{digest(SAID[0])}"}, "jo@team.example"]
    )
