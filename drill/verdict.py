"""Was the network put back? Judged from two dumps and from what legitimate people did in between.

Nothing of the responder is used here. The network that should be is the one before the attack, plus what each
legitimate step changed while the attack ran.

    expected = apply(flatten(before), happened.effects)
    for difference in differences(expected, flatten(after)): print(difference)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Protocol

from drill.dump import Dump
from drill.facts import BELONGINGS, NETWORK, PRINCIPALS, RIGHTS, WORDS, Facts, Setting, flatten
from drill.renaming import rename, renaming, resource_of

__all__ = [
    "Difference",
    "Effect",
    "Leftover",
    "Verdict",
    "apply",
    "differences",
    "effects_between",
    "flatten",
    "judge",
    "leftovers",
]

RESPONDER_TAG = "countermand"

ABSENT = "absent"


@dataclass(frozen=True)
class Effect:
    """What a legitimate step did to one setting; `value` None means that it went away."""

    setting: Setting
    value: str | None


@dataclass(frozen=True)
class Difference:
    """A setting that is not as it should be, in plain words."""

    account: str
    region: str
    resource: str
    setting: str
    expected: str
    found: str

    def __str__(self) -> str:
        place = f"{self.account} {self.region}"
        return f"{place}: {self.resource}: {self.setting} should be {self.expected}, is {self.found}"


@dataclass(frozen=True)
class Leftover:
    """Something of the attack that is still there."""

    account: str
    region: str
    kind: str
    resource: str
    detail: str

    def __str__(self) -> str:
        return f"{self.account} {self.region}: {self.kind} {self.resource} {self.detail}"


def effects_between(before: Facts, after: Facts) -> list[Effect]:
    """What changed from one look to the next."""
    changed = [Effect(s, after.get(s)) for s in sorted(before.keys() | after.keys()) if before.get(s) != after.get(s)]
    return changed


def apply(facts: Facts, effects: Iterable[Effect]) -> Facts:
    """Facts with effects on top, in their order."""
    out = dict(facts)
    for effect in effects:
        if effect.value is None:
            out.pop(effect.setting, None)
        else:
            out[effect.setting] = effect.value
    return out


# ---- the network ------------------------------------------------------------------------------------------------


def differences(expected: Facts, after: Facts, ours: str = "") -> list[Difference]:
    """Every setting of the network that is not as expected.

    Args:
        ours: A tag-key prefix of the responder's. Such tags are left out, and so are new resources that carry one,
            unless they stand for one that was lost.
    """
    wanted, found = _network(expected), _network(after)
    tagged = _tagged(found, ours)
    found = {s: v for s, v in found.items() if not (ours and s.name.startswith(f"tag {ours}") and s not in wanted)}
    names = renaming(wanted, found)
    found = rename(found, names)
    known = {resource_of(s) for s in wanted}
    found = {s: v for s, v in found.items() if resource_of(s) not in tagged or resource_of(s) in known}
    gone, extra = _whole(wanted, found), _whole(found, wanted)
    out = []
    for setting in sorted(wanted.keys() | found.keys()):
        before, now = wanted.get(setting, ABSENT), found.get(setting, ABSENT)
        whole = resource_of(setting) in gone or resource_of(setting) in extra
        if before != now and (not whole or setting.name == "exists"):
            out.append(_difference(setting, before, now, wanted if setting in wanted else found))
    return out


def _network(facts: Facts) -> Facts:
    return {s: v for s, v in facts.items() if s.kind in NETWORK}


def _whole(some: Facts, others: Facts) -> set[tuple[str, str, str, str]]:
    """Resources of which the others know nothing at all."""
    return {resource_of(s) for s in some if s.name == "exists" and s not in others}


def _tagged(facts: Facts, ours: str) -> set[tuple[str, str, str, str]]:
    """Resources with a tag of the responder's."""
    return {resource_of(s) for s in facts if ours and s.name.startswith(f"tag {ours}")}


def _difference(setting: Setting, before: str, now: str, facts: Facts) -> Difference:
    return Difference(
        account=setting.account,
        region=setting.region,
        resource=_words(setting, facts),
        setting=setting.name,
        expected=before,
        found=now,
    )


