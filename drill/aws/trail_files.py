"""The trail's delivery to S3: gzipped files in CloudTrail's layout, in a bucket of the first account.

What is due is delivered just before somebody lists the bucket, so that a reader finds what CloudTrail would have delivered by then.
As with CloudTrail, a file holds the events of about five minutes, is named after its delivery, and some events come twice.
"""

from __future__ import annotations

import gzip
import json
import threading
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import Any

from moto.s3.models import s3_backends

from drill.aws.clock import Clock, iso
from drill.aws.config import HOME_REGION, RangeConfig
from drill.aws.trail import Kept, Trail

BUCKET = "range-trail"
_BATCH_SECONDS = 300
_TWICE_EVERY = 2

Place = tuple[str, str]


class TrailFiles:
    """A multi-region trail of every account. It delivers while it is on, also what happened before.

    Attributes:
        prefix: what stands before `AWSLogs/` in each key.
        organization: the organization's id, for the keys of an organization's trail.
    """

    def __init__(self, config: RangeConfig, clock: Clock, trail: Trail) -> None:
        self.prefix = config.trail_prefix
        self.organization = config.trail_organization
        self._config = config
        self._clock = clock
        self._trail = trail
        self._lock = threading.Lock()
        self._on = False
        self._delivered: set[int] = set()
        self._last: dict[Place, Kept] = {}
        self._digests: set[date] = set()
        self._files: Counter[Place] = Counter()

    def switch(self, on: bool) -> None:
        """Start or end the delivery; starting forgets what was delivered."""
        with self._lock:
            self._on = on
            self._delivered.clear()
            self._last.clear()
            self._digests.clear()
            self._files.clear()
            backend = s3_backends[self._config.accounts[0]]["aws"]
            if on and BUCKET not in backend.buckets:
                backend.create_bucket(BUCKET, HOME_REGION)

    def deliver(self) -> list[str]:
        """Write what is due and was not written; answers the keys."""
        with self._lock:
            if not self._on:
                return []
            now = self._clock.now()
            due = [kept for kept in self._trail.visible(now) if id(kept) not in self._delivered]
            self._delivered.update(map(id, due))
            keys = [self._write(place, batch) for (place, _), batch in sorted(_batches(due).items())]
            self._write_digests(now)
            return keys

    def _write(self, place: Place, batch: list[Kept]) -> str:
        """One file. Every second one of a place begins with the last event of the one before."""
        self._files[place] += 1
        again = [self._last[place]] if self._files[place] % _TWICE_EVERY == 0 else []
        self._last[place] = batch[-1]
        at = datetime.fromtimestamp(max(kept.visible_at for kept in batch), UTC)
        account, region = place
        unique = sha256(f"{account} {region} {self._files[place]}".encode()).hexdigest()[:16]
        name = f"{account}_CloudTrail_{region}_{at:%Y%m%dT%H%M}Z_{unique}.json.gz"
        key = f"{self._folder(place, 'CloudTrail')}{at:%Y/%m/%d}/{name}"
        _put(self._config.accounts[0], key, {"Records": [kept.record for kept in [*again, *batch]]})
        return key

    def _write_digests(self, now: float) -> None:
        """A digest for each day since the first event. CloudTrail writes one each hour; one is enough to show that it was on."""
        first = min((kept.time for kept in self._trail.visible(now)), default=now)
        day, today = (datetime.fromtimestamp(moment, UTC).date() for moment in (first, now))
        while day <= today:
            if day not in self._digests:
                self._digests.add(day)
                self._write_digests_of(day)
            day += timedelta(days=1)

    def _write_digests_of(self, day: date) -> None:
        for account in self._config.accounts:
            for region in sorted(self._config.enabled):
                name = f"{account}_CloudTrail-Digest_{region}_range_{HOME_REGION}_{day:%Y%m%d}T000000Z.json.gz"
                key = f"{self._folder((account, region), 'CloudTrail-Digest')}{day:%Y/%m/%d}/{name}"
                _put(self._config.accounts[0], key, {"awsAccountId": account, "digestS3Bucket": BUCKET, "logFiles": []})

    def _folder(self, place: Place, kind: str) -> str:
        account, region = place
        parts = (self.prefix, "AWSLogs", self.organization, account, kind, region)
        return "".join(f"{part}/" for part in parts if part)

    def state(self) -> dict[str, Any]:
        """For whoever runs the exercise."""
        now = iso(self._clock.now())
        return {"bucket": BUCKET, "on": self._on, "prefix": self.prefix, "organization": self.organization, "time": now}


def _batches(due: list[Kept]) -> dict[tuple[Place, int], list[Kept]]:
    batches: dict[tuple[Place, int], list[Kept]] = defaultdict(list)
    for kept in due:
        place = (kept.record["recipientAccountId"], kept.record["awsRegion"])
        batches[place, int(kept.visible_at // _BATCH_SECONDS)].append(kept)
    return batches


def _put(account: str, key: str, body: dict[str, Any]) -> None:
    packed = gzip.compress(json.dumps(body, separators=(",", ":")).encode(), mtime=0)
    s3_backends[account]["aws"].put_object(BUCKET, key, packed)
