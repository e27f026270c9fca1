"""The attributes of LookupEvents, on records from sources that cannot filter by them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.lookup import is_management, matches, names, spelled, user_name

ROLE = "arn:aws:sts::111122223333:assumed-role/Deploy/build-7"
RECORD = {
    "eventID": "e-1",
    "eventName": "RunInstances",
    "eventSource": "ec2.amazonaws.com",
    "readOnly": False,
    "userIdentity": {"type": "AssumedRole", "arn": ROLE, "accessKeyId": "ASIAONE"},
    "requestParameters": {
        "subnetId": "subnet-1",
        "groupSet": {"items": [{"groupId": "sg-1"}, {"groupId": "sg-2"}]},
        "iamInstanceProfile": {"arn": "arn:aws:iam::111122223333:instance-profile/team/web"},
    },
    "responseElements": {"instancesSet": {"items": [{"instanceId": "i-1"}]}},
    "resources": [{"ARN": "arn:aws:s3:::bucket", "type": "AWS::S3::Bucket"}],
}


@pytest.mark.parametrize(
    ("attribute", "value", "found"),
    [
        ("AccessKeyId", "ASIAONE", True),
        ("AccessKeyId", "ASIAON", False),
        ("EventId", "e-1", True),
        ("EventName", "RunInstances", True),
        ("EventSource", "ec2.amazonaws.com", True),
        ("EventSource", "ec2", False),
        ("ReadOnly", "false", True),
        ("ReadOnly", "true", False),
        ("Username", "build-7", True),
        ("Username", "Deploy", False),
        ("ResourceName", "subnet-1", True),
        ("ResourceName", "sg-2", True),
        ("ResourceName", "i-1", True),
        ("ResourceName", "web", True),
        ("ResourceName", "arn:aws:iam::111122223333:instance-profile/team/web", True),
        ("ResourceName", "bucket", True),
        ("ResourceName", "sg-", False),
        ("ResourceName", "groupId", False),
        ("ResourceName", "ASIAONE", False),
    ],
)
def test_a_record_answers_for_its_own_values(attribute, value, found):
    assert matches(RECORD, attribute, value) is found


def test_an_attribute_that_cloudtrail_does_not_know_is_an_error():
    with pytest.raises(KeyError):
        matches(RECORD, "SourceIp", "198.51.100.7")


@pytest.mark.parametrize(
    ("identity", "name"),
    [
        ({"type": "Root", "arn": "arn:aws:iam::111122223333:root", "userName": "alias"}, "root"),
        ({"type": "IAMUser", "userName": "mallory", "arn": "arn:aws:iam::111122223333:user/team/mallory"}, "mallory"),
        ({"type": "AssumedRole", "arn": ROLE}, "build-7"),
        ({"type": "AWSService", "invokedBy": "autoscaling.amazonaws.com"}, ""),
        (None, ""),
        ("no identity", ""),
    ],
)
def test_the_user_name_is_the_users_roots_or_the_sessions(identity, name):
    assert user_name({"userIdentity": identity}) == name


def test_an_old_record_that_does_not_say_is_a_management_event():
    assert is_management({})
    assert not is_management({"managementEvent": False})
    assert not is_management({"eventCategory": "NetworkActivity", "managementEvent": True})


def test_a_record_of_any_depth_is_walked():
    deep: object = "sg-deep"
    for _ in range(100_000):
        deep = [deep]
    assert "sg-deep" in list(names({"requestParameters": deep}))


JSON_TEXT = st.text(min_size=1, max_size=40)


@given(value=JSON_TEXT, attribute=st.sampled_from(["AccessKeyId", "EventId", "EventName", "EventSource", "ResourceName"]))
def test_what_is_looked_for_in_the_text_stands_in_it_however_json_escapes(value, attribute):
    record = {
        "eventID": value,
        "eventName": value,
        "eventSource": value,
        "userIdentity": {"accessKeyId": value},
        "responseElements": {"role": f"arn:aws:iam::1:role/{value}"},
    }
    assert matches(record, attribute, value) or attribute == "ResourceName"
    plain, loose = json.dumps(record), json.dumps(record, ensure_ascii=False)
    careful = (
        plain.replace("/", "\\/").replace("<", "\\u003c").replace("&", "\\u0026").replace("'", "\\u0027").replace("=", "\\u003d")
    )
    assert all(spelled(attribute, value) in text for text in (plain, loose, careful))


@pytest.mark.parametrize("attribute", ["ReadOnly", "Username"])
def test_a_value_that_no_record_spells_out_is_not_looked_for(attribute):
    assert spelled(attribute, "root") == ""
