"""An AWS for practice: moto behind a gate that keeps CloudTrail, GuardDuty, IAM and the clock honest."""

from drill.aws.clock import Clock
from drill.aws.config import DEFAULT_REGIONS, KeyPair, RangeConfig, bootstrap_keys, responder_keys
from drill.aws.range import Range

__all__ = ["DEFAULT_REGIONS", "Clock", "KeyPair", "Range", "RangeConfig", "bootstrap_keys", "responder_keys"]
