"""What is known of operations that no family understands."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from incident.network.recognized import Undo, recognized, recognized_operations
from incident.network.registry import FAMILIES

CENSUS = (
    Path(os.environ.get("COUNTERMAND_CORPUS") or Path(__file__).parents[3] / "shared" / "data") / "network-operations-census.csv"
)
EVENT_SOURCES = {
    "elb": "elasticloadbalancing",
    "elbv2": "elasticloadbalancing",
    "efs": "elasticfilesystem",
    "opensearch": "es",
    "docdb": "rds",
    "neptune": "rds",
    "s3control": "s3",
    "apigatewayv2": "apigateway",
}
"""Services whose records come from a source of another name."""


def test_every_understood_operation_is_recognized_too():
    understood = {event for family in FAMILIES for event in family.events}
    assert [operation for operation in sorted(understood) if recognized(operation) is None] == []


def test_an_operation_says_what_it_changes_and_what_to_do():
    for operation in recognized_operations():
        known = recognized(operation)
        assert known is not None
        assert known.what.startswith(operation.partition(":")[2])
        assert known.advice.endswith(".")


def test_a_pair_is_found_by_its_verbs():
    assert recognized("ec2:CreateClientVpnRoute").opposite == "DeleteClientVpnRoute"  # type: ignore[union-attr]
    assert recognized("ec2:AcceptVpcPeeringConnection").undo is Undo.PAIR  # type: ignore[union-attr]


def test_lambdas_event_names_are_known_by_any_version():
    assert recognized("lambda:AddPermission20150331v2") == recognized("lambda:AddPermission")


def test_what_changes_no_network_is_not_recognized():
    assert recognized("ec2:CreateVolume") is None
    assert recognized("iam:CreateUser") is None


@pytest.mark.skipif(not CENSUS.is_file(), reason=f"no census at {CENSUS}: set COUNTERMAND_CORPUS")
def test_every_operation_of_the_census_is_recognized():
    with CENSUS.open() as rows:
        named = [f"{EVENT_SOURCES.get(row['service'], row['service'])}:{row['operation']}" for row in csv.DictReader(rows)]
    assert [operation for operation in named if recognized(operation) is None] == []
