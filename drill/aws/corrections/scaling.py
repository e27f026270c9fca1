"""Members of Auto Scaling groups: who is ended when, and that their termination protection does not bind their group."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from moto.autoscaling.exceptions import ValidationError
from moto.autoscaling.models import AutoScalingBackend, FakeAutoScalingGroup

from drill.aws.corrections.base import corrects

_STANDBY = "Standby"


def correct() -> None:
    """The corrections of this module are in place once it is imported."""


@corrects(FakeAutoScalingGroup)
def set_desired_capacity(self: Any, new_capacity: Any) -> None:
    """moto ends members on standby in the stead of those in service."""
    resting = [one for one in self.instance_states if one.lifecycle_state == _STANDBY]
    self.instance_states = [one for one in self.instance_states if one not in resting]
    with _unprotected(self.instance_states):
        set_desired_capacity.moto(self, new_capacity)  # type: ignore[attr-defined]
    self.instance_states = [*self.instance_states, *resting]


@contextmanager
def _unprotected(states: list[Any]) -> Iterator[None]:
    """A group may end its members though the API may not."""
    protected = [one.instance for one in states if one.instance.disable_api_termination]
    for instance in protected:
        instance.disable_api_termination = False
    try:
        yield
    finally:
        for instance in protected:
            instance.disable_api_termination = True


@corrects(AutoScalingBackend)
def delete_auto_scaling_group(self: Any, group_name: str) -> None:
    """A group takes its members on standby along."""
    group = self.autoscaling_groups.get(group_name)
    for state in group.instance_states if group else ():
        state.lifecycle_state = "InService"
    delete_auto_scaling_group.moto(self, group_name)  # type: ignore[attr-defined]


@corrects(AutoScalingBackend)
def enter_standby_instances(self: Any, group_name: str, instance_ids: list[str], should_decrement: bool) -> Any:
    """moto lets a group fall below its smallest size."""
    group = self.autoscaling_groups.get(group_name)
    if group is not None and should_decrement and group.desired_capacity - len(instance_ids) < group.min_size:
        message = f"AutoScalingGroup {group_name} has min-size={group.min_size}, max-size={group.max_size}, and desired-size="
        raise ValidationError(f"{message}{group.desired_capacity}. To place into standby would put it below its min-size.")
    return enter_standby_instances.moto(self, group_name, instance_ids, should_decrement)  # type: ignore[attr-defined]
