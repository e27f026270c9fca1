"""What was made again has a new id, and everything that names the old one follows."""

from __future__ import annotations

from examples import record, setting
from hypothesis import given
from hypothesis import strategies as st

from incident.new_ids import reversal_with_new_ids
from incident.settings import UNKNOWN, Reversal, Source

GATEWAY, TABLE, GROUP = "igw-05e4de0bf58bd94bf", "rtb-0eb3cdd51f4321016", "sg-0f2fc446f4fd3261b"
RENAMED = {old: old.replace("-0", "-1") for old in (GATEWAY, TABLE, GROUP)}
IDS = st.sampled_from([*RENAMED, "subnet-0cb0d4b389d35eb4c"])
VALUES = st.recursive(st.none() | st.integers() | IDS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


def reversal(**more):
    found = {"key": setting("route", TABLE), "target": None, "source": Source.RECORD, "written": None, "by_actor": (record("X"),)}
    return Reversal(**{**found, **more})


def test_a_route_of_a_table_that_was_made_again_leads_to_the_gateway_that_was():
    key = setting("route", TABLE)._replace(name="0.0.0.0/0")
    found = reversal_with_new_ids(reversal(key=key, target={"GatewayId": GATEWAY}), RENAMED)
    assert found.key == key._replace(resource=RENAMED[TABLE])
    assert found.target == {"GatewayId": RENAMED[GATEWAY]}


def test_a_rule_is_named_by_the_group_that_it_lets_in():
    key = setting("security-group-rule", "sg-0c5195a27ba303002")._replace(name=f"ingress tcp 5432-5432 {GROUP}")
    assert reversal_with_new_ids(reversal(key=key), RENAMED).key.name == f"ingress tcp 5432-5432 {RENAMED[GROUP]}"


def test_what_is_not_known_stays_so():
    found = reversal_with_new_ids(reversal(target=UNKNOWN, written=UNKNOWN), RENAMED)
    assert (found.target, found.written) == (UNKNOWN, UNKNOWN)


@given(VALUES)
def test_no_old_id_is_left_and_the_way_back_is_exact(value):
    back = {new: old for old, new in RENAMED.items()}
    there = reversal_with_new_ids(reversal(target=value), RENAMED)
    assert not any(old in repr(there.target) for old in RENAMED)
    assert reversal_with_new_ids(there, back).target == value
