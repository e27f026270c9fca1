"""Performs a scenario on a range.

scenario = load("network-takeover")
with Range(range_config(scenario)) as aws:
    stage = Stage(scenario, aws)
    stage.build_estate()
    happened = stage.attack()
    finding = stage.finding()
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import jmespath
from botocore.exceptions import BotoCoreError, ClientError

from drill import finding as guardduty
from drill.actors import Cast
from drill.aws.config import HOME_REGION, RangeConfig, bootstrap_keys
from drill.aws.range import Range
from drill.client import RangeClient, RangeError, boto_client
from drill.dump import dump
from drill.facts import Facts
from drill.flow_logs import deliver
from drill.scenario import Scenario, ScenarioError, Step
from drill.scenario_calls import substitute
from drill.verdict import Effect, effects_between, flatten

# Between the last call of the estate and the first of the attack.
ESTATE_LEAD_SECONDS = 3600
_STEP_SECONDS = 1
# Calls that bring principals to life before their first step: a user, a policy, a password and a sign-in at most.
_BIRTH_CALLS = 4


def range_config(scenario: Scenario, **changes: Any) -> RangeConfig:
    """The range that a scenario needs."""
    values: dict[str, Any] = {
        "accounts": scenario.account_ids,
        "regions": scenario.regions,
        "delivery_lag": scenario.delivery_lag,
        "snapshot_seconds": scenario.snapshot_seconds,
    }
    return RangeConfig(**{**values, **changes})


@dataclass(frozen=True)
class Done:
    """One step as it went."""

    label: str
    principal: str
    account: str
    region: str
    service: str
    operation: str
    time: float
    legitimate: bool
    error: str = ""


@dataclass
class Happened:
    """What an exercise came to, in facts that the responder is not told.

    Attributes:
        names: Every saved value.
        keys: Every access key of every principal, oldest first.
        steps: The steps of the attack in order.
        effects: What each legitimate step of the attack changed, for `drill.verdict`.
    """

    names: dict[str, Any] = field(default_factory=dict)
    keys: dict[str, list[str]] = field(default_factory=dict)
    steps: list[Done] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)

    @property
    def first_call(self) -> float:
        """When the first call was made that was not legitimate, in seconds since the epoch."""
        return next((s.time for s in self.steps if not s.legitimate), 0.0)


@dataclass(frozen=True)
class Report:
    """The finding in both shapes."""

    api: dict[str, Any]
    envelope: dict[str, Any]


class Stage:
    """A scenario on a range, which may be this process's or stand at a URL."""

    def __init__(self, scenario: Scenario, practice_range: Range | RangeClient | str) -> None:
        self.scenario = scenario
        url = practice_range if isinstance(practice_range, str) else practice_range.url
        self.range = RangeClient(url.rstrip("/"))
        self.happened = Happened()
        self.happened.names.update({f"account_{k}": v for k, v in scenario.accounts.items()})
        self._cast = Cast(scenario, self.range.url, self._tick, self._now, self.happened.names)
        self._offset_left = 0.0

    # ---- the three acts -----------------------------------------------------------------------------------------

    def build_estate(self) -> None:
        """Check the range, set its clock back, and make what stood before the incident."""
        self._check_range()
        self.range.settings(delivery_lag=self.scenario.delivery_lag, snapshot_seconds=self.scenario.snapshot_seconds)
        self._offset_left = self._length()
        self.range.advance(-self._offset_left)
        self._cast.settle()
        if self.scenario.config:
            self.range.settings(config_recorder=True)
        if self.scenario.trail_files:
            self.range.settings(trail_files=True)
        for step in self.scenario.estate:
            self._perform(step)

    def attack(self) -> Happened:
        """Perform the attack and the legitimate work in it.

        Raises:
            ScenarioError: A call did not go as the scenario says.
        """
        self._move(ESTATE_LEAD_SECONDS)
        for step in self.scenario.attack:
            self._perform_noting_effects(step)
        self.happened.keys = {name: [k.access_key for k in a.all_keys] for name, a in self._cast.actors.items()}
        # What was set aside for calls that were not needed, so that the end is now.
        self._move(max(0.0, self._offset_left))
        self._deliver_flows()
        self._make_trouble()
        return self.happened

    def _deliver_flows(self) -> None:
        """Let the flow logs tell what the scenario says that the network carried."""
        flows = substitute(list(self.scenario.flows), self.happened.names)
        deliver(self.range.url, self.scenario.account_ids[0], flows, self._now().timestamp())

    def _make_trouble(self) -> None:
        """From here on the responder meets what the scenario has in store for it."""
        if self.scenario.snapshot_failures:
            self.range.settings(snapshot_failures=self.scenario.snapshot_failures)
        for rule in self.scenario.faults:
            self.range.fault(**rule)

    def finding(self) -> Report:
        """Put the finding into GuardDuty and return it in both shapes."""
        spec = self.scenario.finding
        actor = self._cast.actors[spec.principal]
        self._cast.client(spec.principal, "sts", spec.region)
        account = actor.principal.account
        keys = bootstrap_keys(account)
        detectors = boto_client(self.range.url, "guardduty", spec.region, keys).list_detectors()["DetectorIds"]
        api = guardduty.finding_as_api(
            spec,
            actor,
            self._seen(spec.principal),
            detectors[0],
            self._now().timestamp(),
            self._instance(account),
            str(substitute(spec.bucket, self.happened.names)),
        )
        self.range.add_finding(api)
        return Report(api, guardduty.finding_as_event(api))

    # ---- for the verdict ----------------------------------------------------------------------------------------

    @property
    def effects(self) -> list[Effect]:
        """What the legitimate steps of the attack changed."""
        return self.happened.effects

    @property
    def actor_keys(self) -> dict[str, list[str]]:
        """Every key of whoever made a call that was not legitimate, and of those by whom they came to be."""
        guilty = dict.fromkeys(s.principal for s in self.happened.steps if not s.legitimate)
        names = dict.fromkeys(name for principal in guilty for name in self._cast.makers(principal))
        return {name: self.happened.keys[name] for name in names}

    def working_keys(self) -> dict[str, list[str]]:
        """Which of the actors' keys still work: each is tried with a read that leaves no trace."""
        region = self.scenario.regions[0]
        return {name: self._cast.working_keys(name, region) for name in self.actor_keys}

    # ---- time ---------------------------------------------------------------------------------------------------

    def _length(self) -> float:
        """An upper bound of how far the clock will be moved."""
        steps = [*self.scenario.estate, *self.scenario.attack]
        waits = sum(step.after for step in steps)
        sessions = 1 + int(waits + ESTATE_LEAD_SECONDS) // 3000
        births = len(self.scenario.principals) * (_BIRTH_CALLS + sessions)
        return ESTATE_LEAD_SECONDS + waits + _STEP_SECONDS * (len(steps) + births)

    def _move(self, seconds: float) -> None:
        self._offset_left -= seconds
        self.range.advance(seconds)

    def _tick(self) -> None:
        self._move(_STEP_SECONDS)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(time.time() - self._offset_left, UTC)

    # ---- steps --------------------------------------------------------------------------------------------------

    def _check_range(self) -> None:
        health = self.range.health()
        for kind, wanted in (("accounts", self.scenario.account_ids), ("regions", self.scenario.regions)):
            missing = sorted(set(wanted) - set(health[kind]))
            if missing:
                flags = f"--{kind} {','.join(wanted)}"
                raise ScenarioError(f"{self.scenario.name}: the range lacks {kind} {missing}; start it with {flags}")

    def _perform_noting_effects(self, step: Step) -> None:
        """Perform a step; around a legitimate one, look at the network before and after."""
        if not step.legitimate:
            self.happened.steps.append(self._perform(step))
            return
        before = self._look(step)
        self.happened.steps.append(self._perform(step))
        self.happened.effects.extend(effects_between(before, self._look(step)))

    def _look(self, step: Step) -> Facts:
        """The network that a step can touch: its region, or for peerings everything."""
        accounts: list[str] = [self.scenario.principals[step.principal].account]
        regions: list[str] = [step.region]
        if "peering" in step.method:
            accounts, regions = list(self.scenario.account_ids), list(self.scenario.regions)
        return flatten(dump(self.range.url, accounts, regions))

    def _perform(self, step: Step) -> Done:
        if step.after:
            self._move(step.after)
        client = self._client(step)
        self._tick()
        at, error, answer = self._now().timestamp(), "", {}
        try:
            answer = getattr(client, step.method)(**substitute(step.params, self.happened.names))
        except ClientError as e:
            error = e.response["Error"]["Code"]
            if not step.fails:
                raise self._went_wrong(step, f"failed: {e}", f"correct the step, or add fails: {error}") from e
        except BotoCoreError as e:
            raise self._went_wrong(step, f"could not be made: {e}", "correct the parameters") from e
        if step.fails != error:
            outcome = f"failed with {error}" if error else "succeeded"
            raise self._went_wrong(step, f"{outcome} but was to fail with {step.fails}", "correct fails")
        self._save(step, answer)
        return Done(
            label=step.label,
            principal=step.principal,
            account=self.scenario.principals[step.principal].account,
            region=step.region,
            service=step.service,
            operation=client.meta.method_to_api_mapping[step.method],
            time=at,
            legitimate=step.legitimate,
            error=error,
        )

    def _client(self, step: Step) -> Any:
        """A client for the step's principal, who comes to life now if need be."""
        try:
            return self._cast.client(
                step.principal, step.service, step.region, step.through, step.service_role, proxied=step.proxied
            )
        except (ClientError, RangeError, ValueError) as e:
            raise self._went_wrong(step, f"cannot be made by {step.principal}: {e}", "correct the principal") from e

    @staticmethod
    def _went_wrong(step: Step, fault: str, remedy: str) -> ScenarioError:
        return ScenarioError(f"{step.label}: {step.service}.{step.method} {' '.join(fault.split())}; {remedy}")

    def _save(self, step: Step, answer: dict[str, Any]) -> None:
        for name, expression in step.save.items():
            value = jmespath.search(expression, answer)
            if value is None:
                keys = ", ".join(k for k in answer if k != "ResponseMetadata")
                fault = f"answered nothing at {expression!r}"
                raise self._went_wrong(step, fault, f"start save at one of {keys or 'nothing, the answer is empty'}")
            self.happened.names[name] = value

    # ---- the finding's facts ------------------------------------------------------------------------------------

    def _seen(self, principal: str) -> guardduty.Seen:
        calls = [s for s in self.happened.steps if s.principal == principal]
        if not calls:
            now = self._now().timestamp()
            return guardduty.Seen(now, now, 1, "sts", "GetCallerIdentity")
        last = calls[-1]
        return guardduty.Seen(calls[0].time, last.time, len(calls), last.service, last.operation)

    def _instance(self, account: str) -> dict[str, Any]:
        spec = self.scenario.finding
        if not spec.instance:
            return {}
        ident = substitute(spec.instance, self.happened.names)
        ec2 = boto_client(self.range.url, "ec2", spec.region, bootstrap_keys(account))
        instance: dict[str, Any] = ec2.describe_instances(InstanceIds=[ident])["Reservations"][0]["Instances"][0]
        if "IamInstanceProfile" in instance:
            # moto shows the association's id where EC2 shows the profile's.
            name = instance["IamInstanceProfile"]["Arn"].rpartition("/")[2]
            iam = boto_client(self.range.url, "iam", HOME_REGION, bootstrap_keys(account))
            profile = iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
            instance["IamInstanceProfile"]["Id"] = profile["InstanceProfileId"]
        return instance
