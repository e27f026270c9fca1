"""When calls could have ended at best: those that depend on each other one after the other, all others side by side."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from incident.family import Family, Read, Scope
from tasks.aws import Aws


@dataclass
class Job:
    """One call: its place and operation, and the call whose answer it needed."""

    scope: Scope
    service: str
    operation: str
    needs: Job | None = None
    repeated: bool = False
    seconds: float = 0.0
    needed_by: list[Job] = field(default_factory=list["Job"])


class Watched:
    """The answers to every read of a sweep, noted on their way through."""

    def __init__(self, aws: Aws) -> None:
        self.answers: dict[tuple[Scope, str], list[object]] = {}
        plain = aws.read_all

        def read_all(scope: Scope, read: Read):
            pages = self.answers[scope, str(read)] = []
            for page in plain(scope, read):
                pages.append(page)
                yield page

        aws.read_all = read_all  # type: ignore[method-assign]

    def jobs(self, scope: Scope, families: Iterable[Family], home: bool) -> list[Job]:
        """The calls of a region's sweep in their order, each page after the one before, details after what listed them."""
        jobs: list[Job] = []
        before: set[str] = set()
        for family in families:
            if home or not family.home_only:
                for read in family.inventory:
                    jobs += self._listing(scope, family, read, before)
        return jobs

    def _listing(self, scope: Scope, family: Family, root: Read, before: set[str]) -> list[Job]:
        jobs: list[Job] = []
        waiting: list[tuple[Read, Job | None]] = [(root, None)]
        done: set[str] = set()
        while waiting:
            read, needs = waiting.pop()
            if str(read) in done:
                continue
            done.add(str(read))
            pages = self.answers.get((scope, str(read)), [])
            # A read that was refused made one call too.
            for _ in pages or [None]:
                job = Job(scope, read.service, read.operation, needs, repeated=str(read) in before)
                if needs is not None:
                    needs.needed_by.append(job)
                jobs.append(job)
                needs = job
            listed = [seen for page in pages for seen in family.observe(scope, read, page)]  # type: ignore[arg-type]
            standing = [seen.key for seen in listed if not seen.key.name and seen.value is not None]
            waiting += [(detail, needs) for key in standing for detail in family.details(key)]
        before |= done
        return jobs


def one_after_the_other(jobs: Iterable[Job]) -> float:
    """How long the longest region takes where a region makes one call at a time."""
    spent: dict[Scope, float] = defaultdict(float)
    for job in jobs:
        spent[job.scope] += job.seconds
    return max(spent.values())


def side_by_side(jobs: list[Job], at_once: int) -> float:
    """When the last call ends where so many are made at once, and those come first on which most time depends."""
    ahead: dict[int, float] = {}
    for job in reversed(jobs):  # what needs a call stands behind it
        ahead[id(job)] = job.seconds + max((ahead[id(later)] for later in job.needed_by), default=0.0)
    ready = [(-ahead[id(job)], number, job) for number, job in enumerate(jobs) if job.needs is None]
    heapq.heapify(ready)
    running: list[tuple[float, int, Job]] = []
    now, number = 0.0, len(jobs)
    while ready or running:
        while ready and len(running) < at_once:
            _, _, job = heapq.heappop(ready)
            number += 1
            heapq.heappush(running, (now + job.seconds, number, job))
        now, _, ended = heapq.heappop(running)
        for job in ended.needed_by:
            number += 1
            heapq.heappush(ready, (-ahead[id(job)], number, job))
    return now


def timed(jobs: Iterable[Job], seconds: Mapping[tuple[str, str], float]) -> None:
    """Give each call the time that calls of its operation took."""
    for job in jobs:
        job.seconds = seconds[job.service, job.operation]
