"""What a fork shares with a process of its own: output, folder, environment, exit code, signals, and who dies with whom."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.processes import ROOT
from gateway.worker import flow_run

pytestmark = [pytest.mark.served, pytest.mark.skipif(sys.platform != "linux", reason="forks are used on Linux only")]
Wait = Callable[..., None]
WAITS = "import sys, time; print(os.getpid(), flush=True); time.sleep(60)"


class Server:
    """The process that forks, and the pipe whose end tells it that the worker has ended."""

    def __init__(self, script: Path) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / "forks"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(self.path))
            listener.listen(16)
            # What comes from now on waits until the server has come up.
            self.process = subprocess.Popen(
                [sys.executable, str(script), str(listener.fileno())],
                cwd=ROOT,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                stdin=subprocess.PIPE,
                pass_fds=[listener.fileno()],
                start_new_session=True,
            )

    def client(self, lines: str, folder: Path | None = None, **seen: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", flow_run.__file__, str(self.path)],
            cwd=folder,
            env={"LINES": lines, **seen},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def worker_ends(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server(Path(__file__).parent / "forking.py")
    yield made
    made.process.kill()
    made.process.communicate()


def lives(process: int) -> bool:
    """Whether a process is there and has not ended."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def begun(client: subprocess.Popen[str]) -> int:
    """The process of the fork, which says so itself."""
    assert client.stdout is not None
    return int(client.stdout.readline())


def test_a_fork_has_the_output_folder_and_environment_of_its_client_and_nothing_else(server, tmp_path):
    # Any Python adds LC_CTYPE where nothing says which language is spoken.
    lines = "print(os.getcwd(), sorted({*os.environ} - {'LC_CTYPE'}), os.environ['GREETS']); print('told', file=sys.stderr)"
    client = server.client(lines, tmp_path, GREETS="grüß = Gott\nin two lines")
    output, errors = client.communicate(timeout=30)
    assert output == f"{tmp_path} ['GREETS', 'LINES'] grüß = Gott\nin two lines\n"
    assert (errors, client.returncode) == ("told\n", 0)


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ("import sys; sys.exit(7)", 7),
        ("raise ValueError('a mistake')", 1),
        ("os.kill(os.getpid(), 9)", -signal.SIGKILL),
        ("signal.signal(15, signal.SIG_DFL); os.kill(os.getpid(), 15)", -signal.SIGTERM),
    ],
)
def test_the_client_ends_as_its_fork_ended(server, lines, code):
    client = server.client(lines)
    client.communicate(timeout=30)
    assert client.returncode == code


def test_a_signal_reaches_the_fork_which_may_end_as_it_likes(server):
    client = server.client(f"signal.signal(15, lambda *_: os._exit(33)); {WAITS}")
    fork = begun(client)
    client.terminate()
    client.communicate(timeout=30)
    assert client.returncode == 33
    assert not lives(fork)


def test_who_kills_the_client_kills_its_fork_and_no_other(server, wait_until: Wait):
    killed, other = server.client(WAITS), server.client(WAITS)
    fork, remaining = begun(killed), begun(other)
    killed.kill()
    killed.communicate(timeout=30)
    wait_until(lambda: not lives(fork), 30)
    assert lives(remaining)
    other.kill()
    other.communicate(timeout=30)


def test_when_the_server_dies_its_forks_die_and_their_clients_say_so(server, wait_until: Wait):
    client = server.client(WAITS)
    fork = begun(client)
    server.process.kill()
    client.communicate(timeout=30)
    assert client.returncode == 128 + signal.SIGKILL
    wait_until(lambda: not lives(fork), 30)


def test_when_the_worker_ends_what_is_under_way_ends_first(server, wait_until: Wait):
    client = server.client(f"signal.signal(15, lambda *_: os._exit(0)); {WAITS}")
    begun(client)
    server.worker_ends()
    wait_until(lambda: not server.folder.exists(), 30, "its socket was taken away")
    assert server.process.poll() is None
    client.terminate()
    client.communicate(timeout=30)
    assert client.returncode == 0
    assert server.process.wait(30) == 0


def test_a_service_manager_that_asks_all_to_end_ends_no_server_before_its_forks(server):
    client = server.client(f"signal.signal(15, lambda *_: os._exit(0)); {WAITS}")
    fork = begun(client)
    server.process.terminate()
    server.worker_ends()
    os.kill(fork, signal.SIGTERM)
    client.communicate(timeout=30)
    assert (client.returncode, server.process.wait(30)) == (0, 0)


@pytest.mark.parametrize(
    "said", [b"", b"x", flow_run.LENGTH.pack(0), flow_run.LENGTH.pack(2**40), flow_run.LENGTH.pack(9) + b"half"]
)
def test_who_asks_for_nothing_that_can_be_run_gets_no_fork_and_the_next_one_does(server, said):
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.connect(str(server.path))
        assert stranger.recv(1) == flow_run.READY
        stranger.sendall(said)
    client = server.client("print('well')")
    assert client.communicate(timeout=30)[0] == "well\n"


def test_without_a_server_the_engine_is_started_in_a_process_of_its_own(tmp_path):
    command = [sys.executable, "-I", "-S", flow_run.__file__, str(tmp_path / "nobody")]
    ended = subprocess.run(command, env={"PREFECT__FLOW_RUN_ID": "no run"}, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "Invalid flow run id" in ended.stdout + ended.stderr
