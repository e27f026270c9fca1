"""The command that makes the role's template, and the template itself."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from gateway.cli import app
from gateway.commands.policies import template_text
from incident.permissions import Acting, needed
from incident.policies import MOST_CHARACTERS, documents, size
from incident.role_template import template

ROLE = Path(__file__).resolve().parents[2] / "deployments" / "aws" / "responder-role.yaml"


def run(*words: str):
    return CliRunner().invoke(app, ["policies", *words])


def test_the_template_in_the_repository_is_what_the_steps_need():
    assert ROLE.read_text() == template_text(), (
        "make it again with `countermand policies --write deployments/aws/responder-role.yaml`"
    )
    assert run("--check", str(ROLE)).exit_code == 0


def test_a_template_that_was_changed_by_hand_is_noticed(tmp_path):
    changed = tmp_path / "role.yaml"
    changed.write_text(ROLE.read_text().replace("ec2:CreateRoute", "ec2:*"))
    assert run("--check", str(changed)).exit_code == 1
    assert run("--write", str(changed)).exit_code == 0
    assert yaml.safe_load(changed.read_text()) == template()


def test_every_policy_fits_and_a_role_may_have_them_all():
    policies = [one for one in template()["Resources"].values() if one["Type"] == "AWS::IAM::ManagedPolicy"]
    assert max(size(one["Properties"]["PolicyDocument"]) for one in policies) <= MOST_CHARACTERS
    attached = template()["Resources"]["Responder"]["Properties"]["ManagedPolicyArns"]
    assert len(attached) <= 10


@pytest.mark.parametrize("number", [1, 150, 600])
def test_a_long_list_is_split_and_loses_nothing(number: int):
    actions = [f"ec2:DescribeSomethingWithALongName{at:03}" for at in range(number)]
    parts = documents(Acting.READ, actions)
    assert sorted(action for part in parts for one in part["Statement"] for action in one["Action"]) == actions
    assert all(size(part) <= MOST_CHARACTERS for part in parts)


def test_the_policy_for_reading_changes_nothing():
    verbs = {action.partition(":")[2] for action in needed()[Acting.READ]}
    others = {verb for verb in verbs if not verb.startswith(("Describe", "Filter", "Get", "List", "Lookup", "Search"))}
    assert others == {"AssumeRole", "SetSourceIdentity"}


def test_the_command_shows_what_each_policy_is_for():
    shown = run("--json")
    assert shown.exit_code == 0
    assert set(yaml.safe_load(shown.output)) == {str(acting) for acting in Acting}
