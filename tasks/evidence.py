"""The evidence store: every item is hashed before it is written, and chained by the ledger before anybody relies on it.

Where the bytes lie is a `Place`: a folder, or a bucket with Object Lock (`tasks/evidence_bucket.py`). The manifest is the
ledger's lines on evidence: what was kept, and what could not be.

While the place cannot be written, items are set aside in a folder of our own, so that the response goes on. They are no evidence
until the place has taken them: what rests on them waits.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from incident.ledger import Kind
from tasks.ledger import Ledger

_SAFE_NAME = re.compile(r"[A-Za-z0-9._/%-]+")
_WORKED_WITH = ("finding.json", "records/", "config/")
"""The items that later phases read."""
Item = Mapping[str, Any]
"""An item's line in the manifest."""


class EvidenceUnavailable(Exception):
    """The place of the evidence cannot be written or read; one line that says what to do."""


@dataclass(frozen=True, slots=True)
class Damage:
    """An item that is not as the manifest says: changed, missing or added."""

    item: str
    what: str


class Place(Protocol):
    """Where the bytes of the evidence lie. A method raises `EvidenceUnavailable` where the place does not answer."""

    def write(self, incident: str, name: str, content: bytes) -> Item:
        """Store an item; what else the manifest must say of it, such as its version."""
        ...

    def read(self, incident: str, item: Item) -> bytes:
        """The content that was recorded.

        Raises:
            LookupError: it is not there.
        """
        ...

    def holds(self, incident: str, item: Item) -> bool:
        """Whether the content that was recorded is there."""
        ...

    def damage(self, incident: str, item: Item) -> str:
        """What is wrong with one item; empty where it is as it was recorded."""
        ...

    def names(self, incident: str) -> set[str]:
        """The names of all that lies there."""
        ...


