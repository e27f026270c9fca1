"""A random incident on the range: an estate, an attacker, and a colleague at work between the attacker's calls.

What must be there after the revert is told by live reads, not by the records: the settings before, and over them what each of the
colleague's calls left.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from typing import Any

import boto3
import botocore
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from hypothesis import strategies as st
from range_changes import CHANGES, NothingToChange, World, build, make
from roundtrip import BEFORE, REGION, Network, client_of, values

from drill.aws import Range
from incident.actor import Actor, Credential, Link
from incident.family import Call, Lookup, Read
from incident.investigation import Investigation, investigate
from incident.plan import PlannedCall
from incident.planner import Proposal, propose
from incident.settings import PriorValue, SettingKey, Source, Value, same

Change = tuple[Any, ...]
ATTACKER, COLLEAGUE = "attacker", "colleague"

ESTATES = st.lists(CHANGES, max_size=4)
INCIDENTS = st.lists(st.tuples(st.sampled_from([ATTACKER, ATTACKER, COLLEAGUE]), CHANGES), min_size=1, max_size=10)


class Incident:
    """An estate on the range, and what two hands do to it."""

    def __init__(self, aws: Range, estate: Iterable[Change]) -> None:
        aws.reset()
        self.network = Network(aws)
        self.world: World = build(self.network)
        self._clients = {hand: _user(aws, hand) for hand in (ATTACKER, COLLEAGUE)}
        for change in estate:
            self._try(self.network.ec2, change)
        self.before = self.network.settings()
        self.expected: dict[SettingKey, Value] = values(self.before)
        self.operations: set[str] = set()

    def happens(self, steps: Iterable[tuple[str, Change]]) -> None:
        """Let both hands work, and take down what each of the colleague's calls left."""
        for hand, change in steps:
            known = len(self.network.records())
            makes = hand == COLLEAGUE and change[0] is make
            seen = values(self.network.settings()) if makes else {}
            self._try(self._clients[hand], change)
            if makes:
                self._take_down_difference(seen, values(self.network.settings()))
            if hand == COLLEAGUE and len(self.network.records()) > known:
                self._take_down({record.event_id for record in self.network.records()[known:]})

    def _take_down_difference(self, seen: dict[SettingKey, Value], now: dict[SettingKey, Value]) -> None:
        """What a new resource brings along is in no record."""
        self.expected |= {key: value for key, value in now.items() if not same(seen.get(key), value)}

    def _try(self, client: Any, change: Change) -> None:
        self.network.actor = client
        with suppress(NothingToChange, ClientError):
            change[0](self.world, *change[1:])

    def _take_down(self, ids: set[str]) -> None:
        """What a look shows, after the colleague's call, of every setting that its records name.

        A setting that they should name and do not is found by the comparison at the end.
        """
        for one in self.investigated(everybody=True).reversals:
            if any(record.event_id in ids for record in one.by_actor):
                live = self.network.live(one.key)
                if live is None or live.value is None:
                    self.expected.pop(one.key, None)
                else:
                    self.expected[one.key] = live.value

    def investigated(self, *, everybody: bool = False) -> Investigation:
        """What the trail shows of the attacker, over the settings before as a complete baseline."""
        records = self.network.records()
        hands = [hand for hand in self._clients if everybody or hand == ATTACKER]
        keys = {client: self._clients[client]._request_signer._credentials.access_key for client in hands}
        held = {key: Credential(key, hand, "user", Link.PROVED, "it is theirs", "", "") for hand, key in keys.items()}
        prior = [(key, PriorValue(one.value, BEFORE, Source.BASELINE, one.aliases)) for key, one in self.before.items()]
        return investigate(records, prior, Actor(held), lambda key: BEFORE)

    def reverted(self) -> tuple[Investigation, Proposal]:
        """Plan the way back and carry it out, step by step in the plan's order."""
        found = self.investigated()
        self.operations = {record.event_name for record in found.changes}
        proposal = propose(found.reversals, {one.key: self.network.live(one.key) for one in found.reversals})
        for step in proposal.steps:
            for call in step.calls:
                self.network._do(_call(call))
        return found, proposal

    def differences(self, proposal: Proposal) -> dict[str, tuple[Value, Value]]:
        """Where the network is not what it must be, less what was left to a person: those settings and their resources."""
        now = values(self.network.settings())
        left = {item.key for item in proposal.unplanned if item.status == "conflict"}
        resources = {key.resource for key in left if key and not key.name}
        return {
            str(key): (self.expected.get(key), now.get(key))
            for key in self.expected.keys() | now.keys()
            if key not in left and key.resource not in resources and not same(self.expected.get(key), now.get(key))
        }


def _call(planned: PlannedCall) -> Call:
    lookups = {
        name: Lookup(Read(lookup.service, lookup.operation, lookup.parameters), lookup.path, lookup.each)
        for name, lookup in planned.lookups.items()
    }
    return Call(planned.service, planned.operation, planned.parameters, planned.permissions, lookups=lookups)


def _user(aws: Range, name: str) -> Any:
    """An EC2 client of a user who may do everything, and whose calls leave records."""
    iam = client_of(aws.url, "iam", **aws.bootstrap().for_boto3())
    iam.create_user(UserName=name)
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.put_user_policy(UserName=name, PolicyName="everything", PolicyDocument=json.dumps(everything))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    client = _hand(aws.url, name)
    # The user of the last incident is gone, and so is its key.
    client._request_signer._credentials = Credentials(key["AccessKeyId"], key["SecretAccessKey"])
    return client


@cache
def _hand(url: str, name: str) -> Any:
    config = botocore.config.Config(retries={"max_attempts": 0})
    return boto3.client(
        "ec2", endpoint_url=url, region_name=REGION, config=config, aws_access_key_id=name, aws_secret_access_key=name
    )
