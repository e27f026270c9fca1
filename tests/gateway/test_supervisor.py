"""The parts of one host: started in order, started again with a growing rest, ended with everything that they started."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.supervisor import FIRST_REST, LONGEST_REST, STEADY_SECONDS, Part, Supervisor

pytestmark = pytest.mark.served


class Watch:
    """A clock that stands until it is moved."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def watch() -> Watch:
    return Watch()


def part(name: str, program: str, **more: object) -> Part:
    return Part(name, (sys.executable, "-S", "-c", program), {"PATH": os.environ["PATH"]}, **more)


def alive(process: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


SLEEPING = "import time; time.sleep(600)"


@pytest.fixture
def supervised(watch: Watch) -> Iterator[object]:
    held: list[Supervisor] = []

    def supervise(*parts: Part) -> Supervisor:
        held.append(Supervisor(parts, watch))
        return held[-1]

    yield supervise
    for supervisor in held:
        supervisor.end()


def test_a_part_waits_for_those_that_it_comes_after(supervised, wait_until, tmp_path):
    gate = tmp_path / "gate"
    first = part("first", f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.01)", once=True)
    supervisor = supervised(first, part("second", SLEEPING, after=("first",)))
    supervisor.look()
    assert supervisor.process_of("second") == 0
    gate.touch()
    wait_until(lambda: supervisor.look() or supervisor.process_of("second"))
    assert supervisor.process_of("first") == 0, "what runs to its end is not started twice"


def test_what_dies_is_started_again_after_a_rest_that_doubles_and_is_said(supervised, watch, wait_until, caplog):
    caplog.set_level(logging.INFO, "countermand.serve")
    supervisor = supervised(part("mayfly", "raise SystemExit(7)"))
    for rest in (FIRST_REST, 2 * FIRST_REST, 4 * FIRST_REST):
        supervisor.look()
        assert supervisor.process_of("mayfly")
        wait_until(lambda: supervisor.look() or not supervisor.process_of("mayfly"))
        assert f"mayfly ended with exit code 7; it is started again in {rest:.0f} s" in caplog.text
        watch.now += rest * 0.9
        supervisor.look()
        assert not supervisor.process_of("mayfly"), "it was started before its rest was over"
        watch.now += rest * 0.2


def test_the_rest_has_a_limit_and_a_steady_part_begins_anew(supervised, watch, wait_until, caplog):
    supervisor = supervised(part("mayfly", "raise SystemExit(7)"))
    for _ in range(9):
        supervisor.look()
        wait_until(lambda: supervisor.look() or not supervisor.process_of("mayfly"))
        watch.now += LONGEST_REST
    assert f"again in {LONGEST_REST:.0f} s" in caplog.text
    caplog.clear()
    supervisor.look()
    watch.now += STEADY_SECONDS
    wait_until(lambda: supervisor.look() or not supervisor.process_of("mayfly"))
    assert f"again in {FIRST_REST:.0f} s" in caplog.text


def test_what_a_dead_part_left_behind_is_ended(supervised, wait_until, tmp_path):
    note = tmp_path / "child"
    program = f"""
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-S", "-c", {SLEEPING!r}])
open({str(note)!r}, "w").write(str(child.pid))
os.kill(os.getpid(), 9)
"""
    supervisor = supervised(part("parent", program))
    wait_until(lambda: supervisor.look() or (note.exists() and note.read_text() and not supervisor.process_of("parent")))
    wait_until(lambda: not alive(int(note.read_text())), what="the end of what the part had started")


def test_parts_end_the_last_first_and_the_stubborn_are_made_to(supervised, wait_until, tmp_path):
    said = tmp_path / "said"
    ready = tmp_path / "ready"
    polite = f"""
import signal, time
def end(*_):
    open({str(said)!r}, "a").write("NAME ")
    raise SystemExit
signal.signal(signal.SIGTERM, end)
open({str(ready)!r}, "a").write("x")
time.sleep(600)
"""
    stubborn = (
        f"import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); open({str(ready)!r}, 'a').write('x'); time.sleep(600)"
    )
    supervisor = supervised(
        part("first", polite.replace("NAME", "first")),
        part("stubborn", stubborn, stop_seconds=0.3),
        part("last", polite.replace("NAME", "last")),
    )
    supervisor.look()
    processes = [supervisor.process_of(name) for name in ("first", "stubborn", "last")]
    wait_until(lambda: ready.exists() and len(ready.read_text()) == 3)
    supervisor.end()
    assert said.read_text().split() == ["last", "first"]
    assert not any(map(alive, processes))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_nothing_outlives_a_supervisor_that_is_killed(wait_until, tmp_path):
    note = tmp_path / "pids"
    program = f"""
import os, sys, threading, time
sys.path.insert(0, {str(Path(__file__).resolve().parents[2])!r})
from gateway.supervisor import Part, Supervisor
supervisor = Supervisor([Part("sleeper", (sys.executable, "-S", "-c", {SLEEPING!r}), dict(os.environ))])
supervisor.look()
open({str(note)!r}, "w").write(str(supervisor.process_of("sleeper")))
time.sleep(600)
"""
    supervisor = os.posix_spawn(sys.executable, [sys.executable, "-c", program], os.environ)
    try:
        wait_until(lambda: note.exists() and note.read_text(), 30)
        # The signal is asked for after the fork: the sleeper has it once it runs its own program.
        sleeper = int(note.read_text())
        wait_until(lambda: b"sleep" in Path(f"/proc/{sleeper}/cmdline").read_bytes())
        os.kill(supervisor, signal.SIGKILL)
        wait_until(lambda: not alive(sleeper), what="the sleeper's end")
    finally:
        os.kill(supervisor, signal.SIGKILL)
        os.waitpid(supervisor, 0)
