"""The incident for outsiders: what is ours stands under pseudonyms, the same one everywhere; what is the actor's stays.

Not the report is redacted but the ledger lines that it is built from, so that nothing derived, no sentence and no picture, can hold
what the lines do not. Replaced are account ids, ARNs, ids and names of resources, people, mail addresses, access keys (an account's
id can be computed from one), and all addresses but the actor's own. What AWS shows or is sent is ours unless it is a word of AWS's.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from incident.ledger import Kind, Line
from incident.reports.indicators import indicators, own_addresses

_ARN = re.compile(r"arn:aws[a-z-]*:[^\s\"'<>,;)]*")
_ACCOUNT = re.compile(r"(?<!\d)\d{12}(?!\d)")
_RESOURCE = re.compile(r"\b[a-z]{1,12}(?:-[a-z]{1,12})*-[0-9a-f]{8,17}\b")
_KEY = re.compile(r"\b(?:AKIA|ASIA|AIDA|AROA|AGPA|ANPA|AIPA|APKA|ABIA|ACCA)[A-Z0-9]{8,}\b")
_MAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+")
_IPV4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.]*\d)")
_IPV6 = re.compile(r"(?<![\w:.])(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4}(?![\w:])")
_MAC = re.compile(r"(?<![\w:])(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}(?![\w:])")
_ENDPOINT = re.compile(r"\b[\w.-]+\.(?:amazonaws\.com|elb\.amazonaws\.com|internal)\b")
_ANYWHERE = frozenset({"0.0.0.0", "::", "::1", "127.0.0.1"})  # noqa: S104 - the whole internet, in rules and routes
_SHORT = 4
"""A name shorter than this is replaced only where it stands alone."""

_WORDS = frozenset(
    " ".join(
        (
            "tcp udp icmp icmpv6 all allow deny ingress egress active inactive available blackhole present absent default true",
            "false none enabled disabled pending associated attached in-use running stopped pass accept reject ipv4 ipv6 from to",
        )
    ).split()
)
"""Values that are AWS's words and tell nobody anything about us."""

_PEOPLE = frozenset({"person", "added_by", "taken_by", "responder"})
_NAMED = frozenset({"user", "owner", "session", "name", "resource", "instance", "interface_id"})
_KEYS = frozenset({"access_key", "seed", "key", "gave", "parent"})
_VALUES = frozenset({"expects", "leaves", "parameters", "found", "wanted", "to"})
"""Members that hold what AWS shows or is sent: everything in them that is no word of AWS's is ours."""

_DIGESTS = frozenset({"digest", "sha256", "fingerprint"})
_ENUMERATED = frozenset(
    {"phase", "state", "kind", "result", "link", "answer", "surface", "method", "status"}
    | {"section", "does", "perspective", "question", "verdict"}
)
"""Members whose values are our own words."""

_MOMENT = re.compile(r"\d{4}-\d\d-\d\d(T[\d:.]+(Z|[+-]\d\d:\d\d)?)?")


