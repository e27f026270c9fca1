"""The incidents: each with its own thief, its own administrator and its own security group, in one account of the range."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import drill
from drill.aws.range import Range
from drill.client import boto_client
from drill.scenario import Scenario, loads
from drill.stage import Stage

_SOURCE = Path(drill.__file__).parent / "scenarios" / "open-ssh-to-world.yaml"
_REGIONS = "regions: [us-east-1, eu-central-1, ap-south-1]"


def scenario(number: int) -> Scenario:
    """The smallest complete incident, with names and addresses of its own."""
    text = _SOURCE.read_text().replace(_REGIONS, "regions: [us-east-1]")
    for old, new in (
        ("user: owner", f"user: owner-{number}"),
        ("user: mallory", f"user: mallory-{number}"),
        ("role: NetworkAdmin", f"role: NetworkAdmin{number}"),
        ("198.51.100.7", f"198.51.100.{100 + number}"),
        ("203.0.113.8", f"203.0.113.{50 + number}"),
        ("203.0.113.9", f"203.0.113.{150 + number}"),
        ("10.0.0.0/16", f"10.{number}.0.0/16"),
    ):
        if old not in text:
            raise ValueError(f"the scenario has no {old} any more")
        text = text.replace(old, new)
    return loads(text)


class Incident:
    """One attack on the range, and what must be true of it in the end."""

    def __init__(self, number: int, aws: Range) -> None:
        self._aws, self.stage = aws, Stage(scenario(number), aws)
        self.stage.build_estate()
        self.happened = self.stage.attack()
        self.group = str(self.happened.names["sg"])
        self.event: dict[str, Any] = self.stage.finding().envelope

    def problems(self) -> list[str]:
        """What is not as it must be, read by the owner of the account."""
        ec2 = boto_client(self._aws.url, "ec2", "us-east-1", self._aws.bootstrap())
        group = ec2.describe_security_groups(GroupIds=[self.group])["SecurityGroups"][0]
        ports = sorted(rule["FromPort"] for rule in group["IpPermissions"])
        found = [] if ports == [443, 8443] else [f"{self.group} lets in {ports}, not [443, 8443]"]
        working = [key for name, keys in self.stage.working_keys().items() if name == "mallory" for key in keys]
        return found + [f"the stolen key {key} still works" for key in working]

    def calls(self) -> list[str]:
        """What the responder changed of this incident, a line for each call that the range took."""
        stolen = set(self.happened.keys["mallory"])
        mine: list[str] = []
        for call in self.stage.range.calls():
            ours = "CountermandResponder" in str(call.get("principal", ""))
            if ours and (self.group in str(call["params"]) or any(key in str(call["params"]) for key in stolen)):
                mine.append(f"{call['operation']} {call['params']}")
        return mine
