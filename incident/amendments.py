"""What a responder tells the case after looking at it: a value that nothing else tells, a window, a record that is not the actor's.

Each amendment is a ledger line with the person who made it. It voids every plan that was made without it; the next look at the
records takes it in and makes a new plan.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter

from incident.actor import Actor, Credential, Link
from incident.families import family_for_kind
from incident.family import Unrestorable
from incident.plan import TO_CHOOSE, Unplanned
from incident.planner import brief
from incident.resources.bucket import BUCKET
from incident.settings import Observed, Reversal, SettingKey, Source, Value


class _Amendment(BaseModel):
    """`person` is the responder, `method` how they proved who they are, `at` when."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    person: str
    method: Literal["one-time-code"] = "one-time-code"
    surface: Literal["prefect", "command line"]
    reason: str = Field(default="", max_length=1000)
    at: AwareDatetime


class Settlement(_Amendment):
    """The value that one setting must have, chosen by a person who saw that it was `found`."""

    kind: Literal["settle"] = "settle"
    item: str
    key: SettingKey
    found: Value = None
    to: Value = None


class ByHand(_Amendment):
    """A person took care of an item that no plan undoes; `reason` says how."""

    kind: Literal["by-hand"] = "by-hand"
    item: str
    what: str


class Emptying(_Amendment):
    """A person lets a bucket that the actor made be emptied and deleted; `reason` says why its objects may go."""

    kind: Literal["empty"] = "empty"
    item: str
    key: SettingKey


class Window(_Amendment):
    """The moment from which the compromised credential's use counts as the actor's."""

    kind: Literal["window"] = "window"
    since: AwareDatetime


class Strike(_Amendment):
    """One CloudTrail record that is not the actor's work, though made with their credential."""

    kind: Literal["strike"] = "strike"
    record: str


class CredentialWord(_Amendment):
    """A person's word on a credential: it is the actor's, or it is not."""

    kind: Literal["credential"] = "credential"
    access_key: str
    theirs: bool


class Release(_Amendment):
    """Containment is to be taken back: these of its steps, or all where none is named."""

    kind: Literal["release"] = "release"
    steps: tuple[str, ...] = ()


class LookAgain(_Amendment):
    """Nothing is told but that the records should be looked at once more and people asked anew."""

    kind: Literal["look-again"] = "look-again"


_Word = Settlement | ByHand | Emptying | Window | Strike | CredentialWord | Release | LookAgain
Amendment = Annotated[_Word, Field(discriminator="kind")]
_READER: TypeAdapter[Amendment] = TypeAdapter(Amendment)


def read_amendment(body: Mapping[str, Any]) -> Amendment:
    """An amendment from its ledger line."""
    return _READER.validate_python(dict(body))


@dataclass(frozen=True)
class Amendments:
    """All that responders have told one case; of two words on the same thing the later counts."""

    settled: Mapping[SettingKey, Settlement] = field(default_factory=dict[SettingKey, Settlement])
    by_hand: Mapping[str, ByHand] = field(default_factory=dict[str, ByHand])
    emptied: Mapping[SettingKey, Emptying] = field(default_factory=dict[SettingKey, Emptying])
    window: Window | None = None
    struck: frozenset[str] = frozenset()
    credentials: Mapping[str, CredentialWord] = field(default_factory=dict[str, CredentialWord])
    released: tuple[Release, ...] = ()

    @classmethod
    def of(cls, amendments: Iterable[Amendment]) -> Amendments:
        """Gather amendments, oldest first."""
        told = cls()
        for amendment in amendments:
            told = told._with(amendment)
        return told

    def _with(self, amendment: Amendment) -> Amendments:
        match amendment:
            case Settlement():
                return replace(self, settled={**self.settled, amendment.key: amendment})
            case ByHand():
                return replace(self, by_hand={**self.by_hand, amendment.item: amendment})
            case Emptying():
                return replace(self, emptied={**self.emptied, amendment.key: amendment})
            case Window():
                return replace(self, window=amendment)
            case Strike():
                return replace(self, struck=self.struck | {amendment.record})
            case CredentialWord():
                return replace(self, credentials={**self.credentials, amendment.access_key: amendment})
            case Release():
                return replace(self, released=(*self.released, amendment))
            case LookAgain():
                return self

    def applied_to(self, actor: Actor) -> Actor:
        """The actor as responders see them: their window, without struck records, and with their word on credentials."""
        if self.window is not None:
            actor = replace(actor, since=self.window.since, since_reason=_because(self.window, "set it"))
        rulings = {key: _ruling(word) for key, word in self.credentials.items()}
        actor = replace(actor, struck=self.struck, rulings=rulings)
        for key, word in self.credentials.items():
            held = actor.credentials.get(key) or (_named(key, word) if word.theirs else None)
            actor = actor.with_credential(held) if held else actor
        return actor

    def settle(self, reversal: Reversal) -> Reversal:
        """A reversal with the value that a responder chose. It holds only as long as the live value is the one that they saw."""
        word = self.settled.get(reversal.key)
        if word is None:
            return reversal
        return replace(reversal, target=word.to, written=word.found, source=Source.RESPONDER, since=(), relying=())

    def releases(self, step: str) -> bool:
        """Whether a step of containment is to be taken back."""
        return any(not word.steps or step in word.steps for word in self.released)

    def left(self, items: Iterable[Unplanned]) -> tuple[Unplanned, ...]:
        """Less the items that a person took care of."""
        return tuple(item for item in items if item.id not in self.by_hand)

    @property
    def in_words(self) -> tuple[str, ...]:
        """What people chose and did themselves, one line each."""
        chosen = [
            _because(word, f"chose that {word.key} is {_valued(word.to)} (it was {_valued(word.found)})")
            for word in self.settled.values()
        ]
        done = [_because(word, f"took care of {word.what}") for word in self.by_hand.values()]
        done += [_because(word, f"let bucket {word.key.resource} be emptied and deleted") for word in self.emptied.values()]
        ruled = [
            _because(word, f"ruled that {key} is {'' if word.theirs else 'not '}the actor's")
            for key, word in self.credentials.items()
        ]
        struck = [f"record {record} was struck from the actor's" for record in sorted(self.struck)]
        window = (
            [_because(self.window, f"set the window's beginning to {self.window.since:%Y-%m-%d %H:%M:%S} UTC")]
            if self.window
            else []
        )
        freed = [_because(word, f"asked to release {', '.join(word.steps) or 'all that was contained'}") for word in self.released]
        return (*chosen, *done, *ruled, *struck, *window, *freed)


