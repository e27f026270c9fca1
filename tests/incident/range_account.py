"""An account of the range as settings: the owner's calls, an attack, and the way back from its CloudTrail."""

from __future__ import annotations

import json
from collections.abc import Callable, Container
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from roundtrip import BEFORE, told_wrongly, values

from drill.aws import Range
from incident.approvals import Answer
from incident.families import FAMILIES, family_for_event, family_for_kind
from incident.family import Family, Read, Scope
from incident.plan import Plan
from incident.planner import Proposal, propose
from incident.policy import Policy, Responder
from incident.record import Record
from incident.resources.bucket import emptied, to_be_emptied
from incident.settings import Fold, Observed, PriorValue, SettingKey, Source, reversals
from tasks.approvals import Approvals
from tasks.aws import Aws, AwsError, at_one_name, observe
from tasks.config import AwsConfig
from tasks.executor import Executor
from tasks.launched import launched_by, with_images
from tasks.ledger import Ledger

REGION = "us-east-1"
IMAGE = "ami-0a1b2c3d4e5f60001"
POLICY = Policy(responders=(Responder(name="alice"),))
ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"


def now() -> datetime:
    return datetime.now(UTC)


def document(**statement: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})


def trusting(service: str) -> str:
    return document(Principal={"Service": f"{service}.amazonaws.com"}, Action="sts:AssumeRole")


EVERYTHING = document(Action="*", Resource="*")


@cache
def _client(service: str, url: str, region: str = REGION, **keys: str) -> Any:
    client = boto3.client(service, endpoint_url=url, region_name=region, **keys)
    at_one_name(client)
    return client