class EvidenceStore:
    """Evidence of every incident.

    Args:
        place: where the bytes lie; a path stands for a folder.
        ledger: holds the manifest.
        aside: the folder for what the place does not take, and for what the response works with; without one it is an error.
    """

    def __init__(self, place: Path | Place, ledger: Ledger, aside: Path | None = None) -> None:
        self._place: Place = Folder(place) if isinstance(place, Path) else place
        self._ledger = ledger
        self._aside = Folder(aside) if aside else None

    def keep(self, incident: str, name: str, content: bytes, about: str) -> str:
        """Store an item once, or set it aside, and return its SHA-256 in hex. Storing other content under a taken name is refused.

        Raises:
            ValueError: a name that is no plain relative path, or one that holds other content.
            EvidenceUnavailable: the place cannot be written, nor can it be set aside.
        """
        _check_names(incident, name)
        digest = hashlib.sha256(content).hexdigest()
        body = {"item": name, "sha256": digest, "bytes": len(content), "about": about}
        if self._ledger.find(incident, f"evidence:{name}") is None:
            # What no line speaks of is what a crash left behind; nobody has relied on it.
            try:
                body |= self._place.write(incident, name, content)
            except EvidenceUnavailable as error:
                return self._set_aside(incident, body, content, str(error))
            self._work_with(incident, name, content)
        line, _ = self._ledger.append(incident, Kind.EVIDENCE, f"evidence:{name}", body)
        if line.body["sha256"] != digest:
            raise ValueError(f"evidence {name} of {incident} exists with other content; give the new item a name of its own")
        return digest

    def _set_aside(self, incident: str, body: dict[str, Any], content: bytes, why: str) -> str:
        if self._aside is None:
            raise EvidenceUnavailable(why)
        name, digest = str(body["item"]), str(body.pop("sha256"))
        self._aside.write(incident, name, content)
        waits = body | {"waits": digest, "why": why}
        line, _ = self._ledger.append(incident, Kind.EVIDENCE, f"evidence-waits:{name}", waits)
        if line.body["waits"] != digest:
            raise ValueError(f"evidence {name} of {incident} waits with other content; give the new item a name of its own")
        return digest

    def _work_with(self, incident: str, name: str, content: bytes) -> None:
        """A copy of what the phases read, so that whoever takes the place away from us does not stop the response."""
        if self._aside and not isinstance(self._place, Folder) and name.startswith(_WORKED_WITH):
            with suppress(EvidenceUnavailable):
                self._aside.write(incident, name, content)

    def waiting(self, incident: str) -> dict[str, str]:
        """The names of what was set aside and the place has not taken yet, each with the reason."""
        lines = self._ledger.lines(incident, Kind.EVIDENCE)
        kept = {str(line.body["item"]) for line in lines if "sha256" in line.body}
        waits = {str(line.body["item"]): str(line.body["why"]) for line in lines if "waits" in line.body}
        return {name: why for name, why in waits.items() if name not in kept}

    def take_in(self, incident: str) -> dict[str, str]:
        """Store what was set aside, now that the place may take it; what still waits, with the reason."""
        left = self.waiting(incident)
        for name in list(left):
            line = self._ledger.find(incident, f"evidence-waits:{name}")
            content = self._read_aside(incident, name, str(line.body["waits"])) if line else None
            if line is None or content is None:
                left[name] = "what was set aside is missing or changed"
                continue
            body = {"item": name, "sha256": line.body["waits"], "bytes": len(content), "about": line.body["about"]}
            try:
                body |= self._place.write(incident, name, content)
            except EvidenceUnavailable as error:
                return dict.fromkeys(left, str(error))
            self._ledger.append(incident, Kind.EVIDENCE, f"evidence:{name}", body)
            del left[name]
            if self._aside and not name.startswith(_WORKED_WITH):
                self._aside.remove(incident, name)
        return left

    def _read_aside(self, incident: str, name: str, digest: str) -> bytes | None:
        if self._aside is None:
            return None
        try:
            content = self._aside.read(incident, {"item": name})
        except (LookupError, EvidenceUnavailable):
            return None
        return content if hashlib.sha256(content).hexdigest() == digest else None

    def keep_json(self, incident: str, name: str, content: Any, about: str) -> str:
        """Store a JSON value; see `keep`."""
        return self.keep(incident, name, json.dumps(content, indent=1, sort_keys=True, default=str).encode(), about)

    def keep_first_json(self, incident: str, name: str, content: Any, about: str) -> None:
        """Store a JSON value unless the name is taken: a phase that starts again goes on from what it kept the first time."""
        if not self.has(incident, name):
            self.keep_json(incident, name, content, about)

    def note_gap(self, incident: str, name: str, why: str, about: str) -> None:
        """Write down that an item could not be kept. An item that is kept later all the same closes the gap."""
        _check_names(incident, name)
        self._ledger.append(incident, Kind.EVIDENCE, f"evidence-gap:{name}", {"item": name, "gap": why, "about": about})

    def load_json(self, incident: str, name: str) -> Any:
        item, waits = self._item(incident, name), self._ledger.find(incident, f"evidence-waits:{name}")
        if item is None:
            content = self._read_aside(incident, name, str(waits.body["waits"])) if waits else None
            if content is None:
                raise LookupError(f"{incident}: the manifest knows no evidence {name}")
            return json.loads(content)
        try:
            return json.loads(self._place.read(incident, item))
        except EvidenceUnavailable:
            content = self._read_aside(incident, name, str(item["sha256"]))
            if content is None:
                raise
            return json.loads(content)

    def has(self, incident: str, name: str) -> bool:
        """Whether an item was kept, or is set aside. What cannot be looked at counts as there: it is not written over."""
        item = self._item(incident, name)
        if item is None:
            waits = self._ledger.find(incident, f"evidence-waits:{name}")
            return waits is not None and self._read_aside(incident, name, str(waits.body["waits"])) is not None
        try:
            return self._place.holds(incident, item)
        except EvidenceUnavailable:
            return True

    def manifest(self, incident: str) -> list[dict[str, Any]]:
        """What was kept, in its order."""
        return [dict(line.body) for line in self._ledger.lines(incident, Kind.EVIDENCE) if "sha256" in line.body]

    def gaps(self, incident: str) -> dict[str, str]:
        """The names of what could not be kept, each with the reason."""
        lines = self._ledger.lines(incident, Kind.EVIDENCE)
        kept = {str(line.body["item"]) for line in lines if "sha256" in line.body}
        missed = {str(line.body["item"]): str(line.body["gap"]) for line in lines if "gap" in line.body}
        return {name: why for name, why in missed.items() if name not in kept}

    def verify(self, incident: str) -> list[Damage]:
        """Every item that was changed, is missing, or that nobody recorded."""
        known = {str(item["item"]): item for item in self.manifest(incident)}
        damage = [Damage(name, what) for name, item in known.items() if (what := self._place.damage(incident, item))]
        added = sorted(self._place.names(incident) - known.keys())
        return damage + [Damage(name, "added: the manifest does not know it") for name in added]

    def lost_aside(self, incident: str) -> list[Damage]:
        """What was set aside and is not there any more as it was."""
        digests = {name: self._ledger.find(incident, f"evidence-waits:{name}") for name in self.waiting(incident)}
        lost = [
            name for name, line in digests.items() if line and self._read_aside(incident, name, str(line.body["waits"])) is None
        ]
        return [Damage(name, "changed or missing, while it waited for its store") for name in lost]

    def damage(self, incident: str, name: str) -> str:
        """What keeps one item from being relied on: not in the manifest, changed or missing; empty where nothing does."""
        item = self._item(incident, name)
        if item is None:
            why = self.waiting(incident).get(name)
            return f"waiting for its store: {why}" if why else "not in the manifest"
        return self._place.damage(incident, item)

    def _item(self, incident: str, name: str) -> Item | None:
        line = self._ledger.find(incident, f"evidence:{name}")
        return line.body if line else None


