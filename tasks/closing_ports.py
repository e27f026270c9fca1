"""The automation document of Systems Manager that closes ports, made of the script beside this module.

https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-action-executeScript.html
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

_SCRIPT = Path(__file__).with_name("close_ports.py")
_PORTS = r"^(none|\d{1,5}(-\d{1,5})?(,\d{1,5}(-\d{1,5})?)*)$"


def closing_document() -> dict[str, Any]:
    """The document, as JSON."""
    asked = ("GroupId", "TcpPorts", "UdpPorts")
    return {
        "schemaVersion": "0.3",
        "description": "Takes rules off a security group that open other ports than the allowed ones to the internet.",
        "assumeRole": "{{ AutomationAssumeRole }}",
        "parameters": {
            "AutomationAssumeRole": {"type": "String", "description": "The role that closes the ports."},
            "GroupId": {"type": "String", "description": "The security group.", "allowedPattern": "^sg-[0-9a-f]{8,17}$"},
            "TcpPorts": {"type": "String", "description": "TCP ports that may be open.", "allowedPattern": _PORTS},
            "UdpPorts": {"type": "String", "description": "UDP ports that may be open.", "allowedPattern": _PORTS},
        },
        "mainSteps": [
            {
                "name": "ClosePorts",
                "action": "aws:executeScript",
                "isEnd": True,
                "inputs": {
                    "Runtime": "python3.11",
                    "Handler": "close_ports",
                    "Script": _SCRIPT.read_text(),
                    "InputPayload": {name: f"{{{{ {name} }}}}" for name in asked},
                },
            }
        ],
    }
