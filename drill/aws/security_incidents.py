"""AWS Security Incident Response, as far as opening a case goes: only members may, and one client token is one case.

See https://docs.aws.amazon.com/security-ir/latest/APIReference/API_CreateCase.html
"""

from __future__ import annotations

from typing import Any

from drill.aws.errors import AwsError
from drill.aws.identity import Caller
from drill.aws.wire import Call


class SecurityIncidents:
    """The cases of all accounts."""

    def __init__(self) -> None:
        self._members: set[str] = set()
        self._cases: dict[str, dict[str, dict[str, Any]]] = {}

    def clear(self) -> None:
        self._members.clear()
        self._cases.clear()

    def activate(self, account: str) -> None:
        """Make an account a member."""
        self._members.add(account)

    def cases(self, account: str) -> list[dict[str, Any]]:
        return list(self._cases.get(account, {}).values())

    def create_case(self, call: Call, caller: Caller) -> dict[str, Any]:
        """CreateCase.

        Raises:
            AwsError: The account is no member, a required part is missing, or the token stands for another case.
        """
        if caller.account not in self._members:
            raise AwsError("SecurityIncidentResponseNotActiveException", "Security Incident Response is not active.", 400)
        shape = call.model.input_shape
        for name in shape.required_members:
            if call.params.get(name) in (None, ""):
                raise AwsError("ValidationException", f"{name} must not be null", 400)
        asked = {name: value for name, value in call.params.items() if name != "clientToken"}
        own = self._cases.setdefault(caller.account, {})
        token = str(call.params.get("clientToken") or call.request_id)
        if token not in own:
            own[token] = {"caseId": f"{len(own) + 1:010d}", **asked}
        known = own[token]
        if {name: value for name, value in known.items() if name != "caseId"} != asked:
            raise AwsError("ConflictException", "The client token was used with other parameters.", 409)
        return {"caseId": known["caseId"]}
