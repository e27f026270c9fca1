"""Many deliveries, one commit: each hears its own outcome, and one that cannot be written keeps no other out."""

from __future__ import annotations

import json
import threading

import pytest
from findings import envelope, finding

from gateway.intake import Prepared, prepare
from gateway.writer import Writer
from incident.ledger import INTAKE
from tasks.ledger import LedgerUnavailable


class Counting:
    """A ledger that counts its transactions and keeps the first one waiting until it is let go."""

    def __init__(self, ledger) -> None:
        self._ledger, self.sizes, self.go_on, self.error = ledger, [], threading.Event(), None

    def append_all(self, entries):
        if not self.sizes:
            self.sizes.append(len(entries))
            assert self.go_on.wait(10)
        else:
            self.sizes.append(len(entries))
        if self.error:
            raise self.error
        return self._ledger.append_all(entries)


@pytest.fixture
def counting(ledger):
    return Counting(ledger)


@pytest.fixture
def writer(counting):
    writer = Writer(counting)
    yield writer
    counting.go_on.set()
    writer.close()


def delivered(number: int, body: bytes | None = None):
    raw = body or json.dumps(envelope(finding(id=f"f{number}"))).encode()
    return lambda: prepare(raw, {"door": "webhook"})


def test_what_waits_is_written_with_one_commit_in_its_order(writer, counting, ledger, wait_until):
    first = writer.write(delivered(0))
    wait_until(lambda: counting.sizes)
    others = [writer.write(delivered(number)) for number in (1, 2, 1, 3)]
    quarantined = writer.write(delivered(0, b"not json"))
    assert not first.done(), "nobody is answered before it is durable"
    counting.go_on.set()
    assert [one.result(10).outcome for one in (first, *others, quarantined)] == [
        "accepted", "accepted", "accepted", "duplicate", "accepted", "quarantined",
    ]  # fmt: skip
    assert counting.sizes == [1, 5]
    assert [line.position for line in ledger.lines(INTAKE)] == [1, 2, 3, 4, 5]
    assert ledger.verify(INTAKE) is None


def test_one_that_cannot_be_written_keeps_no_other_out(writer, counting, ledger, wait_until):
    writer.write(delivered(0))
    wait_until(lambda: counting.sizes)
    unreadable = writer.write(lambda: 1 / 0)
    unwritable = writer.write(lambda: Prepared([(INTAKE, "delivery", "x" * 501, {})], ()))
    good = [writer.write(delivered(number)) for number in (1, 2)]
    counting.go_on.set()
    assert [one.result(10).outcome for one in good] == ["accepted"] * 2
    assert isinstance(unreadable.exception(10), ZeroDivisionError)
    assert isinstance(unwritable.exception(10), ValueError)
    assert len(ledger.lines(INTAKE)) == 3


def test_when_the_ledger_is_away_everybody_hears_it_and_the_next_is_written(writer, counting, wait_until):
    counting.error = LedgerUnavailable("away")
    refused = [writer.write(delivered(number)) for number in range(3)]
    counting.go_on.set()
    assert {type(one.exception(10)) for one in refused} == {LedgerUnavailable}
    counting.error = None
    assert writer.write(delivered(9)).result(10).outcome == "accepted"


def test_closing_writes_what_waits(counting, ledger):
    writer = Writer(counting)
    waiting = [writer.write(delivered(number)) for number in range(5)]
    waiting[3].cancel()
    counting.go_on.set()
    writer.close()
    assert len(ledger.lines(INTAKE)) == 5, "one whose sender hung up is written all the same"
