"""A network namespace of its own with one cable to this one, which can be pulled out and put back. Needs root."""

from __future__ import annotations

import subprocess
from types import TracebackType

HERE, THERE = "10.231.77.1", "10.231.77.2"
_NAME, _CABLE, _FAR = "countermand-ha", "cm-ha0", "cm-ha1"


class Namespace:
    """Made on entering, gone on leaving."""

    def __enter__(self) -> Namespace:
        self._clear()
        for command in (
            f"netns add {_NAME}",
            f"link add {_CABLE} type veth peer name {_FAR} netns {_NAME}",
            f"addr add {HERE}/30 dev {_CABLE}",
            f"link set {_CABLE} up",
            f"-n {_NAME} addr add {THERE}/30 dev {_FAR}",
            f"-n {_NAME} link set {_FAR} up",
            f"-n {_NAME} link set lo up",
        ):
            _ip(command)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._clear()

    @property
    def inside(self) -> list[str]:
        """What stands before a command that runs in it."""
        return ["ip", "netns", "exec", _NAME]

    def pull_out(self) -> None:
        _ip(f"link set {_CABLE} down")

    def put_back(self) -> None:
        _ip(f"link set {_CABLE} up")

    def _clear(self) -> None:
        subprocess.run(["ip", "netns", "del", _NAME], capture_output=True, check=False)
        subprocess.run(["ip", "link", "del", _CABLE], capture_output=True, check=False)


def _ip(command: str) -> None:
    subprocess.run(["ip", *command.split()], check=True)
