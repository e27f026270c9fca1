"""What the actor's orders for instances launched: AWS says it of each instance, and no record has to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from incident.family import Scope
from incident.resources.spot import ORDERS, instances_of, launched
from incident.settings import Reversal
from tasks.aws import Aws


def launched_by(aws: Aws, reversals: Iterable[Reversal]) -> list[Reversal]:
    """The instances of orders that are to be undone, less those that are to be undone already.

    Raises:
        AwsError: they could not be asked for; then no plan can say that it ends all that the orders launched.
    """
    given = list(reversals)
    known = {one.key for one in given}
    found = [one for order in given if order.key.kind in ORDERS and order.target is None for one in _of(aws, order)]
    return [one for one in found if one.key not in known]


def _of(aws: Aws, order: Reversal) -> Iterator[Reversal]:
    for page in aws.read_all(Scope(order.key.account, order.key.region), instances_of(order.key)):
        for reservation in page["Reservations"]:
            yield from launched(order, reservation["Instances"])
