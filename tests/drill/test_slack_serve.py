"""`python -m drill.slack.serve`, as a process of its own."""

from __future__ import annotations

import re
import signal
import subprocess
import sys

import pytest
from slack_sdk import WebClient

from drill.slack.people import people_from, read_people
from drill.slack.serve import main

pytestmark = pytest.mark.served


def test_it_serves_until_it_is_terminated() -> None:
    arguments = [
        "--port",
        "0",
        "--channel",
        "C1:alerts",
        "--team",
        "T1",
        "--users",
        '[{"id":"U1","name":"ann"}]',
        "--bot-token",
        "xoxb-1",
    ]
    command = [sys.executable, "-m", "drill.slack.serve", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        started = re.fullmatch(
            r"slack at (http://127\.0\.0\.1:\d+)  api (http://127\.0\.0\.1:\d+/api/)\n", process.stdout.readline()
        )
        assert started
        client = WebClient("xoxb-1", base_url=started[2])
        assert client.auth_test()["team_id"] == "T1"
        assert client.users_info(user="U1")["user"]["name"] == "ann"
        assert client.chat_postMessage(channel="C1", text="hello")["ok"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


_SENSELESS = [
    "[",
    "[1]",
    '[{"id":"U1"}]',
    '[{"id":1,"name":"a"}]',
    '[{"id":"U1","name":"a","colour":"red"}]',
    "/nowhere/users.json",
]


@pytest.mark.parametrize("users", _SENSELESS)
def test_people_that_make_no_sense_are_refused_in_one_line(users: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["--port", "0", "--users", users])
    assert refused.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("python -m drill.slack.serve: error: --users: ")


def test_people_come_from_a_file(tmp_path) -> None:
    file = tmp_path / "users.json"
    file.write_text('[{"id": "U1", "name": "ann", "guest": "single"}]')
    (ann,) = read_people(str(file), "T1")
    assert (ann.id, ann.team_id, ann.as_user("T1")["is_ultra_restricted"]) == ("U1", "T1", True)


def test_two_people_with_one_id_are_refused() -> None:
    with pytest.raises(ValueError, match="same id"):
        people_from([{"id": "U1", "name": "a"}, {"id": "U1", "name": "b"}], "T1")