class Pseudonyms:
    """Which pseudonym stands for what. They are numbered as the ledger names things, so a longer ledger changes none."""

    def __init__(self, keep: Iterable[str]) -> None:
        self._keep = frozenset(keep) | _ANYWHERE
        self._known: dict[str, str] = {}
        self._counts: dict[str, int] = {}
        self._names: re.Pattern[str] | None = None
        self._table: dict[str, str] | None = None

    @property
    def known(self) -> Mapping[str, str]:
        return dict(self._known)

    def add(self, sort: str, value: str) -> None:
        """Give a value a pseudonym of a sort, unless it has one, is the actor's, or is a word of AWS's."""
        value = value.strip()
        if len(value) < 2 or value in self._known or value in self._keep or value.lower() in _WORDS or value.isdigit():
            return
        self._number(sort, value)

    def _number(self, sort: str, value: str) -> str:
        self._counts[sort] = self._counts.get(sort, 0) + 1
        self._known[value] = f"{sort}-{self._counts[sort]}"
        self._names = self._table = None
        return self._known[value]

    def of(self, sort: str, value: str) -> str:
        return value if value in self._keep else self._known.get(value) or self._number(sort, value)

    def scan(self, text: str) -> None:
        """Give everything in a text that looks like an identifier its pseudonym."""
        for hit in _ARN.finditer(text):
            self._arn(hit)
        for sort, form in _FORMS:
            for hit in form.finditer(text):
                if _is_true(sort, hit.group()):
                    self.add(sort, hit.group())

    def text(self, text: str) -> str:
        """A text with every known name and everything that looks like an identifier under its pseudonym."""
        found = _ARN.sub(self._arn, self._cut_names(text))
        pattern, folded = self._pattern(), self._folded()
        if pattern is not None:
            # Unicode knows letters that are one to the pattern and not to the table: such a name has none but its sort.
            found = pattern.sub(lambda hit: folded.get(hit.group().casefold(), "name"), found)
        for sort, form in _FORMS:
            found = form.sub(lambda hit, sort=sort: self._formed(sort, hit.group()), found)
        return found

    def _formed(self, sort: str, value: str) -> str:
        return self.of(sort, value) if _is_true(sort, value) else value

    def _arn(self, hit: re.Match[str]) -> str:
        """An ARN keeps its service and what sort of thing it names."""
        parts = hit.group().split(":", 5)
        service = parts[2] if len(parts) > 2 and re.fullmatch(r"[a-z0-9-]{1,30}", parts[2]) else "aws"
        return self.of(f"{service}-arn", hit.group())

    def _cut_names(self, text: str) -> str:
        """Names that were cut short where they were written, as `payments-a…`: their beginning tells them too."""
        if "…" not in text:
            return text

        def whole(hit: re.Match[str]) -> str:
            piece = hit.group(1)
            name = next((name for name in self._known if len(piece) >= 3 and name.startswith(piece)), None)
            return f"{self._known[name]}…" if name else hit.group()

        return re.sub(r"([\w.:/@+-]+)…", whole, text)

    def _folded(self) -> Mapping[str, str]:
        if self._table is None:
            self._table = {name.casefold(): pseudonym for name, pseudonym in reversed(self._known.items())}
        return self._table

    def _pattern(self) -> re.Pattern[str] | None:
        if self._names is None and self._known:
            ordered = sorted(self._known, key=len, reverse=True)
            parts = [re.escape(name) if len(name) >= _SHORT else rf"(?<![\w-]){re.escape(name)}(?![\w-])" for name in ordered]
            self._names = re.compile("|".join(parts), re.IGNORECASE)
        return self._names


_FORMS = (
    ("mail", _MAIL),
    ("endpoint", _ENDPOINT),
    ("key", _KEY),
    ("account", _ACCOUNT),
    ("resource", _RESOURCE),
    ("mac", _MAC),
    ("address", _IPV4),
    ("address", _IPV6),
)


def _is_true(sort: str, value: str) -> bool:
    """Whether what looks like an address is one, and no time of day or version."""
    if sort != "address":
        return True
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def redacted(lines: Sequence[Line]) -> list[Line]:
    """The same lines with pseudonyms. Their hashes stay those of the true lines, so that both can be told to be of one ledger."""
    names = pseudonyms(lines)
    return [replace(line, key=_key(line, names), body=_body(line.body, names)) for line in lines]


def pseudonyms(lines: Sequence[Line]) -> Pseudonyms:
    """What is ours in the lines, numbered in their order."""
    told = indicators(lines, outsiders=True)
    names = Pseudonyms({one.value for one in told.indicators if one.kind == "address"} - own_addresses(lines))
    for line in lines:
        for sort, value in _names_in(line.body, "", ""):
            names.add(sort, value)
        for text in _texts(line.body):
            names.scan(text)
    return names


def _texts(value: Any, member: str = "") -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, inner in cast(Mapping[str, Any], value).items():
            yield name
            yield from _texts(inner, name)
    elif isinstance(value, list | tuple):
        for inner in cast(Sequence[Any], value):
            yield from _texts(inner, member)
    elif isinstance(value, str) and member not in _DIGESTS:
        yield value


