"""The guards once more, just before a step begins: what was planned an hour ago may be protected by now."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from incident.family import Read, Scope
from incident.guards import Tagged, refused_now, tagged
from incident.plan import Phase, Step
from incident.planner import Unread
from incident.policy import Policy
from tasks.aws import Aws, AwsError
from tasks.config import ConfigError


class Guarding:
    """Reads the policy and the live tags of what a step changes.

    Args:
        aws: reads the tags.
        policy: reads the policy as it is now, so that whom a responder just protected is protected.
    """

    def __init__(self, aws: Aws, policy: Callable[[], Policy]) -> None:
        self._aws, self._policy = aws, policy

    def __call__(self, step: Step) -> str:
        """The first rule that refuses a step now, and the step; empty where none does. Taking evidence only adds."""
        if step.phase is Phase.EVIDENCE:
            return ""
        try:
            policy = self._policy()
        except ConfigError as error:
            return f"refused by rule policy: the policy file cannot be read ({error}) (step {step.id})"
        resources = tagged([step]) if policy.protected_tags else ()
        tags = {one: tags_of(self._aws, one) for one in resources}
        refusal = next(iter(refused_now(step, policy, self._aws.own_access_key(step.account), tags)), None)
        return str(refusal) if refusal else ""


def tags_of(aws: Aws, one: Tagged) -> Mapping[str, str] | Unread:
    """The live tags of a resource. See https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeTags.html"""
    read = Read("ec2", "DescribeTags", {"Filters": [{"Name": "resource-id", "Values": [one.resource]}]})
    try:
        pages = list(aws.read_all(Scope(one.account, one.region), read))
    except AwsError as error:
        return Unread(str(error))
    return {str(tag["Key"]): str(tag.get("Value", "")) for page in pages for tag in page.get("Tags", [])}
