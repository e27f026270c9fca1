"""Every changing operation of EC2 that the installed botocore knows is understood, recognized or looked at and found harmless."""

from __future__ import annotations

import re

import pytest
from botocore.model import ServiceModel
from botocore.session import Session
from examples import record

from incident.explain import Certainty, explain
from incident.families import family_for_event
from incident.network.not_network import NOT_NETWORK
from incident.network.opposites import advised_call, opposites
from incident.network.recognized import recognized, recognized_operations
from incident.network.registry import Standing, standing

READS = re.compile(r"(Describe|Get|List|Search)[A-Z]")


@pytest.fixture(scope="module")
def ec2() -> ServiceModel:
    return Session().get_service_model("ec2")


def changing(ec2: ServiceModel) -> list[str]:
    return [name for name in ec2.operation_names if not READS.match(name)]


def test_no_changing_operation_is_unheard_of(ec2: ServiceModel):
    unheard = [
        name
        for name in changing(ec2)
        if family_for_event(f"ec2:{name}") is None and recognized(f"ec2:{name}") is None and f"ec2:{name}" not in NOT_NETWORK
    ]
    assert unheard == [], "write each into a family, recognized_ec2.py or not_network.py"


def test_what_changes_no_network_is_on_no_other_list(ec2: ServiceModel):
    assert [name for name in sorted(NOT_NETWORK) if recognized(name) or family_for_event(name)] == []
    assert {f"ec2:{name}" for name in ec2.operation_names} >= NOT_NETWORK


def test_what_changes_no_network_is_not_explained():
    assert standing(record("ModifyInstanceEventWindow")) is Standing.ELSEWHERE


def test_a_recognized_operation_says_what_to_do_by_hand(ec2: ServiceModel):
    for name in changing(ec2):
        known = recognized(f"ec2:{name}")
        if known is not None and family_for_event(f"ec2:{name}") is None:
            assert known.what.startswith(name)
            assert known.advice.endswith(".")


def test_an_opposite_is_an_operation_that_is_known_itself():
    for operation in recognized_operations():
        known = recognized(operation)
        if known is not None and known.opposite:
            assert recognized(f"{operation.partition(':')[0]}:{known.opposite}") is not None


def test_the_call_of_every_opposite_is_one_that_aws_takes(ec2: ServiceModel):
    for operation, opposite in opposites().items():
        asked = ec2.operation_model(opposite.operation).input_shape
        told = ec2.operation_model(operation.removeprefix("ec2:"))
        given = {*opposite.needs, *opposite.takes}
        assert given <= asked.members.keys(), operation
        assert set(asked.required_members) <= set(opposite.needs), operation
        answered = told.output_shape.members if told.output_shape else {}
        inner = [shape.members for shape in answered.values() if shape.type_name == "structure"]
        carried = {*told.input_shape.members, *answered, *(name for members in inner for name in members)}
        assert set(opposite.needs) <= carried, operation


def test_an_opposite_is_of_an_operation_that_no_family_undoes():
    assert [operation for operation in opposites() if family_for_event(operation)] == []
    assert [operation for operation in opposites() if recognized(operation) is None] == []


def test_what_was_made_is_to_be_deleted_by_the_id_of_the_answer():
    made = record(
        "CreateInstanceConnectEndpoint",
        request={"CreateInstanceConnectEndpointRequest": {"SubnetId": "subnet-1"}},
        response={"CreateInstanceConnectEndpointResponse": {"instanceConnectEndpoint": {"instanceConnectEndpointId": "eice-1"}}},
    )
    assert str(advised_call(made)) == "DeleteInstanceConnectEndpoint(InstanceConnectEndpointId=eice-1)"


def test_stopped_instances_are_to_be_started_all_of_them():
    stopped = record("StopInstances", request={"instancesSet": {"items": [{"instanceId": "i-1"}, {"instanceId": "i-2"}]}})
    assert str(advised_call(stopped)) == "StartInstances(InstanceIds=[i-1, i-2])"


def test_nothing_is_advised_where_the_record_lacks_an_id():
    removed = {"ClientVpnEndpointId": "cvpn-endpoint-1", "DestinationCidrBlock": "10.0.0.0/8"}
    told = record("DeleteClientVpnRoute", request={"DeleteClientVpnRouteRequest": removed})
    assert advised_call(told) is None
    told = record("DeleteClientVpnRoute", request={"DeleteClientVpnRouteRequest": {**removed, "TargetVpcSubnetId": "subnet-1"}})
    call = advised_call(told)
    assert call is not None
    assert (call.operation, call.parameters) == ("CreateClientVpnRoute", {**removed, "TargetVpcSubnetId": "subnet-1"})


def test_a_refused_call_needs_no_opposite():
    refused = record("StopInstances", request={"instancesSet": {"items": [{"instanceId": "i-1"}]}}, errorCode="Client.Denied")
    assert advised_call(refused) is None


def test_the_advice_of_explain_is_text_and_never_a_step():
    request = {"AssociateSecurityGroupVpcRequest": {"GroupId": "sg-1", "VpcId": "vpc-1"}}
    (told,) = explain([record("AssociateSecurityGroupVpc", request=request).raw])
    assert isinstance(told.undo, str)
    assert "DisassociateSecurityGroupVpc(GroupId=sg-1, VpcId=vpc-1)" in told.undo
    assert told.certainty is Certainty.NOT_INVERTIBLE