def _key(line: Line, names: Pseudonyms) -> str:
    """The key keeps its first part, by which lines are told apart by their kind."""
    head, mark, rest = line.key.partition(":")
    return f"{head}{mark}{names.text(rest)}"


def _names_in(value: Any, member: str, above: str) -> Iterator[tuple[str, str]]:
    """Everything in a line's body that is a name of ours, with the sort of pseudonym that it gets."""
    if isinstance(value, Mapping):
        for name, inner in cast(Mapping[str, Any], value).items():
            yield from _names_in(inner, name, above or (name if name in _VALUES else ""))
    elif isinstance(value, list | tuple):
        inner = cast(Sequence[Any], value)
        if member == "key" and len(inner) == 5:
            yield from _setting(inner)
            return
        for one in inner:
            yield from _names_in(one, member, above)
    elif isinstance(value, str) and value:
        yield from _name(value, member, above)


def _setting(key: Sequence[Any]) -> Iterator[tuple[str, str]]:
    account, _, _, resource, name = (str(part) for part in key)
    yield "account", account
    yield "resource", resource
    # A setting's name is in part AWS's own, such as a rule's ports or an attribute: those are told by their form.
    if re.fullmatch(r"[\w.@+=,/-]{2,}", name) and not re.fullmatch(r"[A-Z][A-Za-z]+|(in|e)gress.*|[\d./:]+", name):
        yield "name", name


def _name(value: str, member: str, above: str) -> Iterator[tuple[str, str]]:
    if member == "account":
        yield "account", value
    elif member in _PEOPLE:
        yield "person", value
    elif member in _KEYS and " " not in value:
        yield "key", value
    elif (above and not _is_aws_word(value)) or (member in _NAMED and not value.startswith("arn:")):
        yield _sort(value), value
    for arn in _ARN.findall(value):
        for part in arn.split(":", 5)[-1].split("/")[1:]:
            yield "name", part


def _sort(value: str) -> str:
    """Which sort of pseudonym a value gets, by its form."""
    return next((sort for sort, form in _FORMS if form.fullmatch(value) and _is_true(sort, value)), "name")


def _is_aws_word(value: str) -> bool:
    word = value.lower() in _WORDS or value in ("0.0.0.0/0", "::/0")
    return bool(word or re.fullmatch(r"[-\d./:]+|[a-z]{2}(-[a-z]+)+-\d[a-z]?|arn:.*", value) or _MOMENT.fullmatch(value))


def _body(value: Any, names: Pseudonyms, member: str = "", *, inside: bool = False) -> Any:
    """A body with pseudonyms; the names of its members stay, but for those of what AWS shows, which people may have chosen."""
    if isinstance(value, Mapping):
        made: dict[str, Any] = {}
        for name, inner in cast(Mapping[str, Any], value).items():
            ours = re.fullmatch(r"[a-z_]{1,30}", name) and not inside
            made[name if ours else names.text(name)] = _body(inner, names, name, inside=inside or name in _VALUES)
        return made
    if isinstance(value, list | tuple):
        return [_body(inner, names, member, inside=inside) for inner in cast(Sequence[Any], value)]
    if not isinstance(value, str) or member in _DIGESTS or _MOMENT.fullmatch(value):
        return value
    if not inside and member in _ENUMERATED and re.fullmatch(r"[a-z -]{2,40}", value):
        return value
    return names.text(value)


def free_text(lines: Iterable[Line]) -> int:
    """How many passages people wrote in their own words: known identifiers in them are replaced, and somebody must read them."""
    members = ("reason", "text", "title", "how")
    kinds = (Kind.DECISION, Kind.AMENDMENT, Kind.REMARK, Kind.BACKLOG, Kind.CLOSED, Kind.ESCALATE)
    return sum(1 for line in lines if line.kind in kinds for name in members if line.body.get(name))