class Folder:
    """A folder, with one for each incident in it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, incident: str, name: str, content: bytes) -> Item:
        path = self._path(incident, name)
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            draft.write_bytes(content)
            draft.chmod(0o400)
            draft.replace(path)
        except OSError as error:
            with suppress(OSError):
                draft.unlink(missing_ok=True)
            raise self._unavailable(error) from None
        return {}

    def remove(self, incident: str, name: str) -> None:
        with suppress(OSError):
            self._path(incident, name).unlink()

    def _unavailable(self, error: OSError) -> EvidenceUnavailable:
        return EvidenceUnavailable(f"evidence folder {self._folder}: {error.strerror}; make room, or mend its permissions")

    def read(self, incident: str, item: Item) -> bytes:
        try:
            return self._path(incident, item["item"]).read_bytes()
        except FileNotFoundError:
            raise LookupError(f"{incident}: evidence {item['item']} is missing") from None
        except OSError as error:
            raise self._unavailable(error) from None

    def holds(self, incident: str, item: Item) -> bool:
        return self._path(incident, item["item"]).exists()

    def damage(self, incident: str, item: Item) -> str:
        path = self._path(incident, item["item"])
        if not path.exists():
            return "missing"
        return "" if hashlib.sha256(path.read_bytes()).hexdigest() == item["sha256"] else "changed"

    def names(self, incident: str) -> set[str]:
        folder = self._folder / incident
        return {str(path.relative_to(folder)) for path in _files(folder)}

    def _path(self, incident: str, name: str) -> Path:
        _check_names(incident, name)
        return self._folder / incident / name


def _check_names(*names: str) -> None:
    for name in names:
        if not _SAFE_NAME.fullmatch(name) or ".." in name or name.startswith("/"):
            raise ValueError(f"{name[:60]!r} is no name for evidence: letters, digits, dots, dashes, per cents and slashes only")


def _files(folder: Path) -> Iterable[Path]:
    return (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")) if folder.exists() else ()
