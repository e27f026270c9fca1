"""Facts that die with a resource, kept from the range: before anything else, once, and with every gap named."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile
from datetime import UTC, datetime
from types import SimpleNamespace

import httpx
import pytest
from direct import client

from drill.aws.config import RangeConfig
from drill.aws.range import Range
from drill.client import boto_client
from gateway.practice.configuration import granted_to
from incident.actor import Actor, Credential, Foothold, Link
from incident.collection import Kept, beyond_snapshots, not_kept, resting_on_evidence
from incident.plan import Phase, Plan, PlannedCall, Step
from incident.settings import UNKNOWN, Reversal, SettingKey, Source
from incident.volatile import Of, Subject, code_item, items_of, rests_on, subjects
from tasks import volatile, work
from tasks.evidence import EvidenceStore
from tasks.volatile import Collector, fetched

ACCOUNT, REGION, INCIDENT = "111122223333", "us-east-1", "inc-1"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECRET = "DB_PASSWORD=correct-horse"
TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]}
LETS_ALL = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})


@pytest.fixture(scope="module")
def aws():
    with Range(RangeConfig(accounts=(ACCOUNT,), regions=(REGION,), granted=granted_to([ACCOUNT]))) as aws:
        yield aws


@pytest.fixture(scope="module")
def made(aws) -> dict[str, str]:
    """An instance with user data, a function, a user and a role."""
    keys = aws.bootstrap()
    ec2, iam, functions = (boto_client(aws.url, service, REGION, keys) for service in ("ec2", "iam", "lambda"))
    image = ec2.describe_images()["Images"][0]["ImageId"]
    started = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceType="t3.micro", UserData=f"#!/bin/sh\n{SECRET}\n")
    iam.create_user(UserName="mallory@example.org")
    iam.put_user_policy(UserName="mallory@example.org", PolicyName="all", PolicyDocument=LETS_ALL)
    iam.create_access_key(UserName="mallory@example.org")
    role = iam.create_role(RoleName="jobs", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]
    iam.put_role_policy(RoleName="jobs", PolicyName="all", PolicyDocument=LETS_ALL)
    code = {"ZipFile": packed()}
    functions.create_function(FunctionName="beacon", Runtime="python3.12", Role=role["Arn"], Handler="a.b", Code=code)
    return {"instance": started["Instances"][0]["InstanceId"]}


def packed() -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as file:
        file.writestr(zipfile.ZipInfo("a.py", (2026, 1, 1, 0, 0, 0)), "def b(event, context): ...\n")
    return held.getvalue()


@pytest.fixture
def store(ledger, tmp_path) -> EvidenceStore:
    return EvidenceStore(tmp_path / "evidence", ledger)


@pytest.fixture
def collector(aws, store, monkeypatch) -> Collector:
    keys = aws.responder()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys.secret)
    monkeypatch.setenv("AWS_SESSION_TOKEN", keys.token)
    return Collector(client(aws), store, lambda: NOW)


def of_instance(made: dict[str, str]) -> Subject:
    return Subject(Of.INSTANCE, ACCOUNT, REGION, made["instance"])


# ---- instances ---------------------------------------------------------------------------------------------------------


def test_everything_that_dies_with_an_instance_is_kept_with_who_asked_and_when(collector, store, made):
    one = of_instance(made)
    collector.collect(INCIDENT, one)
    assert [item["item"].rpartition("/")[2] for item in store.manifest(INCIDENT)] == [
        "screenshot.json",
        "console-output.json",
        "user-data.json",
        "instance.json",
        "interfaces.json",
        "security-groups.json",
        "volumes.json",
        "profile.json",
    ]
    assert store.gaps(INCIDENT) == {}
    assert store.verify(INCIDENT) == []
    console = store.load_json(INCIDENT, f"instances/{REGION}/{made['instance']}/console-output.json")
    assert "Linux" in console["answers"][0]["Output"]
    assert console["at"] == NOW.isoformat()
    assert console["by"].endswith("CountermandResponder")
    assert console["asked"][0]["parameters"] == {"InstanceId": made["instance"], "Latest": True}
    groups = store.load_json(INCIDENT, f"{one.folder}/security-groups.json")
    assert any("SecurityGroups" in answer for answer in groups["answers"])


def test_secrets_in_user_data_are_evidence_and_stand_nowhere_else(collector, store, ledger, made, caplog):
    one = of_instance(made)
    with caplog.at_level("DEBUG"):
        collector.collect(INCIDENT, one)
    kept = store.load_json(INCIDENT, f"{one.folder}/user-data.json")["answers"][0]["UserData"]["Value"]
    assert SECRET in base64.b64decode(kept).decode()
    written = json.dumps([dict(line.body) for line in ledger.lines(INCIDENT)], default=str)
    tracked = [record.getMessage() for record in caplog.records if record.name.startswith(("tasks", "incident", "flows"))]
    assert SECRET not in written
    assert kept not in written
    assert not any(SECRET in line or kept in line for line in tracked)


def test_facts_are_kept_once_however_often_the_phase_starts(collector, store, made):
    collector.collect(INCIDENT, of_instance(made))
    before = store.manifest(INCIDENT)
    collector.collect(INCIDENT, of_instance(made))
    assert store.manifest(INCIDENT) == before


def test_a_read_that_fails_is_a_gap_and_stops_nothing(collector, store, made, aws):
    one = of_instance(made)
    boto_client(aws.url, "ec2", REGION, aws.bootstrap()).stop_instances(InstanceIds=[made["instance"]])
    try:
        collector.collect(INCIDENT, one)
    finally:
        boto_client(aws.url, "ec2", REGION, aws.bootstrap()).start_instances(InstanceIds=[made["instance"]])
    assert list(store.gaps(INCIDENT)) == [f"{one.folder}/screenshot.json"]
    assert "IncorrectState" in store.gaps(INCIDENT)[f"{one.folder}/screenshot.json"]
    assert len(store.manifest(INCIDENT)) == len(items_of(one)) - 1


def test_the_console_of_an_older_instance_is_asked_for_without_the_latest(collector, store, made, monkeypatch):
    real = collector._answers

    def answers(scope, read):
        if read.parameters.get("Latest"):
            raise volatile.AwsError(read.operation, "UnsupportedOperation", "not on this hypervisor")
        return real(scope, read)

    monkeypatch.setattr(collector, "_answers", answers)
    collector.collect(INCIDENT, of_instance(made))
    console = store.load_json(INCIDENT, f"{of_instance(made).folder}/console-output.json")
    assert console["asked"][0]["parameters"] == {"InstanceId": made["instance"]}


# ---- functions ---------------------------------------------------------------------------------------------------------

BEACON = Subject(Of.FUNCTION, ACCOUNT, REGION, "beacon")


def test_a_functions_configuration_is_kept_without_the_link_to_its_code(collector, store, made):
    collector.collect(INCIDENT, BEACON)
    kept = store.load_json(INCIDENT, f"functions/{REGION}/beacon/function.json")["answers"][0]
    assert kept["Configuration"]["FunctionName"] == "beacon"
    assert kept["Code"]["Location"].startswith("left out")
    assert store.gaps(INCIDENT) == {code_item(BEACON): "it could not be fetched: the practice range does not serve it"}


def test_a_functions_code_is_fetched_and_its_hash_compared(collector, store, made, monkeypatch):
    monkeypatch.setattr(collector, "_fetch", lambda link: packed())
    collector.collect(INCIDENT, BEACON)
    item = next(item for item in store.manifest(INCIDENT) if item["item"] == code_item(BEACON))
    assert item["sha256"] == hashlib.sha256(packed()).hexdigest()
    assert item["about"] == "code of function beacon"
    monkeypatch.setattr(collector, "_fetch", lambda link: b"other")
    collector.collect("inc-2", BEACON)
    assert "not the CodeSha256" in next(item["about"] for item in store.manifest("inc-2") if item["item"] == code_item(BEACON))


def test_a_link_that_fails_is_a_gap_that_does_not_name_the_link(collector, store, made, monkeypatch):
    def refused(link):
        raise httpx.ConnectError(f"cannot reach {link}?X-Amz-Signature=abc")

    monkeypatch.setattr(collector, "_fetch", refused)
    collector.collect(INCIDENT, BEACON)
    assert store.gaps(INCIDENT) == {code_item(BEACON): "it could not be fetched: ConnectError"}


def test_code_is_fetched_over_https_and_only_up_to_a_size(monkeypatch):
    served = httpx.Client(transport=httpx.MockTransport(lambda request: httpx.Response(200, content=b"x" * 50)))
    monkeypatch.setattr(httpx, "stream", lambda method, link, timeout: served.stream(method, link))
    assert fetched("https://example.org/code") == b"x" * 50
    monkeypatch.setattr(volatile, "MOST_CODE_BYTES", 10)
    with pytest.raises(ValueError, match="more than 10 bytes"):
        fetched("https://example.org/code")
    with pytest.raises(ValueError, match="no HTTPS link"):
        fetched("http://169.254.169.254/latest/meta-data")


# ---- identities and networks -------------------------------------------------------------------------------------------


def test_a_user_is_kept_with_documents_and_when_each_key_was_used(collector, store, made):
    collector.collect(INCIDENT, Subject(Of.USER, ACCOUNT, "global", "mallory@example.org"))
    folder = f"identities/{ACCOUNT}/users/mallory%40example.org"
    assert store.load_json(INCIDENT, f"{folder}/policies.json")["answers"][1]["PolicyName"] == "all"
    assert "AccessKeyLastUsed" in store.load_json(INCIDENT, f"{folder}/access-keys.json")["answers"][1]
    assert store.gaps(INCIDENT) == {}


def test_a_role_is_kept_and_one_that_is_gone_is_a_gap(collector, store, made):
    collector.collect(INCIDENT, Subject(Of.ROLE, ACCOUNT, "global", "jobs"))
    assert store.load_json(INCIDENT, f"identities/{ACCOUNT}/roles/jobs/policies.json")["answers"][1]["PolicyName"] == "all"
    gone = Subject(Of.ROLE, ACCOUNT, "global", "gone")
    collector.collect(INCIDENT, gone)
    assert set(store.gaps(INCIDENT)) == set(items_of(gone))


def test_a_group_is_kept_with_every_version_of_what_is_attached_save_awss_own(aws, collector, store):
    iam = boto_client(aws.url, "iam", REGION, aws.bootstrap())
    iam.create_group(GroupName="ops")
    arn = iam.create_policy(PolicyName="quiet", PolicyDocument=LETS_ALL)["Policy"]["Arn"]
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=LETS_ALL.replace("Allow", "Deny"), SetAsDefault=True)
    for attached in (arn, "arn:aws:iam::aws:policy/AdministratorAccess"):
        iam.attach_group_policy(GroupName="ops", PolicyArn=attached)
    collector.collect(INCIDENT, Subject(Of.GROUP, ACCOUNT, "global", "ops"))
    kept = store.load_json(INCIDENT, f"identities/{ACCOUNT}/groups/ops/versions.json")
    effects = {
        one["PolicyVersion"]["VersionId"]: one["PolicyVersion"]["Document"]["Statement"][0]["Effect"]
        for one in kept["answers"]
        if "PolicyVersion" in one
    }
    assert effects == {"v1": "Allow", "v2": "Deny"}
    assert {one["parameters"].get("PolicyArn", arn) for one in kept["asked"]} == {arn}
    assert store.gaps(INCIDENT) == {}


def test_a_managed_policy_is_kept_in_every_version_with_those_who_have_it(aws, collector, store):
    iam = boto_client(aws.url, "iam", REGION, aws.bootstrap())
    arn = iam.create_policy(PolicyName="loud", PolicyDocument=LETS_ALL)["Policy"]["Arn"]
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=LETS_ALL.replace("Allow", "Deny"), SetAsDefault=False)
    iam.attach_user_policy(UserName="mallory@example.org", PolicyArn=arn)
    one = Subject(Of.POLICY, ACCOUNT, "global", arn)
    collector.collect(INCIDENT, one)
    versions = store.load_json(INCIDENT, f"{one.folder}/versions.json")["answers"]
    assert {found["PolicyVersion"]["VersionId"] for found in versions if "PolicyVersion" in found} == {"v1", "v2"}
    holders = store.load_json(INCIDENT, f"{one.folder}/attached-to.json")["answers"]
    assert [user["UserName"] for user in holders[0]["PolicyUsers"]] == ["mallory@example.org"]
    assert store.gaps(INCIDENT) == {}


def test_the_deletion_of_what_an_identity_holds_rests_on_the_identity_and_that_is_kept():
    held = [
        setting("access-key", "AKIA9", "global")._replace(name="planted"),
        setting("attached-role-policy", "jobs", "global")._replace(name="arn:aws:iam::111122223333:policy/quiet"),
        setting("group-policy", "ops", "global")._replace(name="all"),
        setting("managed-policy", "arn:aws:iam::111122223333:policy/loud", "global"),
        setting("managed-policy-version", "arn:aws:iam::111122223333:policy/loud", "global")._replace(name="0123456789ab"),
    ]
    written = [Reversal(key, None, Source.RECORD, UNKNOWN, ()) for key in held]
    found = {name for one in subjects((), written, Actor({})) for name in items_of(one)}
    for key in held:
        assert rests_on(key)
        assert set(rests_on(key)) <= found


def test_where_flow_logs_go_is_kept_for_each_region(collector, store, made):
    collector.collect(INCIDENT, Subject(Of.NETWORK, ACCOUNT, REGION))
    assert "FlowLogs" in store.load_json(INCIDENT, f"flow-logs/{ACCOUNT}/{REGION}.json")["answers"][0]


# ---- of what, and what rests on it -------------------------------------------------------------------------------------


def setting(kind: str, resource: str, region: str = REGION) -> SettingKey:
    return SettingKey(ACCOUNT, region, kind, resource)


def test_facts_are_kept_of_what_the_actor_made_or_used():
    keys = [setting("function-code", "beacon"), setting("user", "planted", "global"), setting("role", "jobs", "global")]
    written = [Reversal(key, UNKNOWN, Source.NOTHING, UNKNOWN, ()) for key in keys]
    stolen = Credential("AKIA1", "mallory", "user", Link.PROVED, "the finding names it", "", ACCOUNT)
    session = Credential("ASIA1", f"arn:aws:iam::{ACCOUNT}:role/deploy", "role", Link.PROVED, "assumed", "r1", ACCOUNT)
    other = Credential("AKIA2", "alice", "user", Link.SUSPECTED, "from their address", "r2", ACCOUNT)
    held = Foothold("session", ACCOUNT, "web", "i-1", NOW, Link.PROVED, "its instance", "r3")
    actor = Actor({one.access_key: one for one in (stolen, session, other)}, footholds=(held,))
    found = {(one.of.value, one.name) for one in subjects([setting("instance", "i-9")], written, actor)}
    assert found == {
        ("instances", "i-9"),
        ("functions", "beacon"),
        ("users", "planted"),
        ("users", "mallory"),
        ("roles", "jobs"),
        ("roles", "deploy"),
        ("roles", "web"),
        ("flow-logs", ""),
    }


def test_what_no_snapshot_holds_is_told_before_anybody_approves():
    bare, nvme, dark, plain = (setting("instance", f"i-{number}") for number in range(4))
    volumes = {bare: (), nvme: ("vol-1",), dark: ("vol-2",), plain: ("vol-3",)}
    told = beyond_snapshots(volumes, {bare: 0, nvme: 75, dark: None, plain: 0})
    assert [one.what for one in told] == [
        f"instance i-0 ({REGION}) has no EBS volume",
        f"instance i-1 ({REGION}) has 75 GB of instance store",
        f"instance i-2 ({REGION}) may have an instance store",
    ]
    assert {one.status for one in told} == {"no-evidence"}


def test_the_range_says_which_types_have_an_instance_store(collector, monkeypatch):
    monkeypatch.setattr(work, "hands", lambda: SimpleNamespace(aws=collector._aws))
    sizes = {named: work._store(setting("instance", "i-1"), named) for named in ("m5d.large", "t3.micro", "no.such")}
    assert sizes == {"m5d.large": 75, "t3.micro": 0, "no.such": None}


def deletion(key: SettingKey) -> Step:
    call = PlannedCall(service="ec2", operation="TerminateInstances", parameters={}, permissions=())
    return Step(id=f"step-{key.resource}", phase=Phase.ERADICATE, title="gone", key=key, expects={}, leaves=None, calls=(call,))


def test_a_deletion_rests_on_every_fact_less_the_gaps_which_people_are_told():
    instance = setting("instance", "i-1")
    items = rests_on(instance)
    gap = next(name for name in items if name.endswith("screenshot.json"))
    kept = Kept(frozenset(items) - {gap}, {gap: "UnauthorizedOperation"})
    group = setting("auto-scaling-group", "autoScalingGroupName/web")
    steps = (deletion(instance), deletion(group), deletion(setting("key-pair", "k")))
    nothing = Plan(incident=INCIDENT, title="evidence", steps=())
    one, all_of_them, other = resting_on_evidence(steps, nothing, kept)
    assert set(one.evidence) == set(items) - {gap}
    assert set(all_of_them.evidence) == set(items) - {gap}
    assert other.evidence == ()
    (told,) = not_kept(steps, kept)
    assert told.status == "no-evidence"
    assert "screenshot.json" in told.what
    assert told.why == "UnauthorizedOperation"


def test_a_buckets_inventory_is_kept_before_its_deletion(aws, collector, store):
    s3 = boto_client(aws.url, "s3", REGION, aws.bootstrap())
    s3.create_bucket(Bucket="theirs")
    s3.put_bucket_versioning(Bucket="theirs", VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket="theirs", Key="loot", Body=b"1")
    s3.delete_object(Bucket="theirs", Key="loot")
    key = SettingKey(ACCOUNT, REGION, "bucket", "theirs")
    collector.collect(INCIDENT, Subject(Of.BUCKET, ACCOUNT, REGION, "theirs"))
    (told,) = store.load_json(INCIDENT, "buckets/us-east-1/theirs/inventory.json")["answers"]
    assert (told["Versions"][0]["Key"], len(told["DeleteMarkers"])) == ("loot", 1)
    assert told["Versions"][0]["ETag"].strip('"') == hashlib.md5(b"1").hexdigest()
    assert (
        {name for name in rests_on(key) if store.has(INCIDENT, name)}
        == set(rests_on(key))
        == set(rests_on(key._replace(kind="bucket-content")))
    )


def test_a_layers_link_is_withheld_and_its_content_noted(aws, collector, store):
    client = boto_client(aws.url, "lambda", REGION, aws.bootstrap())
    client.publish_layer_version(LayerName="hook", Content={"ZipFile": packed()})
    collector.collect(INCIDENT, Subject(Of.LAYER, ACCOUNT, REGION, "layer:hook:1"))
    (told,) = store.load_json(INCIDENT, "layers/us-east-1/layer%3Ahook%3A1/layer.json")["answers"]
    assert told["Content"]["Location"].startswith("left out")
    assert list(store.gaps(INCIDENT)) == ["layers/us-east-1/layer%3Ahook%3A1/code.zip"]