class Account:
    """An account of the range: the owner's calls, Mallory's, and the responder's reads and steps."""

    def __init__(self, aws: Range, folder: Path, looked_at: tuple[Family, ...]) -> None:
        self.range, self.folder, self.looked_at = aws, folder, looked_at
        self.scope = Scope(aws.account, REGION)
        self.reader = Aws(AwsConfig(accounts=(aws.account,), endpoint_url=aws.url, call_deadline_seconds=3))
        self._owner = aws.bootstrap().for_boto3()
        self._mallory = self._made("mallory")
        self._alice: dict[str, str] = {}
        self.subnets = [subnet["SubnetId"] for subnet in self.owner("ec2").describe_subnets()["Subnets"]]
        self.vpc = self.owner("ec2").describe_vpcs()["Vpcs"][0]["VpcId"]

    def owner(self, service: str) -> Any:
        return _client(service, self.range.url, **self._owner)

    def _made(self, name: str) -> dict[str, str]:
        """The keys of a new user who may do everything."""
        iam = self.owner("iam")
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="everything", PolicyDocument=EVERYTHING)
        made = iam.create_access_key(UserName=name)["AccessKey"]
        return {"aws_access_key_id": made["AccessKeyId"], "aws_secret_access_key": made["SecretAccessKey"]}

    def mallory(self, service: str, region: str = REGION) -> Any:
        return _client(service, self.range.url, region, **self._mallory)

    def alice(self, service: str, region: str = REGION) -> Any:
        """A colleague whose work the trail shows; the owner's calls are in no trail."""
        self._alice = self._alice or self._made("alice")
        return _client(service, self.range.url, region, **self._alice)

    def settings(self) -> dict[SettingKey, Observed]:
        """Every setting of the services that are looked at, live and however deep."""
        found: dict[SettingKey, Observed] = {}
        for family in self.looked_at:
            waiting, done = list(family.inventory), set[str]()
            while waiting:
                read = waiting.pop()
                if str(read) not in done:
                    done.add(str(read))
                    shown = self._read(family, read)
                    found |= shown
                    standing = [one.key for one in shown.values() if not one.key.name and one.value is not None]
                    waiting += [detail for key in standing for detail in family.details(key)]
        return found

    def _read(self, family: Family, read: Read) -> dict[SettingKey, Observed]:
        """What a read shows; what is absent by the family's own codes is not shown."""
        try:
            pages = list(self.reader.read_all(self.scope, read))
        except AwsError as error:
            if error.code in family.absent_codes:
                return {}
            raise
        return {one.key: one for page in pages for one in family.observe(self.scope, read, page)}

    def fold(self, before: dict[SettingKey, Observed], *, swept: bool = True) -> Fold:
        """All records over what was seen before; outside of that there was nothing, where a sweep lists all of a kind."""
        prior = [(key, PriorValue(one.value, BEFORE, Source.BASELINE, one.aliases)) for key, one in before.items()]
        listed = {kind for family in FAMILIES if family.inventory for kind in family.kinds}
        folded = Fold(prior, lambda key: BEFORE if swept and key.kind in listed else None)
        for raw in self.range.app.trail.records():
            record = Record.parse(raw)
            family = family_for_event(record.operation)
            if record.succeeded and family is not None:
                folded.read(record, family.writes)
        return folded

    def told_wrongly(self, folded: Fold) -> dict[str, Any]:
        """Where the records tell a setting of what is looked at otherwise than AWS shows it."""
        looked_at = {kind for family in self.looked_at for kind in family.kinds}
        wrong = told_wrongly(folded, values(self.settings()))
        return {key: found for key, found in wrong.items() if key.split("/")[2] in looked_at}

    def proposed(self, folded: Fold, may_be_emptied: Container[str] = ()) -> Proposal:
        found = reversals(folded, lambda record: record.identity.name == "mallory")
        wanted = [*found, *launched_by(self.reader, found)]
        wanted += emptied(wanted, lambda key: key.resource in may_be_emptied)
        live = {one.key: observe(self.reader, family_for_kind(one.key.kind), one.key) for one in wanted}
        return propose(wanted, to_be_emptied(wanted, with_images(self.reader, wanted, live)))

    def carried_out(self, proposal: Proposal) -> list[str]:
        """Apply the plan as an approved one; the steps that did not end well."""
        url = f"sqlite:///{self.folder / 'ledger.db'}"
        ledger = Ledger.open(url, now)
        approvals = Approvals(ledger, POLICY, now)
        plan = Plan(incident="inc-resources", title="the way back", steps=proposal.steps)
        asked = approvals.ask(plan, "restore", 1, ())
        answer = {"person": "alice", "answer": Answer.APPROVE, "digest": plan.digest}
        approvals.decide(plan.incident, asked.id, method="one-time-code", surface="prefect", **answer)
        runner = Executor(self.reader, ledger, approvals)
        outcomes = [(step, runner.apply(plan, step)) for step in plan.steps]
        return [f"{step.title}: {outcome.result} {outcome.detail}" for step, outcome in outcomes if not outcome.good]


def fresh(running: Range, folder: Path, monkeypatch: pytest.MonkeyPatch, looked_at: tuple[Family, ...]) -> Account:
    """The range as it is at first, with the responder's keys at hand."""
    running.reset()
    keys = running.responder()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys.secret)
    monkeypatch.setenv("AWS_SESSION_TOKEN", keys.token or "")
    return Account(running, folder, looked_at)


Hand = Callable[[Account], None]


def returns(account: Account, build: Hand, attack: Hand) -> Proposal:
    """What an attack does is told by the trail as AWS then shows it, and undone completely."""
    build(account)
    before = account.settings()
    attack(account)
    assert values(account.settings()) != values(before)
    folded = account.fold(before)
    assert account.told_wrongly(folded) == {}
    proposal = account.proposed(folded)
    assert list(proposal.unplanned) == []
    assert account.carried_out(proposal) == []
    assert values(account.settings()) == values(before)
    return proposal


def nothing(account: Account) -> None:
    """An account as it is at first."""


def operations(proposal: Proposal) -> list[str]:
    return [step.calls[-1].operation for step in proposal.steps]