def _named(key: str, word: CredentialWord) -> Credential:
    """A credential that only a responder knows of; whose it is, the records of its use tell."""
    kind = "session" if key.startswith("ASIA") else "user"
    return Credential(key, "", kind, Link.PROVED, "no record led to it", "", "")


def _ruling(word: CredentialWord) -> tuple[Link, str]:
    link, verdict = (Link.PROVED, "is the actor's") if word.theirs else (Link.EXCLUDED, "is not the actor's")
    return link, _because(word, f"says that it {verdict}")


def _because(word: _Amendment, did: str) -> str:
    return f"{word.person} {did}: {word.reason}" if word.reason else f"{word.person} {did}"


def _valued(value: Value) -> str:
    return "absent" if value is None else brief(value)


class Unclear(ValueError):
    """Words that amend nothing; the message says what to write instead."""


FORMS = (
    "ITEM keep, ITEM absent, ITEM = VALUE (JSON), ITEM done, ITEM empty, window TIME, strike RECORD, credential KEY theirs, "
    "credential KEY not-theirs, release, release STEP…, look-again"
)


def amendment(text: str, said: Mapping[str, Any], left: Iterable[Unplanned]) -> Amendment:
    """Read one line of a responder's.

    Args:
        text: in one of `FORMS`; an item is named by its id in the plan.
        said: person, method, surface, reason and time of the line.
        left: what the plans leave to people, the newest last.

    Raises:
        Unclear: the line has another form, names nothing that is known, or gives a value that cannot be.
    """
    head, _, rest = text.strip().partition(" ")
    rest = rest.strip()
    if head.startswith("left-"):
        return _on_item(head, rest, said, left)
    if text.strip() == "look-again":
        return LookAgain(**said)
    if head == "release":
        return Release(steps=tuple(rest.split()), **said)
    if head == "window":
        return Window(since=_moment(rest, said), **said)
    if head == "strike" and rest:
        return Strike(record=rest, **said)
    if head == "credential":
        key, _, verdict = rest.partition(" ")
        if key and verdict.strip() in ("theirs", "not-theirs"):
            return CredentialWord(access_key=key, theirs=verdict.strip() == "theirs", **said)
    raise Unclear(f"{text.strip()[:60]!r} is no amendment; write one of: {FORMS}")


def _on_item(item: str, words: str, said: Mapping[str, Any], left: Iterable[Unplanned]) -> Amendment:
    found = [one for one in left if one.id == item]
    if not found:
        raise Unclear(f"no plan of this incident leaves {item} to people; the newest plan shows the ids")
    what = found[-1]
    if words == "done":
        if not said.get("reason"):
            raise Unclear(f"say in the reason how {item} was taken care of")
        return ByHand(item=item, what=what.what, **said)
    if words == "empty":
        return _emptying(item, what, said)
    if what.key is None or what.status not in TO_CHOOSE:
        raise Unclear(f"{item} ({what.status}) has no value to choose; write `{item} done` when you took care of it")
    value = _chosen(words, what)
    if value != what.found:
        problem = unusable(what.key, what.found, value)
        if problem:
            raise Unclear(f"{item}: {problem}")
    return Settlement(item=item, key=what.key, found=what.found, to=value, **said)


def _emptying(item: str, what: Unplanned, said: Mapping[str, Any]) -> Emptying:
    if what.key is None or what.key.kind != BUCKET or what.wanted is not None:
        raise Unclear(f"{item} is no bucket that is to go; only one that the actor made and that holds objects can be emptied")
    if not said.get("reason"):
        raise Unclear(f"say in the reason why the objects of bucket {what.key.resource} may be deleted")
    return Emptying(item=item, key=what.key, **said)


def _chosen(words: str, what: Unplanned) -> Value:
    if words == "keep":
        return what.found
    if words == "absent":
        return None
    if not words.startswith("="):
        raise Unclear(f"say what {what.id} must be: keep, absent, done, or = and a JSON value")
    try:
        return json.loads(words[1:])
    except ValueError:
        raise Unclear(f"what follows = is not JSON; now it is {json.dumps(what.found)[:200]}") from None


def _moment(text: str, said: Mapping[str, Any]) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Unclear("give the window's beginning as 2026-11-24T02:15:00Z") from None
    if moment.tzinfo is None:
        raise Unclear("give the window's beginning with its zone, as 2026-11-24T02:15:00Z")
    if moment > said["at"]:
        raise Unclear("the window cannot begin in the future")
    return moment


def unusable(key: SettingKey, found: Value, value: Value) -> str:
    """Why a setting cannot be given a value, in one sentence; empty when calls for it can be planned."""
    live = None if found is None else Observed(key, found)
    try:
        change = family_for_kind(key.kind).change(key, live, value)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        return f"that is no value of a {key.kind.replace('-', ' ')} ({type(error).__name__}: {error})"
    return f"{change.reason}. {change.advice}" if isinstance(change, Unrestorable) else ""
