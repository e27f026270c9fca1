"""Which regions exist, and which of them the accounts have switched on."""

from __future__ import annotations

from typing import Any

from drill.aws.config import DEFAULT_REGIONS, RangeConfig, all_regions
from drill.aws.errors import AwsError
from drill.aws.identity import Caller
from drill.aws.wire import Call


class Regions:
    """ec2:DescribeRegions, account:ListRegions and account:GetRegionOptStatus."""

    def __init__(self, config: RangeConfig) -> None:
        self._config = config
        self._all = all_regions()

    def _opt_in(self, region: str) -> str:
        if region not in self._config.enabled:
            return "not-opted-in"
        return "opt-in-not-required" if region in DEFAULT_REGIONS else "opted-in"

    def _account_status(self, region: str) -> str:
        if region not in self._config.enabled:
            return "DISABLED"
        return "ENABLED_BY_DEFAULT" if region in DEFAULT_REGIONS else "ENABLED"

    def describe_regions(self, call: Call, caller: Caller) -> dict[str, Any]:
        """DescribeRegions: the enabled ones, or with AllRegions all."""
        wanted = call.params.get("RegionNames") or []
        for name in wanted:
            if name not in self._all:
                raise AwsError("InvalidParameterValue", f"Invalid region provided: {name}")
        shown = [
            {"RegionName": r, "Endpoint": f"ec2.{r}.amazonaws.com", "OptInStatus": self._opt_in(r)}
            for r in self._all
            if (call.params.get("AllRegions") or r in self._config.enabled or r in wanted) and (not wanted or r in wanted)
        ]
        keys = {"region-name": "RegionName", "endpoint": "Endpoint", "opt-in-status": "OptInStatus"}
        for test in call.params.get("Filters") or []:
            if test["Name"] not in keys:
                raise AwsError("InvalidParameterValue", f"The filter '{test['Name']}' is invalid")
            shown = [r for r in shown if r[keys[test["Name"]]] in test.get("Values", [])]
        return {"Regions": shown}

    def list_regions(self, call: Call, caller: Caller) -> dict[str, Any]:
        """ListRegions, in pages of at most 50."""
        wanted = call.params.get("RegionOptStatusContains") or []
        found = [
            {"RegionName": r, "RegionOptStatus": self._account_status(r)}
            for r in self._all
            if not wanted or self._account_status(r) in wanted
        ]
        limit = int(call.params.get("MaxResults") or 50)
        token = call.params.get("NextToken") or "0"
        if not token.isdigit() or not 1 <= limit <= 50:
            raise AwsError("ValidationException", "MaxResults or NextToken is not valid.")
        start = int(token)
        answer: dict[str, Any] = {"Regions": found[start : start + limit]}
        if start + limit < len(found):
            answer["NextToken"] = str(start + limit)
        return answer

    def get_region_opt_status(self, call: Call, caller: Caller) -> dict[str, Any]:
        """GetRegionOptStatus."""
        name = call.params["RegionName"]
        if name not in self._all:
            raise AwsError("ValidationException", f"Region {name} does not exist.")
        return {"RegionName": name, "RegionOptStatus": self._account_status(name)}
