"""Scenario files: what is wrong is said in one line, with the line and the remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

import drill
from drill.scenario import ScenarioError, load, loads

GOOD = """\
name: test
accounts: {main: "111122223333", other: "444455556666"}
regions: [us-east-1, eu-central-1]
principals:
  owner: {user: owner}
  hop2: {role: Second, assumed_by: hop1, account: other}
  hop1: {role: First, assumed_by: eve}
  eve: {user: eve, made_by: mallory}
  mallory: {user: mallory, source_ip: 198.51.100.7}
estate:
  - {as: owner, region: us-east-1, call: ec2.create_vpc, with: {CidrBlock: 10.0.0.0/16}, save: {vpc: Vpc.VpcId}}
attack:
  - as: mallory
    region: us-east-1
    call: ec2.create_tags
    with:
      Resources: [$vpc]
      Tags:
        - {Key: where, Value: "in ${vpc} of ${account_main}"}
    after: 10m
finding: {type: "Recon:IAMUser/TorIPCaller", principal: mallory, region: us-east-1, severity: 8}
expect: {restored: true}
"""


def test_a_good_scenario_loads() -> None:
    scenario = loads(GOOD)
    assert scenario.account_ids == ("111122223333", "444455556666")
    assert scenario.principals["hop2"].account == "444455556666"
    assert scenario.attack[0].after == 600
    assert scenario.finding.severity == 8


def test_an_address_is_inherited_from_whoever_made_or_assumed() -> None:
    principals = loads(GOOD).principals
    assert {principals[p].source_ip for p in ("mallory", "eve", "hop1", "hop2")} == {"198.51.100.7"}
    assert principals["owner"].source_ip != "198.51.100.7"


@pytest.mark.parametrize("file", sorted((Path(drill.__file__).parent / "scenarios").glob("*.yaml")), ids=lambda f: f.stem)
def test_our_own_scenarios_load(file: Path) -> None:
    assert load(file).name == file.stem
    assert load(file.stem) == load(file)


WRONG: list[tuple[str, str, int, str]] = [
    ("name: test", "nam: test", 1, "unknown key 'nam'; use one of"),
    ("name: test\n", "", 1, "name is missing"),
    ('main: "111122223333"', "main: 111122223333", 2, "twelve digits in quotes"),
    ("[us-east-1, eu-central-1]", "[us-east-1, mars-1]", 3, "unknown region 'mars-1'"),
    ("owner: {user: owner}", "owner: {usr: owner}", 5, "unknown key 'usr' in principal 'owner'"),
    ("owner: {user: owner}", "owner: {user: owner, role: r}", 5, "needs a user or a role, and only one"),
    ("role: Second, assumed_by: hop1", "role: Second, made_by: hop1", 6, "made_by does not go with"),
    ("assumed_by: hop1", "assumed_by: hop9", 6, "unknown principal 'hop9'"),
    ("role: Second, assumed_by: hop1", "role: Second", 6, "nobody assumes role principal 'hop2'"),
    ("made_by: mallory", "made_by: hop1", 8, "go round in a ring: hop2 -> hop1 -> eve -> hop1"),
    ("account: other", "account: third", 6, "unknown account 'third'"),
    ("made_by: mallory", "made_by: mallory, account: other", 8, "another account"),
    ("source_ip: 198.51.100.7", "source_ip: 198.51.100.777", 9, "no IP address"),
    ("call: ec2.create_vpc", "call: ec2.creat_vpc", 11, "no operation 'creat_vpc'; use one such as create_vpc"),
    ("call: ec2.create_vpc", "call: ecc2.create_vpc", 11, "no client 'ecc2'"),
    ("CidrBlock: 10.0.0.0/16", "CidrBlok: 10.0.0.0/16", 11, 'Unknown parameter in input: "CidrBlok"'),
    ("save: {vpc: Vpc.VpcId}", "save: {vpc: 'Vpc.['}", 11, "no JMESPath"),
    ("save: {vpc: Vpc.VpcId}", "save: {vpc: Vpc.VpcId}, fails: X", 11, "answers nothing to save"),
    ("save: {vpc: Vpc.VpcId}", "saves: {vpc: Vpc.VpcId}", 11, "unknown key 'saves' in the step"),
    ("as: mallory\n", "as: nobody\n", 13, "unknown principal 'nobody'"),
    (
        "    region: us-east-1\n    call: ec2.create_tags",
        "    region: eu-west-1\n    call: ec2.create_tags",
        14,
        "not enabled; add it to regions",
    ),
    ("Resources: [$vpc]", "Resources: [$vcp]", 17, "$vcp is not defined here"),
    ("      Resources: [$vpc]\n", "", 16, 'Missing required parameter in input: "Resources"'),
    ('Value: "in ${vpc}', 'Value: "in ${vcp}', 19, "$vcp is not defined here"),
    ('Value: "in ${vpc} of ${account_main}"', "Value: 6", 19, "put the value in quotes"),
    ("after: 10m", "after: 10 minutes", 20, "a number and s, m, h or d"),
    ("after: 10m", "legitimate: maybe", 20, "write true or false"),
    ("after: 10m", "fails: 7", 20, "write AWS's error code"),
    ("severity: 8", "severity: 11", 21, "a number from 0.1 to 10"),
    ("principal: mallory, region", "principal: bob, region", 21, "unknown principal 'bob'"),
    ("Recon:IAMUser/TorIPCaller", "Recon", 21, "no finding type"),
    ("Recon:IAMUser/TorIPCaller", "Recon:EC2/Portscan", 21, "add instance"),
    ("expect: {restored: true}", "expect: {restord: true}", 22, "unknown key 'restord' in expect"),
    ("expect: {restored: true}", "expect: {actors: mallory}", 22, "write a list, as in [mallory]"),
    ("expect: {restored: true}", "expect: {restored: true}\nname: again", 23, "'name' is given twice"),
    ("expect: {restored: true}", "expect: {restored: [}", 22, "not readable as YAML"),
    ("expect: {restored: true}", "delivery_lag: soon", 22, "a number and s, m, h or d"),
    ("expect: {restored: true}", "snapshot_failures: some", 22, "write a whole number"),
    ("expect: {restored: true}", "faults: {percent: 30}", 22, "write a list"),
    ("expect: {restored: true}", "faults:\n  - {percent: 30}\n  - {operations: x}", 24, "unknown key 'operations' in the fault"),
    ("expect: {restored: true}", "faults: [{stale_reads: no}]", 22, "use a whole number from 1"),
]


@pytest.mark.parametrize(("good", "wrong", "line", "words"), WRONG, ids=[f"{w[2]}-{w[3][:40]}" for w in WRONG])
def test_what_is_wrong_is_said_with_its_line(good: str, wrong: str, line: int, words: str) -> None:
    assert good in GOOD
    with pytest.raises(ScenarioError) as caught:
        loads(GOOD.replace(good, wrong, 1))
    message = str(caught.value)
    assert message.startswith(f"scenario.yaml:{line}: "), message
    assert words in message
    assert "\n" not in message


def test_a_file_that_is_not_there_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"gone\.yaml:1: the file cannot be read"):
        load(tmp_path / "gone.yaml")


@pytest.mark.parametrize("text", ["", "[]", "just words"])
def test_something_else_than_a_scenario_is_refused(text: str) -> None:
    with pytest.raises(ScenarioError, match=r"scenario.yaml:1: the file is"):
        loads(text)


def test_a_region_that_is_not_enabled_may_be_tried_and_fail() -> None:
    text = GOOD.replace(
        "    after: 10m", "    after: 10m\n  - {as: mallory, region: ap-east-1, call: ec2.describe_vpcs, fails: AuthFailure}"
    )
    assert loads(text).attack[1].fails == "AuthFailure"


def test_loading_is_the_same_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data: Any = yaml.safe_load(GOOD)
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(data, sort_keys=False))
    monkeypatch.chdir(tmp_path)
    assert load("mine.yaml").attack[0].params == loads(GOOD).attack[0].params
