"""Changes against requests: each in exactly one class, in whatever order they come, and formulas are text."""

from __future__ import annotations

import csv
import io
import json
import random
from datetime import timedelta
from typing import Any

import pytest
from examples import ACCOUNT, NOON, record
from hypothesis import example, given, settings
from hypothesis import strategies as st

from incident.change_requests import ChangeRequest, RequestError, latest, read_requests, read_text
from incident.policy import Policy
from incident.reconciling import Known, Outcome, Reconciliation, Verdict, reconcile, to_csv
from incident.record import Record
from incident.tables import cell

BEFORE, AFTER = NOON - timedelta(hours=1), NOON + timedelta(hours=1)


def rule(user: str = "alice", at: int = 0, group: str = "sg-1", cidr: str = "10.0.0.0/8", **more: Any) -> Record:
    permission = {"ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "ipRanges": {"items": [{"cidrIp": cidr}]}}
    request = {"groupId": group, "ipPermissions": {"items": [permission]}}
    return record(
        "AuthorizeSecurityGroupIngress",
        user=user,
        at=at,
        request=request,
        response={"_return": True},
        **{"eventID": f"{user}-{at}-{group}-{cidr}", **more},
    )


def attached(user: str = "alice", vpc: str = "vpc-1") -> Record:
    return record(
        "AttachInternetGateway", user=user, request={"internetGatewayId": "igw-1", "vpcId": vpc}, response={"_return": True}
    )


def request(ticket: str = "CHG-1", user: str = "alice", group: str = "sg-1", **more: Any) -> ChangeRequest:
    told = {
        "ticket": ticket,
        "approved_by": ["carol"],
        "principals": [f"arn:aws:iam::{ACCOUNT}:user/{user}"],
        "resources": [group],
        "from": NOON - timedelta(minutes=10),
        "until": NOON + timedelta(minutes=10),
    }
    return ChangeRequest.model_validate(told | more)


def found(records: list[Record], requests: list[ChangeRequest], policy: Policy | None = None, **more: Any) -> Reconciliation:
    return reconcile(records, (policy or Policy()).knowing(requests), BEFORE, AFTER, Known(**more))


def verdict(record: Record, *requests: ChangeRequest) -> tuple[Verdict, tuple[str, ...]]:
    (change,) = found([record], list(requests)).changes
    return change.verdict, change.requests


def outcome(one: ChangeRequest, *records: Record, **more: Any) -> Outcome:
    (told,) = found(list(records), [one], **more).requests
    return told.outcome


def test_a_change_by_who_is_named_on_what_is_named_in_its_time_is_approved():
    assert verdict(rule(), request()) == (Verdict.APPROVED, ("CHG-1",))
    assert outcome(request(), rule()) is Outcome.MADE


@pytest.mark.parametrize(
    ("made", "asked", "expected"),
    [
        (rule(user="bob"), request(), Verdict.BY_ANOTHER),
        (rule(at=601), request(), Verdict.OUTSIDE),
        (rule(at=-601), request(), Verdict.OUTSIDE),
        (rule(group="sg-2"), request(), Verdict.UNAPPROVED),
        (rule(user="bob", at=601), request(), Verdict.UNAPPROVED),
        (rule(), request(approved_by=[]), Verdict.UNAPPROVED),
        (rule(), request(approved_at=NOON + timedelta(seconds=1)), Verdict.UNAPPROVED),
        (rule(), request(operations=["Revoke*"]), Verdict.UNAPPROVED),
        (rule(), request(operations=["Authorize*"]), Verdict.APPROVED),
        (record("ModifyVpcSomethingNew", user="alice"), request(group="*"), Verdict.NOT_UNDERSTOOD),
    ],
)
def test_what_differs_from_the_request_has_its_class(made: Record, asked: ChangeRequest, expected: Verdict):
    assert verdict(made, asked)[0] is expected
    assert outcome(asked, made) is not Outcome.MADE or expected is Verdict.APPROVED


def test_a_call_is_approved_only_where_all_that_it_writes_is():
    tags = {
        "resourcesSet": {"items": [{"resourceId": "sg-1"}, {"resourceId": "sg-2"}]},
        "tagSet": {"items": [{"key": "a", "value": "b"}]},
    }
    both = record("CreateTags", user="alice", request=tags, response={"_return": True})
    assert verdict(both, request())[0] is Verdict.UNAPPROVED
    assert verdict(both, request(), request("CHG-2", group="sg-2"))[0] is Verdict.APPROVED


def test_failed_calls_reads_and_what_is_no_network_are_no_changes():
    others = [
        rule(errorCode="UnauthorizedOperation"),
        record("DescribeVpcs", readOnly=True),
        record("CreateUser", service="iam"),
        rule(at=7200),
    ]
    assert found(others, []).changes == ()


def test_our_own_changes_are_named_as_ours():
    policy = Policy(responder_principals=(f"arn:aws:iam::{ACCOUNT}:user/alice",))
    (one,) = found([rule(cidr="0.0.0.0/0")], [], policy).changes
    assert (one.verdict, one.urgent) == (Verdict.OURS, "")


@pytest.mark.parametrize(
    ("made", "policy", "tags", "urgent"),
    [
        (rule(cidr="0.0.0.0/0"), Policy(), None, True),
        (rule(), Policy(), None, False),
        (attached(), Policy(), None, False),
        (attached(), Policy(internal_vpcs=("vpc-1",)), None, True),
        (attached(), Policy(internal_tags={"network": "internal*"}), {"network": "internal-only"}, True),
        (attached(), Policy(internal_tags={"network": "internal*"}), {"network": "public"}, False),
        # Unknown is not clean.
        (attached(), Policy(internal_tags={"network": "internal*"}), None, True),
    ],
)
def test_what_cannot_wait(made: Record, policy: Policy, tags: dict[str, str] | None, urgent: bool):
    told = found([made], [], policy, tags=lambda account, region, vpc: tags)
    assert bool(told.urgent) is urgent
    assert found([made], [request(group="*")], policy, tags=lambda account, region, vpc: tags).urgent == ()
    assert all(one.raw == made.raw for one in told.urgent)


def test_a_request_that_nothing_made_is_never_made_only_where_everything_was_read():
    assert outcome(request()) is Outcome.NEVER_MADE
    assert outcome(request(), gaps=("eu-west-1 was not read",)) is Outcome.NOT_KNOWN
    assert outcome(request(**{"from": BEFORE - timedelta(hours=1)})) is Outcome.NOT_KNOWN
    assert outcome(request(), record("ModifyVpcSomethingNew", user="alice")) is Outcome.NOT_KNOWN
    assert outcome(request(until=AFTER + timedelta(hours=1))) is Outcome.PENDING
    assert outcome(request(approved_by=[])) is Outcome.NOT_APPROVED


users, groups = st.sampled_from(("alice", "bob")), st.sampled_from(("sg-1", "sg-2"))
seconds = st.integers(-1200, 1200)
records_ = st.builds(rule, user=users, at=seconds, group=groups, cidr=st.sampled_from(("10.0.0.0/8", "0.0.0.0/0")))
requests_ = st.builds(
    request,
    ticket=st.sampled_from(("CHG-1", "CHG-2", "CHG-3")),
    user=users,
    group=groups,
    approved_by=st.sampled_from(((), ("carol",))),
)


@settings(max_examples=200)
@given(st.lists(records_, max_size=8), st.lists(requests_, max_size=4), st.randoms(use_true_random=False))
def test_each_change_is_in_one_class_and_the_order_of_input_does_not_matter(
    records: list[Record], requests: list[ChangeRequest], order: random.Random
):
    first = found(records, requests)
    shuffled, others = [*records, *records[:2]], list(requests)
    order.shuffle(shuffled)
    order.shuffle(others)
    assert found(shuffled, others).to_json() == first.to_json()
    assert sorted(one.record.event_id for one in first.changes) == sorted({one.event_id for one in records})
    for one in first.changes:
        (made,) = [each for each in records if each.event_id == one.record.event_id][:1]
        fits = [each for each in requests if each.approved_by and _fits(each, made)]
        assert (one.verdict is Verdict.APPROVED) == bool(fits)
        assert not one.urgent or one.verdict is not Verdict.APPROVED


def _fits(one: ChangeRequest, made: Record) -> bool:
    """Said anew, without the product's matching."""
    group, user = made.request["groupId"], made.identity.name
    return group in one.resources and one.principals[0].endswith(f"/{user}") and one.since <= made.time <= one.until


# --- reading requests ---------------------------------------------------------------------------------------------------------

TOLD = {"ticket": "CHG-1", "approved_by": ["carol", "dave"], "principals": ["arn:*"], "resources": ["sg-1"]}
JSON = json.dumps(TOLD | {"from": "2026-03-01T00:00:00Z", "until": "2026-03-02T00:00:00Z"})
CSV = """ticket,approved_by,principals,resources,from,until,title
CHG-1,carol; dave,arn:*,sg-1,2026-03-01T00:00:00Z,2026-03-02T00:00:00Z,
"""


def test_json_and_csv_say_the_same():
    assert read_text(JSON) == read_text(CSV) == read_text(f"\ufeff{CSV}") == read_text(f'{{"requests": [{JSON}]}}')
    assert read_text(CSV)[0].approved_by == ("carol", "dave")


def test_a_request_is_written_as_it_is_read():
    one = request(approved_at=NOON, operations=("Authorize*",), title="open ssh")
    assert read_requests(one.to_json()) == [one]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "it holds no request"),
        ("{", "it is not JSON"),
        ("[" * 100_000, "it is not JSON"),
        ("[]", "holds 0 requests"),
        ("[1]", "request 1 is no JSON object"),
        (JSON.replace("sg-1", ""), "request 1: resources: an empty"),
        (JSON.replace("2026-03-02T00:00:00Z", "2026-02-02T00:00:00Z"), "ends before it begins"),
        (JSON.replace("Z", ""), "from"),
        (JSON.replace('"ticket"', '"tikcet"'), "ticket"),
        (f"{CSV}a,b\n", "line 3"),
        (f"{CSV}a,b,c,d,e,f,g,h\n", "line 3 has more cells"),
        ('ticket,until\n"CHG', "line 1: unexpected end"),
    ],
)
def test_what_is_no_request_is_said_in_one_line(text: str, words: str):
    with pytest.raises(RequestError, match=words) as told:
        read_text(text)
    assert "\n" not in str(told.value)


def test_the_later_version_of_a_ticket_counts_whichever_comes_first():
    old, new = request(updated_at=NOON), request(updated_at=AFTER, approved_by=[])
    assert latest([old, new]) == latest([new, old]) == [new]
    assert latest([request(), request(title="again")]) == [request(title="again")]


# --- a table that people open in a spreadsheet --------------------------------------------------------------------------------


@given(st.text())
@example("=cmd|' /C calc'!A0")
@example(" @SUM(1)")
@example("\t=1")
def test_no_cell_begins_a_formula_and_nothing_of_it_is_lost(value: str):
    told = cell(value)
    assert not told.lstrip().startswith(("=", "+", "-", "@"))
    assert told in (value, f"'{value}")


def test_names_that_the_actor_chose_are_text_in_the_table():
    nasty = rule(user="=HYPERLINK(1)", group='=cmd|"x"')
    told = found([nasty], [request(ticket="@CHG", title="=1")], gaps=("=1+1",))
    rows = list(csv.reader(io.StringIO(to_csv(told))))
    assert {len(row) for row in rows} == {14}
    assert [row[0] for row in rows[1:]] == ["change", "request", "gap"]
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row)
