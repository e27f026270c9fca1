"""Cost Explorer: what an exercise says that services cost, by account, day and region; where nothing is said, nothing was spent."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from typing import Any

from drill.aws.clock import Clock
from drill.aws.errors import AwsError
from drill.aws.identity import Caller
from drill.aws.wire import Call

_MOST_GROUPS = 2
# AWS keeps thirteen months of days; the newest two are estimates.
_OLDEST_DAYS, _ESTIMATED_DAYS, _PAGE = 400, 2, 100
_DIMENSIONS = ("SERVICE", "REGION")


class CostExplorer:
    """`enabled` is whether the accounts have switched it on."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.enabled = True
        self._spent: list[dict[str, Any]] = []

    def clear(self) -> None:
        self._spent.clear()
        self.enabled = True

    def spend(self, account: str, day: str, service: str, region: str, amount: float) -> None:
        """Say what a service cost on a day.

        Raises:
            ValueError: the day is none.
        """
        date.fromisoformat(day)
        self._spent.append({"account": account, "day": day, "SERVICE": service, "REGION": region, "amount": float(amount)})

    def get_cost_and_usage(self, call: Call, caller: Caller) -> dict[str, Any]:
        """GetCostAndUsage by day, by up to two of service and region.

        Raises:
            AwsError: the account has no Cost Explorer, or the question is none that AWS takes.
        """
        if not self.enabled:
            raise AwsError("AccessDeniedException", "User not enabled for cost explorer access")
        start, end = self._period(call)
        keys = [str(one.get("Key")) for one in call.params.get("GroupBy") or []]
        if call.params.get("Granularity") != "DAILY" or len(keys) > _MOST_GROUPS or not set(keys) <= set(_DIMENSIONS):
            raise AwsError("ValidationException", "The range answers by DAY, and by SERVICE and REGION only.")
        metrics = call.params.get("Metrics") or []
        if metrics != ["UnblendedCost"]:
            raise AwsError("ValidationException", "Metrics are required, and the range has UnblendedCost only.")
        days = [start + timedelta(days=number) for number in range((end - start).days)]
        first = int(call.params.get("NextPageToken") or 0)
        told = [self._told(day, keys, caller.account) for day in days[first : first + _PAGE]]
        more = {"NextPageToken": str(first + _PAGE)} if first + _PAGE < len(days) else {}
        return {"ResultsByTime": told, "GroupDefinitions": call.params.get("GroupBy") or [], "DimensionValueAttributes": [], **more}

    def _period(self, call: Call) -> tuple[date, date]:
        period = call.params.get("TimePeriod") or {}
        try:
            start, end = date.fromisoformat(str(period.get("Start"))), date.fromisoformat(str(period.get("End")))
        except ValueError:
            raise AwsError("ValidationException", "Start and end dates are to be written YYYY-MM-DD") from None
        if start >= end:
            raise AwsError("ValidationException", "Start date (and hour) should be before end date (and hour)")
        if (self._today() - start).days > _OLDEST_DAYS:
            raise AwsError("ValidationException", "data only available for past 14 months")
        return start, end

    def _today(self) -> date:
        return datetime.fromtimestamp(self._clock.now(), UTC).date()

    def _told(self, day: date, keys: list[str], account: str) -> dict[str, Any]:
        sums: dict[tuple[str, ...], float] = defaultdict(float)
        for one in self._spent:
            if (one["account"], one["day"]) == (account, str(day)):
                sums[tuple(one[key] for key in keys)] += one["amount"]
        groups = [{"Keys": list(names), "Metrics": {"UnblendedCost": _cost(amount)}} for names, amount in sorted(sums.items())]
        return {
            "TimePeriod": {"Start": str(day), "End": str(day + timedelta(days=1))},
            "Total": {} if keys else {"UnblendedCost": _cost(sum(sums.values()))},
            "Groups": groups if keys else [],
            "Estimated": (self._today() - day).days < _ESTIMATED_DAYS,
        }


def _cost(amount: float) -> dict[str, str]:
    return {"Amount": f"{amount:.10f}", "Unit": "USD"}
