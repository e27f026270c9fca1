"""The comparison of the policies with the calls that the tests made."""

from __future__ import annotations

from incident.permissions import needed
from tests.policies_used import NOT_SEEN, differences

ALLOWED = frozenset().union(*needed().values())
EXCUSED = {action for some in NOT_SEEN.values() for action in some}


def test_it_names_what_no_call_needs():
    assert differences(ALLOWED - EXCUSED) == []
    assert differences(ALLOWED - EXCUSED - {"ec2:CreateRoute"}) == ["ec2:CreateRoute is allowed, and no call of the tests needs it"]


def test_it_names_a_reason_that_holds_no_more():
    assert differences(ALLOWED - EXCUSED | {"iam:PassRole"}) == ["iam:PassRole is in NOT_SEEN, and a call needs it: take it off"]
