"""The report's determinations, times, phases, recommendations and network, each from ledger lines and naming them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from examples import NOON
from told_incident import ACTOR_IP, AGENT, INCIDENT, Names, told, with_more

from incident.ledger import Kind
from incident.reports.attack import OPERATIONS, TACTICS, techniques
from incident.reports.backlog import STORIES, added, assigned, finished, items
from incident.reports.before_after import After, before_after
from incident.reports.case_file import CaseFile
from incident.reports.indicators import actor_addresses
from incident.reports.lifecycle import OUTCOMES, PHASES
from incident.reports.recommendations import Perspective, recommendations
from incident.reports.report import report
from incident.reports.sections import TITLES, remark_problem, sections
from incident.reports.story import Calls
from incident.reports.times import times

NAMES = Names()


@pytest.fixture(scope="module")
def lines():
    return told()


def claims(lines, name):
    return next(one for one in sections(CaseFile(lines)) if one.name == name).claims


def test_every_claim_names_a_record_or_a_line_that_is_in_the_ledger(lines):
    written = report(lines)
    every = [claim for section in written.sections for claim in section.claims] + [*written.happened, *written.did]
    assert len(every) > 20
    assert [claim.text for claim in every if not claim.line and not claim.records] == []
    shown = {moment.line for moment in written.timeline}
    assert {claim.line for claim in every if claim.line} <= shown, "a claim leads to a line that the page does not hold"


def test_intent_is_told_by_tactics_and_called_an_inference(lines):
    told_ = claims(lines, "intent")
    tactics = [claim.text.partition(":")[0] for claim in told_ if claim.inferred]
    assert tactics == sorted(tactics, key=TACTICS.index)
    assert {"Persistence", "Defense Evasion", "Discovery"} <= set(tactics)
    refused = next(claim for claim in told_ if "T1562.008" in claim.text)
    assert refused.text.endswith("all refused")
    assert refused.records == (f"StopLogging-120-{NAMES.user}",)


def test_what_no_technique_is_known_for_is_named_and_not_guessed():
    call = Calls(NOON, NOON, "FrobnicateVpc", "us-east-1", "1", "AKIA", ACTOR_IP, refused=False, changed=True, record="r")
    seen, unknown = techniques([call])
    assert (seen, unknown) == ([], {"FrobnicateVpc": 1})
    assert {technique.tactic for technique in OPERATIONS.values()} <= set(TACTICS)


def test_tools_are_the_finding_the_agents_and_the_addresses(lines):
    said = " | ".join(claim.text for claim in claims(lines, "tools"))
    assert AGENT in said
    assert f"address {ACTOR_IP}: 7 calls" in said
    assert "RunInstances" in said
    assert "UnauthorizedAccess:IAMUser/MaliciousIPCaller.Custom" in said


def test_what_no_evidence_tells_is_asked_until_somebody_answers_it_by_name(lines):
    assert all(one.is_open for one in sections(CaseFile(lines)))
    said = {"section": "intent", "text": "wanted the payments", "person": "alice", "at": "2026-03-01T14:00:00+00:00"}
    answered = sections(CaseFile(with_more(lines, (Kind.REMARK, "remark:1", said))))
    by_name = {one.name: one for one in answered}
    assert not by_name["intent"].is_open
    assert by_name["intent"].remarks[0].person == "alice"
    assert by_name["intent"].remarks[0].line == len(lines) + 1
    assert by_name["damage"].is_open


@pytest.mark.parametrize(("section", "text"), [("motive", "x"), ("intent", "  "), ("intent", "x" * 4001)])
def test_a_remark_that_cannot_stand_is_refused_in_one_sentence(section, text):
    assert remark_problem(section, text)
    assert not remark_problem("intent", "money")


def test_the_times_are_between_what_they_say(lines):
    spans = {span.name: span for span in times(CaseFile(lines))}
    received = NOON + timedelta(minutes=50)
    assert spans["detect"].took == timedelta(minutes=50)
    assert "DescribeVpcs" in spans["detect"].why
    contained = next(line.at for line in lines if line.kind == Kind.OUTCOME and line.body["phase"] == "contain")
    assert spans["contain"].took == contained - received
    assert spans["eradicate"].took is None
    assert spans["restore"].took is not None
    assert spans["contain"].took < spans["restore"].took


def test_a_time_is_not_reached_while_one_of_its_steps_failed(lines):
    failed = next(line for line in reversed(lines) if line.kind == Kind.OUTCOME)
    more = with_more(lines, (Kind.OUTCOME, "outcome:again", {**failed.body, "result": "failed"}))
    span = next(span for span in times(CaseFile(more)) if span.name == "restore")
    assert span.took is None
    assert span.why.endswith(": failed")
    assert span.line == len(more)


def test_a_containment_that_the_proof_denies_was_not_reached(lines):
    proof = next(line for line in lines if line.kind == Kind.PROOF)
    more = with_more(lines, (Kind.PROOF, "proof:2", {**proof.body, "contained": False}))
    assert next(span for span in times(CaseFile(more)) if span.name == "contain").took is None


def test_each_phase_has_its_place_in_the_lifecycle_and_known_outcomes(lines):
    stages = {one.name: one for one in report(lines).stages}
    assert stages["contain"].outcomes == ("RS.MI-01",)
    assert stages["detect"].phase == "Detection and analysis"
    assert stages["people decide"].phase == "Containment, eradication, recovery"
    assert {id_ for _, ids in PHASES.values() for id_ in ids} <= OUTCOMES.keys()


def test_every_phase_of_the_response_is_placed():
    import re
    from pathlib import Path

    import flows

    sources = (file.read_text() for file in Path(flows.__path__[0]).glob("*.py"))
    names = {name for source in sources for name in re.findall(r'@once\("([a-z-]+)"\)', source)}
    assert len(names) > 10
    assert {name for name in names if name not in PHASES and not name.startswith("hold-")} == set()


def test_recommendations_come_from_what_happened_and_only_from_that():
    quiet = {one.id for one in recommendations(CaseFile(told()))}
    loud = {one.id for one in recommendations(CaseFile(told(proved=False)))}
    assert {"long-term-key", "no-second-factor", "new-identities", "opened-to-the-world", "slow-to-detect", "prior-state"} <= quiet
    assert loud - quiet == {"unread-regions", "flow-logs", "lost-evidence"}
    assert "logs-stopped" not in quiet, "stopping the trail was refused"
    assert recommendations(CaseFile(told()[:2])) == ()


def test_each_recommendation_has_a_perspective_and_the_line_that_asks_for_it(lines):
    found = recommendations(CaseFile(lines))
    assert {one.perspective for one in found} == set(Perspective)
    assert all(lines[one.line - 1].position == one.line for one in found)


def test_the_network_is_told_before_attacked_and_after(lines):
    rows = {row.key.resource: row for row in before_after(CaseFile(lines))}
    rule, route, vpc = rows[NAMES.group], rows[NAMES.table], rows[NAMES.vpc]
    assert (rule.before, rule.after, rule.state, rule.exposes) == ("absent", "absent", After.AS_BEFORE, True)
    assert NAMES.group_name in rule.attacked
    assert (route.after, route.state) == (route.before, After.AS_BEFORE)
    assert (vpc.before, vpc.state) == ("not known", After.LEFT)
    assert NAMES.key not in rows, "an access key is no setting of the network"


def test_a_setting_whose_step_failed_still_stands_as_attacked(lines):
    failed = next(line for line in reversed(lines) if line.kind == Kind.OUTCOME)
    more = with_more(lines, (Kind.OUTCOME, "outcome:again", {**failed.body, "result": "failed"}))
    row = next(row for row in before_after(CaseFile(more)) if row.key.resource == NAMES.table)
    assert (row.state, row.after) == (After.NOT_BACK, row.attacked)


def test_a_backlog_item_is_added_once_given_to_an_owner_and_done(lines):
    body = added("Log every VPC", "detective", "alice")
    id_ = body["item"]
    more = with_more(
        lines,
        (Kind.BACKLOG, "backlog:1", dict(body)),
        (Kind.BACKLOG, "backlog:2", dict(added("log every vpc ", "detective", "bob"))),
        (Kind.BACKLOG, "backlog:3", dict(assigned(id_, "bob", "2026-04-01", "alice"))),
    )
    (item,) = items(more)
    assert (item.owner, item.due, item.state, item.added_by) == ("bob", "2026-04-01", "open", "alice")
    (item,) = items(with_more(more, (Kind.BACKLOG, "backlog:4", dict(finished(id_, "in all accounts", "bob")))))
    assert item.state == "done: in all accounts"
    assert len(STORIES) == 4


def test_what_the_backlog_has_taken_up_is_not_proposed_again(lines):
    written = report(lines)
    first = written.proposed[0]
    taken = report(with_more(lines, (Kind.BACKLOG, "b:1", dict(added(first.text, first.perspective, "alice")))))
    assert [one.id for one in taken.proposed] == [one.id for one in written.proposed[1:]]
    assert taken.recommendations == written.recommendations


def test_the_manifests_digest_tells_a_changed_item_and_not_the_order(lines):
    digest = report(lines).manifest
    item = {"item": "x/y", "about": "", "bytes": 1, "sha256": "b" * 64}
    one = with_more(lines, (Kind.EVIDENCE, "evidence:x/y", item))
    other = with_more(lines, (Kind.EVIDENCE, "evidence:x/y", {**item, "sha256": "c" * 64}))
    assert len({digest, report(one).manifest, report(other).manifest}) == 3


def test_an_older_ledger_still_makes_a_report():
    older = [line for line in told() if not line.key.startswith(("calls:", "means:"))]
    written = report(older)
    assert written.times[0].took is None
    assert set(TITLES) == {section.name for section in written.sections}
    assert written.incident == INCIDENT


def test_the_actors_addresses_are_those_of_every_credential_and_none_that_is_ours(lines):
    kept = next(line for line in lines if line.key == "calls:1").body["calls"]
    others = [{**kept[0], "address": address} for address in ("198.51.100.23", NAMES.owner_ip, "10.1.2.3", "AWS Internal")]
    more = with_more(lines, (Kind.NOTE, "calls:2", {"look": 2, "calls": [*kept, *others]}))
    assert actor_addresses(more) == ["198.51.100.23", ACTOR_IP]


def test_a_decision_says_what_was_decided(lines):
    assert [one["plan"] for one in report(lines).decisions] == ["Contain the actor", "Remove and restore"]
