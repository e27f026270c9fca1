"""The proof that matters: whatever an actor changes on the range, its CloudTrail leads back to the network as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from range_changes import CHANGES, MADE, NothingToChange, build, make
from roundtrip import Network, fold, told_wrongly, undo, values

from drill.aws import Range, RangeConfig


@pytest.fixture(scope="module")
def aws() -> Iterator[Range]:
    with Range(RangeConfig(regions=("us-east-1",))) as running:
        yield running


def returns_to_where_it_was(aws: Range, examples: int) -> None:
    """Random changes are read from the trail as AWS then shows them, and undone completely."""

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(CHANGES, min_size=1, max_size=12))
    def undone(changes: list[tuple[Any, ...]]) -> None:
        aws.reset()
        network = Network(aws)
        world = build(network)
        before = network.settings()

        for change, *arguments in changes:
            with suppress(NothingToChange, ClientError):
                change(world, *arguments)

        folded = fold(network.records(), before)
        assert told_wrongly(folded, values(network.settings())) == {}
        assert undo(network, folded) == []
        assert values(network.settings()) == values(before)

    undone()


@pytest.mark.slow
def test_some_changes_return_to_where_they_were(aws: Range):
    returns_to_where_it_was(aws, examples=8)


@pytest.mark.slow
def test_many_changes_return_to_where_they_were(aws: Range):
    returns_to_where_it_was(aws, examples=40)


@pytest.mark.parametrize("what", MADE)
def test_whatever_is_made_is_unmade(aws: Range, what: str):
    aws.reset()
    network = Network(aws)
    world = build(network)
    before = network.settings()

    make(world, what, 0)

    folded = fold(network.records(), before)
    assert told_wrongly(folded, values(network.settings())) == {}
    assert undo(network, folded) == []
    assert values(network.settings()) == values(before)