def _words(setting: Setting, facts: Facts) -> str:
    """A resource as people call it: its kind, its id and its name."""
    label = f"{WORDS[setting.kind]} {setting.resource}"
    for name in ("GroupName", "tag Name", "PrefixListName"):
        known = facts.get(setting._replace(name=name))
        if known:
            return f"{label} ({known})"
    return label


# ---- what else is left ------------------------------------------------------------------------------------------


def other_rights(expected: Facts, after: Facts) -> list[Difference]:
    """What policies say, and who has which policy or boundary, where that is not as expected. What is gone or new is a leftover or
    no matter of rights.
    """
    return [
        _difference(setting, expected.get(setting, ABSENT), after.get(setting, ABSENT), expected)
        for setting in sorted({s for s in (*expected, *after) if s.kind in PRINCIPALS and s.name in RIGHTS})
        if setting._replace(name="exists") in expected and expected.get(setting) != after.get(setting)
    ]


def leftovers(expected: Facts, after: Facts, actor_keys: Mapping[str, Iterable[str]], ours: str = "") -> list[Leftover]:
    """What the attack made that still works: keys that are active, instances that run, users, roles, functions, policies, images.

    Args:
        actor_keys: The access keys of each actor that was to be stopped, as `Happened.keys` has them.
        ours: as `differences` has it: snapshots with such a tag are the responder's evidence.
    """
    return [*_live_keys(after, actor_keys), *_new_belongings(expected, after, ours)]


def _live_keys(after: Facts, actor_keys: Mapping[str, Iterable[str]]) -> list[Leftover]:
    holders = {key: actor for actor, keys in actor_keys.items() for key in keys}
    return [
        Leftover(s.account, s.region, "access key", s.resource, f"of {holders[s.resource]} is {value}")
        for s, value in sorted(after.items())
        if s.kind == "access_keys" and s.name == "status" and value == "Active" and s.resource in holders
    ]


def _new_belongings(expected: Facts, after: Facts, ours: str) -> list[Leftover]:
    tagged = _tagged(after, ours)
    return [
        Leftover(s.account, s.region, WORDS[s.kind], s.resource, "was not there before")
        for s in sorted(after)
        if s.kind in BELONGINGS and s.name == "exists" and s not in expected and resource_of(s) not in tagged
    ]


def key_status(after: Facts, keys: Iterable[str]) -> dict[str, str]:
    """Each key's status after the response: Active, Inactive or deleted."""
    status = {s.resource: v for s, v in after.items() if s.kind == "access_keys" and s.name == "status"}
    return {key: status.get(key, "deleted") for key in keys}


# ---- a whole exercise -------------------------------------------------------------------------------------------


class Played(Protocol):
    """What `judge` asks of a `drill.stage.Stage`."""

    @property
    def effects(self) -> list[Effect]: ...

    @property
    def actor_keys(self) -> dict[str, list[str]]: ...

    def working_keys(self) -> dict[str, list[str]]: ...


@dataclass(frozen=True)
class Verdict:
    """The judgement on an exercise; both lists are plain data."""

    differences: list[dict[str, str]]
    leftovers: list[dict[str, str]]

    @property
    def restored(self) -> bool:
        return not self.differences


def judge(stage: Played, before: Dump, after: Dump, ours: str = RESPONDER_TAG) -> Verdict:
    """Compare the estate before the attack, with what was rightly done since, to what is there now.

    Temporary credentials are no resources that a dump could show, so the stage tries them.
    """
    expected, found = apply(flatten(before), stage.effects), flatten(after)
    left = leftovers(expected, found, stage.actor_keys, ours)
    wrong = [*differences(expected, found, ours), *other_rights(expected, found)]
    listed = {item.resource for item in left}
    for actor, keys in stage.working_keys().items():
        left += [Leftover("", "", "credential", key, f"of {actor} still works") for key in keys if key not in listed]
    return Verdict([asdict(d) for d in wrong], [asdict(item) for item in left])
