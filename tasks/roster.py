"""Responders' one-time codes: the proof of who fills in a form that has no users of its own.

Secrets are encrypted at rest; a code that was used is burnt everywhere; five failures lock the person out.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pyotp
from cryptography.fernet import Fernet, InvalidToken

from incident.ledger import ROSTER_CHAIN, Kind
from tasks.ledger import Ledger

STEP_SECONDS = 30
FAILURES_THAT_LOCK = 5
LOCK_TIME = timedelta(minutes=15)
ISSUER = "Countermand"


class RosterError(Exception):
    """The roster cannot be used; the message says what to do."""


class Roster:
    """The enrolled responders."""

    def __init__(self, folder: Path, ledger: Ledger, clock: Callable[[], datetime]) -> None:
        self._folder, self._ledger, self._clock = folder, ledger, clock

    def enrol(self, person: str) -> str:
        """Give a person a new secret and return the `otpauth://` address for their authenticator app."""
        secret = pyotp.random_base32()
        secrets = self._load()
        secrets[person] = self._fernet().encrypt(secret.encode()).decode()
        self._store(secrets)
        moment = self._clock()
        self._ledger.append(ROSTER_CHAIN, Kind.NOTE, f"enrolled:{person}:{moment.isoformat()}", {"person": person})
        return pyotp.TOTP(secret, interval=STEP_SECONDS).provisioning_uri(name=person, issuer_name=ISSUER)

    def enrolled(self) -> list[str]:
        return sorted(self._load())

    def check(self, person: str, code: str) -> str:
        """Why a code does not prove who someone is; empty when it does, and then the code is burnt."""
        now, secret = self._clock(), self._secret(person)
        if secret is None:
            return f"{person or 'this person'} is not enrolled; an administrator runs `countermand responders add`"
        if self._locked(person, now):
            return f"{person} is locked after {FAILURES_THAT_LOCK} wrong codes; wait {int(LOCK_TIME.total_seconds() // 60)} minutes"
        step = self._matching_step(secret, code.strip(), now)
        if step is None:
            key = f"wrong-code:{person}:{now.isoformat()}"
            self._ledger.append(ROSTER_CHAIN, Kind.NOTE, key, {"person": person, "at": now.isoformat(), "wrong": True})
            return "the one-time code is wrong or too old; wait for the next one and try again"
        _, fresh = self._ledger.append(ROSTER_CHAIN, Kind.NOTE, f"code:{person}:{step}", {"person": person, "step": step})
        return "" if fresh else "this one-time code was used already; wait for the next one"

    def _matching_step(self, secret: str, code: str, now: datetime) -> int | None:
        if len(code) != 6 or not (code.isascii() and code.isdigit()):
            return None
        current = int(now.timestamp()) // STEP_SECONDS
        otp = pyotp.TOTP(secret, interval=STEP_SECONDS)
        for step in (current, current - 1, current + 1):
            if pyotp.utils.strings_equal(otp.generate_otp(step), code):
                return step
        return None

    def _locked(self, person: str, now: datetime) -> bool:
        wrong = [
            line for line in self._ledger.lines(ROSTER_CHAIN, Kind.NOTE) if line.body.get("wrong") and line.body["person"] == person
        ]
        recent = [line for line in wrong if now - datetime.fromisoformat(str(line.body["at"])) < LOCK_TIME]
        return len(recent) >= FAILURES_THAT_LOCK

    def _secret(self, person: str) -> str | None:
        sealed = self._load().get(person)
        if sealed is None:
            return None
        try:
            return self._fernet().decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise RosterError(f"the secret of {person} cannot be opened with the present key; enrol them again") from None

    def _fernet(self) -> Fernet:
        """The key that seals the secrets: `COUNTERMAND_ROSTER_KEY`, or a file that only its owner can read."""
        given = os.environ.get("COUNTERMAND_ROSTER_KEY")
        if given:
            return Fernet(given.encode())
        path = self._folder / "key"
        if not path.exists():
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            _write_private(path, Fernet.generate_key())
        return Fernet(path.read_bytes())

    def _load(self) -> dict[str, str]:
        path = self._folder / "secrets.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def _store(self, secrets: dict[str, str]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write_private(self._folder / "secrets.json", json.dumps(secrets, indent=1).encode())


def _write_private(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    draft.replace(path)
