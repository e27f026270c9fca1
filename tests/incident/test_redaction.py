"""Nothing of ours reaches outsiders, wherever a name stands; what is the actor's does."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html import unescape

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from told_incident import ACTOR_IP, AGENT, INCIDENT, Names, answered, told, with_more

from incident.ledger import Kind
from incident.reports.backlog import added
from incident.reports.indicators import indicators, own_addresses
from incident.reports.redaction import free_text, pseudonyms, redacted
from incident.reports.report import Report, report
from incident.reports.report_json import report_json
from incident.reports.report_table import report_csv
from tasks import render
from tasks.stix import bundle

_HEX = st.text("0123456789abcdef", min_size=17, max_size=17)
# No word of ours begins so: what is found in a page is then the name and nothing else.
_NAME = (
    st.text("abcXYZ019_.-+=@ßéЖ漢", min_size=3, max_size=14).map(lambda text: f"Qz{text}7").filter(lambda text: ".." not in text)
)
_OWN = st.integers(1, 254)


@st.composite
def names(draw: st.DrawFn) -> Names:
    account = draw(st.integers(10**11, 10**12 - 1).map(str))
    users = draw(st.lists(_NAME, min_size=5, max_size=5, unique_by=str.casefold))
    keys = draw(st.lists(st.text("ABCDEFGHJKLMNPQRSTUVWXYZ234567", min_size=16, max_size=16), min_size=2, max_size=2, unique=True))
    hexes = draw(st.lists(_HEX, min_size=3, max_size=3, unique=True))
    user, made, alice, bob, group = users
    return Names(
        account=account,
        user=user,
        made_user=made,
        person=alice,
        other=bob,
        key=f"AKIA{keys[0]}",
        made_key=f"AKIA{keys[1]}",
        group=f"sg-{hexes[0]}",
        group_name=group,
        table=f"rtb-{hexes[1]}",
        vpc=f"vpc-{hexes[2]}",
        address=f"192.0.2.{draw(_OWN)}",
        private=f"10.20.30.{draw(_OWN)}",
        owner_ip=f"203.0.113.{draw(_OWN)}",
        title=f"{user} of {account} was used by {made}@example.org, see {alice}…",
        reason=f"as {bob} said of {group}: arn:aws:iam::{account}:role/x/{made}",
    )


def forms(lines) -> dict[str, str]:
    """Every form in which a report leaves, as a reader sees it."""
    written: Report = replace(report(lines), redacted=True)
    return {
        "html": unescape(render.html(written)),
        "md": unescape(render.text(written)),
        "json": json.dumps(json.loads(report_json(written)), ensure_ascii=False),
        "csv": report_csv(written),
        "stix": json.dumps(json.loads(bundle(indicators(lines, outsiders=True))), ensure_ascii=False),
    }


def survivors(own: Names, pages: dict[str, str]) -> list[tuple[str, str]]:
    """Whole identifiers only: an address may begin another one, and a picture's measure hold an account's digits."""
    numbers = (own.address, own.private, own.owner_ip, own.account)
    ends = {one: rf"(?<![\d.]){re.escape(one)}(?!\d)" for one in numbers}
    patterns = {one: re.compile(ends.get(one, re.escape(one)), re.IGNORECASE) for one in own.all}
    return [(form, one) for form, page in pages.items() for one, pattern in patterns.items() if pattern.search(page)]


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow], phases=[Phase.reuse, Phase.generate])
@given(names(), st.booleans())
def test_no_identifier_of_ours_survives_in_any_form_and_the_actors_indicators_do(own, proved):
    lines = answered(told(own, proved=proved), person=own.person)
    lines = with_more(lines, (Kind.BACKLOG, "b:1", dict(added(f"Take {own.key} from {own.user.upper()}", "preventive", own.other))))
    pages = forms(redacted(lines))
    assert survivors(own, pages) == []
    assert all(ACTOR_IP in page for page in pages.values())
    assert all(AGENT in page for page in pages.values())


def test_the_same_lines_unredacted_hold_all_of_them():
    own = Names()
    pages = forms(told(own))
    assert {one for form, one in survivors(own, pages) if form == "html"} == set(own.all)


def test_a_pseudonym_is_the_same_everywhere_and_keeps_its_number_as_the_ledger_grows():
    lines = answered(told())
    early, late = pseudonyms(lines[:12]).known, pseudonyms(lines).known
    assert early.items() <= late.items()
    assert len(set(late.values())) == len(late)
    user = late[Names().user]
    pages = forms(redacted(lines))
    assert all(user in pages[form] for form in ("html", "md", "json", "csv"))


def test_the_redacted_report_says_as_much_as_the_true_one():
    true, told_ = report(told()), report(redacted(told()))
    assert [span.took for span in told_.times] == [span.took for span in true.times]
    assert [(one.phase, one.result) for one in told_.done] == [(one.phase, one.result) for one in true.done]
    assert [row.state for row in told_.changed] == [row.state for row in true.changed]
    assert [len(section.claims) for section in told_.sections] == [len(section.claims) for section in true.sections]
    assert {done.before for done in told_.done} != {"absent"}, "the steps are found by the plan's true digest"
    assert told_.head == true.head


@pytest.mark.parametrize("name", ["restore", "security", "phase", "ab", "the", "alice (ops)", "a.*b", "ı-user", "kind"])
def test_a_name_that_is_a_word_of_ours_breaks_no_report(name):
    written = report(redacted(told(Names(user=name, group_name=name, person=name))))
    assert written.status == "restored"
    assert render.html(written)


def test_a_time_of_day_is_no_address_and_the_whole_internet_is_nobodys():
    lines = with_more(
        told(), (Kind.REMARK, "r", {"section": "intent", "text": "at 12:00:00 UTC on 0.0.0.0/0", "person": "x", "at": ""})
    )
    assert redacted(lines)[-1].body["text"] == "at 12:00:00 UTC on 0.0.0.0/0"


def test_an_address_that_is_also_ours_is_not_given_away():
    own = Names(owner_ip=ACTOR_IP)
    assert ACTOR_IP in own_addresses(told(own))
    pages = forms(redacted(told(own)))
    assert all(ACTOR_IP not in page for page in pages.values())


def test_what_people_wrote_is_counted_so_that_somebody_reads_it():
    assert free_text(told()) == 2
    assert free_text(answered(told())) == 7


def test_outsiders_get_no_access_key_for_the_account_can_be_computed_from_it():
    kinds = {one.kind for one in indicators(told()).indicators}
    outside = {one.kind for one in indicators(told(), outsiders=True).indicators}
    assert kinds - outside == {"access-key"}
    assert indicators(told()).incident == INCIDENT
