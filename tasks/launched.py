"""What comes along with what the actor ordered: AWS says it of each instance and snapshot, and no record has to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from incident.family import Scope
from incident.planner import Unread
from incident.resources.brought_along import BRINGS_ALONG, along, going, images_of, reads_along, users_in, with_users
from incident.resources.compute import SNAPSHOT
from incident.resources.spot import ORDERS, instances_of, launched
from incident.settings import Observed, Reversal, SettingKey
from tasks.aws import Aws, AwsError


def launched_by(aws: Aws, reversals: Iterable[Reversal]) -> list[Reversal]:
    """The instances of orders, the snapshots of images and what imports made, of all that is to be undone; less what is already.

    What others rely on stays for now, and what came with it too.

    Raises:
        AwsError: they could not be asked for; then no plan can say that it ends all that the orders launched.
    """
    given = list(reversals)
    known = {one.key for one in given}
    orders = [one for one in given if one.key.kind in BRINGS_ALONG and one.target is None and not one.relying]
    found = {one.key: one for order in orders for one in _of(aws, order)}
    return [one for key, one in found.items() if key not in known]


def _of(aws: Aws, order: Reversal) -> Iterator[Reversal]:
    place = Scope(order.key.account, order.key.region)
    if order.key.kind in ORDERS:
        for page in aws.read_all(place, instances_of(order.key)):
            for reservation in page["Reservations"]:
                yield from launched(order, reservation["Instances"])
        return
    for read in reads_along(order.key):
        for page in aws.read_all(place, read):
            yield from along(order, page)


_Live = dict[SettingKey, Observed | Unread | None]
_FILTER_VALUES = 200
"""See https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html"""


def with_images(aws: Aws, reversals: Iterable[Reversal], live: _Live) -> _Live:
    """The live values, each snapshot that would go with the images that use it and stay; unread where these could not be read."""
    wanted = list(reversals)
    asked = [
        one.key for one in wanted if one.key.kind == SNAPSHOT and one.target is None and isinstance(live.get(one.key), Observed)
    ]
    places: dict[Scope, list[SettingKey]] = {}
    for key in asked:
        places.setdefault(Scope(key.account, key.region), []).append(key)
    found, unread = dict[SettingKey, set[str]](), dict[SettingKey, Unread]()
    for place, keys in places.items():
        for start in range(0, len(keys), _FILTER_VALUES):
            some = keys[start : start + _FILTER_VALUES]
            try:
                found |= users_in(some, list(aws.read_all(place, images_of(some))), going(wanted))
            except AwsError as error:
                unread |= dict.fromkeys(some, Unread(f"which images use it: {error}"))
    return {**with_users(live, found), **unread}
