"""The evidence store: files in a folder, each hashed and chained by the ledger before anybody relies on it."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from incident.ledger import Kind
from tasks.ledger import Ledger

_SAFE_NAME = re.compile(r"[A-Za-z0-9._/-]+")


@dataclass(frozen=True, slots=True)
class Damage:
    """An item that is not as the manifest says: changed, missing or added."""

    item: str
    what: str


class EvidenceStore:
    """Evidence of every incident, one folder each."""

    def __init__(self, folder: Path, ledger: Ledger) -> None:
        self._folder, self._ledger = folder, ledger

    def keep(self, incident: str, name: str, content: bytes, about: str) -> str:
        """Store an item once and return its SHA-256 in hex. Storing other content under a taken name is refused.

        Raises:
            ValueError: a name that is no plain relative path, or one that holds other content.
        """
        path = self._path(incident, name)
        digest = hashlib.sha256(content).hexdigest()
        if self._ledger.find(incident, f"evidence:{name}") is None:
            # A file that no line speaks of is what a crash left behind; nobody has relied on it.
            _write(path, content)
        body = {"item": name, "sha256": digest, "bytes": len(content), "about": about}
        line, _ = self._ledger.append(incident, Kind.EVIDENCE, f"evidence:{name}", body)
        if line.body["sha256"] != digest:
            raise ValueError(f"evidence {name} of {incident} exists with other content; give the new item a name of its own")
        return digest

    def keep_json(self, incident: str, name: str, content: Any, about: str) -> str:
        """Store a JSON value; see `keep`."""
        return self.keep(incident, name, json.dumps(content, indent=1, sort_keys=True, default=str).encode(), about)

    def keep_first_json(self, incident: str, name: str, content: Any, about: str) -> None:
        """Store a JSON value unless the name is taken: a phase that starts again goes on from what it kept the first time."""
        if not self.has(incident, name):
            self.keep_json(incident, name, content, about)

    def load_json(self, incident: str, name: str) -> Any:
        return json.loads(self._path(incident, name).read_bytes())

    def has(self, incident: str, name: str) -> bool:
        return self._ledger.find(incident, f"evidence:{name}") is not None and self._path(incident, name).exists()

    def manifest(self, incident: str) -> list[dict[str, Any]]:
        return [dict(line.body) for line in self._ledger.lines(incident, Kind.EVIDENCE)]

    def verify(self, incident: str) -> list[Damage]:
        """Every item that was changed, is missing, or that nobody recorded."""
        known = {str(item["item"]): str(item["sha256"]) for item in self.manifest(incident) if "sha256" in item}
        damage = [Damage(name, what) for name, digest in known.items() if (what := self._damage(incident, name, digest))]
        folder = self._folder / incident
        present = {str(path.relative_to(folder)) for path in _files(folder)}
        return damage + [Damage(name, "added: the manifest does not know it") for name in sorted(present - known.keys())]

    def _damage(self, incident: str, name: str, digest: str) -> str:
        path = self._path(incident, name)
        if not path.exists():
            return "missing"
        return "" if hashlib.sha256(path.read_bytes()).hexdigest() == digest else "changed"

    def _path(self, incident: str, name: str) -> Path:
        for part in (incident, name):
            if not _SAFE_NAME.fullmatch(part) or ".." in part or part.startswith("/"):
                raise ValueError(f"{part[:60]!r} is no name for evidence: letters, digits, dots, dashes and slashes only")
        return self._folder / incident / name


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_bytes(content)
    draft.chmod(0o400)
    draft.replace(path)


def _files(folder: Path) -> Iterable[Path]:
    return (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")) if folder.exists() else ()
