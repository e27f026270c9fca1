"""Where moto is wrong and the range is right. Each test is the reproduction of one fault in docs/moto.md."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest

from drill.aws import Range
from tests.drill.conftest import Clients, code_of, permission

AMI = "ami-0a1b2c3d4e5f60001"


def _ingress(ec2: Any, group: str) -> list[Any]:
    return list(ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissions"])


def _rules(ec2: Any, group: str, egress: bool = False) -> list[Any]:
    found = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])["SecurityGroupRules"]
    return [r for r in found if r["IsEgress"] is egress]


# ---- security groups --------------------------------------------------------------------------------------------


def test_an_authorization_answers_for_every_permission(ec2: Any, group: str) -> None:
    answer = ec2.authorize_security_group_ingress(
        GroupId=group, IpPermissions=[permission(low=1, high=1), permission(low=2, high=2)]
    )
    assert [r["FromPort"] for r in answer["SecurityGroupRules"]] == [1, 2]


def test_an_authorization_with_a_duplicate_changes_nothing(ec2: Any, group: str) -> None:
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission(low=2, high=2)])
    both = [permission(low=3, high=3), permission(low=2, high=2)]
    assert code_of(ec2.authorize_security_group_ingress, GroupId=group, IpPermissions=both) == "InvalidPermission.Duplicate"
    assert [p["FromPort"] for p in _ingress(ec2, group)] == [2]


def test_a_revocation_needs_no_description_and_is_whole_or_nothing(ec2: Any, group: str) -> None:
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission(Description="ssh")])
    half = [permission(), permission(low=9, high=9)]
    assert code_of(ec2.revoke_security_group_ingress, GroupId=group, IpPermissions=half) == "InvalidPermission.NotFound"
    assert len(_ingress(ec2, group)) == 1
    answer = ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[permission()])
    assert answer["RevokedSecurityGroupRules"][0]["Description"] == "ssh"
    assert _ingress(ec2, group) == []


def test_ipv6_egress_is_really_revoked(ec2: Any, group: str) -> None:
    everything = [{"IpProtocol": "-1", "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}]
    assert code_of(ec2.revoke_security_group_egress, GroupId=group, IpPermissions=everything) == "InvalidPermission.NotFound"
    ec2.authorize_security_group_egress(GroupId=group, IpPermissions=everything)
    ec2.revoke_security_group_egress(GroupId=group, IpPermissions=everything)
    assert [r.get("CidrIpv4") for r in _rules(ec2, group, egress=True)] == ["0.0.0.0/0"]


def test_rules_of_groups_and_prefix_lists_keep_their_descriptions(ec2: Any, vpc: str, group: str) -> None:
    other = ec2.create_security_group(GroupName="db", Description="db", VpcId=vpc)["GroupId"]
    ranges = ec2.create_managed_prefix_list(PrefixListName="p", MaxEntries=3, AddressFamily="IPv4")["PrefixList"]["PrefixListId"]
    tcp = {"IpProtocol": "tcp", "FromPort": 5, "ToPort": 5}
    permissions = [
        {**tcp, "UserIdGroupPairs": [{"GroupId": other, "Description": "from db"}]},
        {**tcp, "PrefixListIds": [{"PrefixListId": ranges, "Description": "from p"}]},
    ]
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=permissions)
    assert sorted(r["Description"] for r in _rules(ec2, group)) == ["from db", "from p"]
    shown = _ingress(ec2, group)[0]
    assert shown["PrefixListIds"] == [{"PrefixListId": ranges, "Description": "from p"}]
    revoked = [{**tcp, "UserIdGroupPairs": [{"GroupId": other}]}]
    assert code_of(ec2.revoke_security_group_ingress, GroupId=group, IpPermissions=revoked) == ""


def test_rules_can_be_modified_in_every_way(ec2: Any, group: str) -> None:
    v6 = [{"IpProtocol": "tcp", "FromPort": 7, "ToPort": 7, "Ipv6Ranges": [{"CidrIpv6": "::/0", "Description": "old"}]}]
    rule = ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=v6)["SecurityGroupRules"][0]["SecurityGroupRuleId"]

    def modify(**new: Any) -> str:
        changes = [{"SecurityGroupRuleId": rule, "SecurityGroupRule": new}]
        return code_of(ec2.modify_security_group_rules, GroupId=group, SecurityGroupRules=changes)

    assert modify(IpProtocol="-1", CidrIpv6="2001:db8::/32") == ""
    changed = _rules(ec2, group)[0]
    assert (changed["IpProtocol"], changed["CidrIpv6"], changed["FromPort"]) == ("-1", "2001:db8::/32", -1)
    assert not changed.get("Description")
    assert modify(IpProtocol="tcp", FromPort=1, ToPort=1, CidrIpv4="10.0.0.0/8") == "InvalidParameterValue"


def test_cidrs_are_kept_as_networks(ec2: Any, group: str) -> None:
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission(cidr="10.1.2.3/8")])
    assert _ingress(ec2, group)[0]["IpRanges"] == [{"CidrIp": "10.0.0.0/8"}]
    assert (
        code_of(ec2.authorize_security_group_ingress, GroupId=group, IpPermissions=[permission()]) == "InvalidPermission.Duplicate"
    )


def test_groups_that_are_needed_stay(ec2: Any, vpc: str, group: str) -> None:
    other = ec2.create_security_group(GroupName="db", Description="db", VpcId=vpc)["GroupId"]
    pair = [{"IpProtocol": "tcp", "FromPort": 5, "ToPort": 5, "UserIdGroupPairs": [{"GroupId": other}]}]
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=pair)
    assert code_of(ec2.delete_security_group, GroupId=other) == "DependencyViolation"
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    eni = ec2.create_network_interface(SubnetId=subnet, Groups=[group])["NetworkInterface"]["NetworkInterfaceId"]
    assert code_of(ec2.delete_security_group, GroupId=group) == "DependencyViolation"
    ec2.delete_network_interface(NetworkInterfaceId=eni)
    assert code_of(ec2.delete_security_group, GroupId=group) == ""
    default = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["default"]}])["SecurityGroups"][0]
    assert code_of(ec2.delete_security_group, GroupId=default["GroupId"]) == "CannotDelete"


def test_unknown_prefix_lists_and_groups_are_refused(ec2: Any, group: str) -> None:
    tcp = {"IpProtocol": "tcp", "FromPort": 5, "ToPort": 5}
    by_list = [{**tcp, "PrefixListIds": [{"PrefixListId": "pl-0123456789abcdef0"}]}]
    by_group = [{**tcp, "UserIdGroupPairs": [{"GroupId": "sg-0123456789abcdef0"}]}]
    authorize = ec2.authorize_security_group_ingress
    assert code_of(authorize, GroupId=group, IpPermissions=by_list) == "InvalidPrefixListID.NotFound"
    assert code_of(authorize, GroupId=group, IpPermissions=by_group) == "InvalidGroup.NotFound"


# ---- routes -----------------------------------------------------------------------------------------------------


@pytest.fixture
def table(ec2: Any, vpc: str) -> str:
    return str(ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"])


@pytest.fixture
def gateway(ec2: Any, vpc: str) -> str:
    ident = str(ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"])
    ec2.attach_internet_gateway(InternetGatewayId=ident, VpcId=vpc)
    return ident


def _route(ec2: Any, table: str, destination: str) -> Any:
    routes = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]
    return next((r for r in routes if r.get("DestinationCidrBlock") == destination), None)


def test_local_routes_and_main_tables_stay(ec2: Any, vpc: str, table: str) -> None:
    assert code_of(ec2.delete_route, RouteTableId=table, DestinationCidrBlock="10.0.0.0/16") == "InvalidParameterValue"
    main = ec2.describe_route_tables(
        Filters=[{"Name": "association.main", "Values": ["true"]}, {"Name": "vpc-id", "Values": [vpc]}]
    )
    assert code_of(ec2.delete_route_table, RouteTableId=main["RouteTables"][0]["RouteTableId"]) == "DependencyViolation"


def test_a_destination_is_taken_once_whatever_the_target(ec2: Any, table: str, gateway: str) -> None:
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    peer = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=peer, CidrBlock="10.1.1.0/24")["Subnet"]["SubnetId"]
    eni = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    again = {"RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0", "NetworkInterfaceId": eni}
    assert code_of(ec2.create_route, **again) == "RouteAlreadyExists"


def test_routes_lead_somewhere(ec2: Any, table: str) -> None:
    loose = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    where = {"RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0"}
    assert code_of(ec2.create_route, **where, GatewayId=loose) == "InvalidParameterValue"
    assert code_of(ec2.create_route, **where, NatGatewayId="nat-0123456789abcdef0") == "InvalidNatGatewayID.NotFound"
    assert code_of(ec2.replace_route, **where, NatGatewayId="nat-0123456789abcdef0") == "InvalidParameterValue"
    assert _route(ec2, table, "0.0.0.0/0") is None


def test_a_refused_replacement_leaves_the_route(ec2: Any, table: str, gateway: str) -> None:
    where = {"RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0"}
    ec2.create_route(**where, GatewayId=gateway)
    assert code_of(ec2.replace_route, **where, NatGatewayId="nat-0123456789abcdef0") == "InvalidNatGatewayID.NotFound"
    assert _route(ec2, table, "0.0.0.0/0")["GatewayId"] == gateway


def test_a_route_whose_gateway_is_detached_is_a_blackhole(ec2: Any, vpc: str, table: str, gateway: str) -> None:
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    assert _route(ec2, table, "0.0.0.0/0")["State"] == "blackhole"


def test_a_subnet_has_one_table(ec2: Any, vpc: str, table: str) -> None:
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    other = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    assert code_of(ec2.associate_route_table, RouteTableId=other, SubnetId=subnet) == "Resource.AlreadyAssociated"
    ec2.delete_subnet(SubnetId=subnet)
    assert ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Associations"] == []


# ---- network ACLs -----------------------------------------------------------------------------------------------


@pytest.fixture
def acl(ec2: Any, vpc: str) -> str:
    return str(ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"])


def _entries(ec2: Any, acl: str) -> list[Any]:
    entries = ec2.describe_network_acls(NetworkAclIds=[acl])["NetworkAcls"][0]["Entries"]
    return [e for e in entries if e["RuleNumber"] != 32767]


def _entry(acl: str, number: int = 10, protocol: str = "6", **more: Any) -> dict[str, Any]:
    entry = {"NetworkAclId": acl, "RuleNumber": number, "Protocol": protocol, "RuleAction": "allow", "Egress": False}
    return {**entry, "CidrBlock": "10.0.0.0/8", **more}


def test_an_acl_ends_with_a_deny_that_stays(ec2: Any, acl: str) -> None:
    entries = ec2.describe_network_acls(NetworkAclIds=[acl])["NetworkAcls"][0]["Entries"]
    assert sorted((e["RuleNumber"], e["Egress"], e["RuleAction"]) for e in entries) == [
        (32767, False, "deny"),
        (32767, True, "deny"),
    ]
    assert code_of(ec2.delete_network_acl_entry, NetworkAclId=acl, RuleNumber=32767, Egress=True) == "InvalidParameterValue"


def test_icmp_and_protocol_names_are_kept(ec2: Any, acl: str) -> None:
    ec2.create_network_acl_entry(**_entry(acl, 10, "1", IcmpTypeCode={"Type": 8, "Code": -1}))
    ec2.create_network_acl_entry(**_entry(acl, 20, "tcp", PortRange={"From": 1, "To": 1}))
    assert _entries(ec2, acl)[0]["IcmpTypeCode"] == {"Type": 8, "Code": -1}
    assert _entries(ec2, acl)[1]["Protocol"] == "6"


def test_missing_entries_and_associations_have_their_codes(ec2: Any, acl: str) -> None:
    gone = {"NetworkAclId": acl, "RuleNumber": 9, "Egress": False}
    assert code_of(ec2.delete_network_acl_entry, **gone) == "InvalidNetworkAclEntry.NotFound"
    entry = _entry(acl, PortRange={"From": 1, "To": 1})
    assert code_of(ec2.replace_network_acl_entry, **entry) == "InvalidNetworkAclEntry.NotFound"
    ec2.create_network_acl_entry(**entry)
    assert code_of(ec2.create_network_acl_entry, **entry) == "NetworkAclEntryAlreadyExists"
    replace = ec2.replace_network_acl_association
    assert code_of(replace, AssociationId="aclassoc-0123456789abcdef0", NetworkAclId=acl) == "InvalidAssociationID.NotFound"
    assert code_of(ec2.describe_network_acls, NetworkAclIds=["acl-0123456789abcdef0"]) == "InvalidNetworkAclID.NotFound"


# ---- the rest of the network ------------------------------------------------------------------------------------


def test_prefix_lists_check_version_limit_and_content(ec2: Any, group: str) -> None:
    made = ec2.create_managed_prefix_list(
        PrefixListName="p", MaxEntries=1, AddressFamily="IPv4", Entries=[{"Cidr": "10.5.0.0/16", "Description": "base"}]
    )
    ident = made["PrefixList"]["PrefixListId"]
    modify = ec2.modify_managed_prefix_list
    more = [{"Cidr": "10.6.0.0/16"}]
    assert code_of(modify, PrefixListId=ident, CurrentVersion=7, AddEntries=more) == "PrefixListVersionMismatch"
    assert code_of(modify, PrefixListId=ident, CurrentVersion=1, AddEntries=more) == "PrefixListMaxEntriesExceeded"
    assert code_of(modify, PrefixListId=ident, CurrentVersion=1, RemoveEntries=more) == "InvalidPrefixListModification"
    modify(PrefixListId=ident, CurrentVersion=1, AddEntries=more, RemoveEntries=[{"Cidr": "10.5.0.0/16"}])
    shown = ec2.describe_managed_prefix_lists(PrefixListIds=[ident])["PrefixLists"][0]
    assert (shown["PrefixListName"], shown["Version"]) == ("p", 2)
    rule = [{"IpProtocol": "-1", "PrefixListIds": [{"PrefixListId": ident}]}]
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=rule)
    assert code_of(ec2.delete_managed_prefix_list, PrefixListId=ident) == "DependencyViolation"


def test_networks_and_subnets_in_use_stay(ec2: Any, vpc: str, gateway: str) -> None:
    assert code_of(ec2.delete_vpc, VpcId=vpc) == "DependencyViolation"
    second = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    assert code_of(ec2.attach_internet_gateway, InternetGatewayId=second, VpcId=vpc) == "InvalidParameterValue"
    assert code_of(ec2.delete_internet_gateway, InternetGatewayId=gateway) == "DependencyViolation"
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    ec2.create_network_interface(SubnetId=subnet)
    assert code_of(ec2.delete_subnet, SubnetId=subnet) == "DependencyViolation"


def test_a_deleted_network_takes_its_acl_along(ec2: Any, vpc: str) -> None:
    ec2.delete_vpc(VpcId=vpc)
    assert ec2.describe_network_acls(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["NetworkAcls"] == []


def test_dhcp_options_go_when_no_network_uses_them(ec2: Any, vpc: str) -> None:
    servers = [{"Key": "domain-name-servers", "Values": ["10.0.0.2"]}]
    first, second = (ec2.create_dhcp_options(DhcpConfigurations=servers)["DhcpOptions"]["DhcpOptionsId"] for _ in range(2))
    other = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    for network, options in ((vpc, first), (vpc, second), (other, second), (vpc, "default")):
        ec2.associate_dhcp_options(DhcpOptionsId=options, VpcId=network)
    ec2.delete_dhcp_options(DhcpOptionsId=first)
    assert code_of(ec2.delete_dhcp_options, DhcpOptionsId=second) == "DependencyViolation"


def test_addresses_and_gateways_in_use_stay(ec2: Any, vpc: str, gateway: str) -> None:
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    nat = ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address)["NatGateway"]["NatGatewayId"]
    assert code_of(ec2.release_address, AllocationId=address) == "InvalidIPAddress.InUse"
    assert code_of(ec2.detach_internet_gateway, InternetGatewayId=gateway, VpcId=vpc) == "DependencyViolation"
    ec2.delete_nat_gateway(NatGatewayId=nat)
    assert code_of(ec2.release_address, AllocationId=address) == ""
    assert code_of(ec2.detach_internet_gateway, InternetGatewayId=gateway, VpcId=vpc) == ""


def test_a_second_nat_gateway_on_an_address_in_use_fails(ec2: Any, vpc: str, gateway: str) -> None:
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    first = ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address)["NatGateway"]["NatGatewayId"]
    second = ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address)["NatGateway"]["NatGatewayId"]
    shown = {one["NatGatewayId"]: one for one in ec2.describe_nat_gateways()["NatGateways"]}
    assert (shown[first]["State"], shown[second]["State"]) == ("available", "failed")
    assert shown[second]["FailureCode"] == "Resource.AlreadyAssociated"
    assert len(ec2.describe_network_interfaces()["NetworkInterfaces"]) == 1


def test_tags_go_with_their_resource(ec2: Any, vpc: str, group: str) -> None:
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    ec2.create_tags(Resources=[group, subnet, address, vpc], Tags=[{"Key": "Name", "Value": "web"}])
    ec2.delete_security_group(GroupId=group)
    ec2.delete_subnet(SubnetId=subnet)
    ec2.release_address(AllocationId=address)
    assert [tag["ResourceId"] for tag in ec2.describe_tags()["Tags"]] == [vpc]


def test_firewall_policies_are_behind_their_token(client: Clients) -> None:
    firewalls = client("network-firewall")
    strict = {"StatelessDefaultActions": ["aws:drop"], "StatelessFragmentDefaultActions": ["aws:drop"]}
    made = firewalls.create_firewall_policy(FirewallPolicyName="strict", FirewallPolicy=strict)
    policy = {"FirewallPolicyArn": made["FirewallPolicyResponse"]["FirewallPolicyArn"]}
    token = made["UpdateToken"]
    opened = {"StatelessDefaultActions": ["aws:pass"], "StatelessFragmentDefaultActions": ["aws:pass"]}
    firewalls.update_firewall_policy(**policy, UpdateToken=token, FirewallPolicy=opened)
    late = {**policy, "UpdateToken": token, "FirewallPolicy": strict}
    assert code_of(firewalls.update_firewall_policy, **late) == "InvalidTokenException"
    assert firewalls.describe_firewall_policy(**policy)["FirewallPolicy"] == opened


def test_protected_firewalls_and_policies_in_use_stay(client: Clients, ec2: Any, vpc: str) -> None:
    firewalls = client("network-firewall")
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    document = {"StatelessDefaultActions": ["aws:drop"], "StatelessFragmentDefaultActions": ["aws:drop"]}
    made = firewalls.create_firewall_policy(FirewallPolicyName="strict", FirewallPolicy=document)
    policy = made["FirewallPolicyResponse"]["FirewallPolicyArn"]
    subnets = [{"SubnetId": subnet}]
    protected = {"DeleteProtection": True, "FirewallPolicyChangeProtection": True}
    firewalls.create_firewall(FirewallName="edge", FirewallPolicyArn=policy, VpcId=vpc, SubnetMappings=subnets, **protected)
    edge = {"FirewallName": "edge"}
    assert code_of(firewalls.delete_firewall, **edge) == "InvalidOperationException"
    assert code_of(firewalls.associate_firewall_policy, **edge, FirewallPolicyArn=policy) == "InvalidOperationException"
    assert code_of(firewalls.delete_firewall_policy, FirewallPolicyArn=policy) == "InvalidOperationException"
    place = {"LogDestinationType": "S3", "LogDestination": {"bucketName": "logs"}}
    two = {"LogDestinationConfigs": [{"LogType": kind, **place} for kind in ("ALERT", "FLOW")]}
    assert code_of(firewalls.update_logging_configuration, **edge, LoggingConfiguration=two) == "InvalidRequestException"
    firewalls.update_firewall_delete_protection(**edge, DeleteProtection=False)
    assert code_of(firewalls.delete_firewall, **edge) == ""
    assert code_of(firewalls.delete_firewall_policy, FirewallPolicyArn=policy) == ""


def test_protected_load_balancers_stay_and_targets_keep_their_zone(client: Clients, ec2: Any, vpc: str) -> None:
    balancers = client("elbv2")
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    balancer = balancers.create_load_balancer(Name="web", Subnets=[subnet])["LoadBalancers"][0]["LoadBalancerArn"]
    protection = [{"Key": "deletion_protection.enabled", "Value": "true"}]
    balancers.modify_load_balancer_attributes(LoadBalancerArn=balancer, Attributes=protection)
    assert code_of(balancers.delete_load_balancer, LoadBalancerArn=balancer) == "OperationNotPermitted"
    made = balancers.create_target_group(Name="outside", Protocol="HTTP", Port=80, VpcId=vpc, TargetType="ip")
    group = made["TargetGroups"][0]["TargetGroupArn"]
    balancers.register_targets(TargetGroupArn=group, Targets=[{"Id": "192.0.2.1", "AvailabilityZone": "all"}])
    (shown,) = balancers.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    assert shown["Target"] == {"Id": "192.0.2.1", "Port": 80, "AvailabilityZone": "all"}


def test_a_functions_statements_are_written_as_lambda_writes_them(client: Clients) -> None:
    functions = client("lambda")
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = client("iam").create_role(RoleName="pay", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("pay.py", "")
    code = {"ZipFile": archive.getvalue()}
    functions.create_function(FunctionName="pay", Runtime="python3.12", Role=role, Handler="pay.pay", Code=code)
    asked = {"FunctionName": "pay", "StatementId": "all", "Action": "lambda:InvokeFunctionUrl", "FunctionUrlAuthType": "NONE"}
    functions.add_permission(**asked, Principal="999988887777", PrincipalOrgID="o-1234567890", SourceAccount="999988887777")
    assert code_of(functions.add_permission, **asked, Principal="*") == "ResourceConflictException"
    (statement,) = json.loads(functions.get_policy(FunctionName="pay")["Policy"])["Statement"]
    assert statement["Principal"] == {"AWS": "arn:aws:iam::999988887777:root"}
    assert statement["Condition"]["StringEquals"] == {
        "aws:PrincipalOrgID": "o-1234567890",
        "AWS:SourceAccount": "999988887777",
        "lambda:FunctionUrlAuthType": "NONE",
    }


def test_peerings_can_be_filtered(ec2: Any, vpc: str) -> None:
    other = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    ec2.create_vpc_peering_connection(VpcId=vpc, PeerVpcId=other)
    active = [{"Name": "status-code", "Values": ["active"]}]
    assert ec2.describe_vpc_peering_connections(Filters=active)["VpcPeeringConnections"] == []
    mine = [{"Name": "requester-vpc-info.vpc-id", "Values": [vpc]}]
    assert len(ec2.describe_vpc_peering_connections(Filters=mine)["VpcPeeringConnections"]) == 1


def test_gateway_endpoints_can_be_deleted(ec2: Any, vpc: str, table: str) -> None:
    made = ec2.create_vpc_endpoint(VpcId=vpc, ServiceName="com.amazonaws.us-east-1.s3", RouteTableIds=[table])
    ident = made["VpcEndpoint"]["VpcEndpointId"]
    assert len(ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]) == 2
    ec2.delete_vpc_endpoints(VpcEndpointIds=[ident])
    assert len(ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]) == 1
    assert code_of(ec2.delete_vpc_endpoints, VpcEndpointIds=[ident]) == "InvalidVpcEndpointId.NotFound"


def test_traffic_mirrors_can_be_taken_down(ec2: Any, vpc: str) -> None:
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    eni = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    chosen = ec2.create_traffic_mirror_filter()["TrafficMirrorFilter"]["TrafficMirrorFilterId"]
    assert chosen.startswith("tmf-")
    everything = {"DestinationCidrBlock": "0.0.0.0/0", "SourceCidrBlock": "0.0.0.0/0", "RuleNumber": 1, "RuleAction": "accept"}
    made = ec2.create_traffic_mirror_filter_rule(TrafficMirrorFilterId=chosen, TrafficDirection="egress", **everything)
    shown = ec2.describe_traffic_mirror_filters(TrafficMirrorFilterIds=[chosen])["TrafficMirrorFilters"][0]
    assert [r["RuleNumber"] for r in shown["EgressFilterRules"]] == [1]
    target = ec2.create_traffic_mirror_target(NetworkInterfaceId=eni)["TrafficMirrorTarget"]["TrafficMirrorTargetId"]
    session = ec2.create_traffic_mirror_session(
        NetworkInterfaceId=eni, TrafficMirrorTargetId=target, TrafficMirrorFilterId=chosen, SessionNumber=1
    )["TrafficMirrorSession"]["TrafficMirrorSessionId"]
    assert code_of(ec2.delete_traffic_mirror_filter, TrafficMirrorFilterId=chosen) == "TrafficMirrorFilterInUse"
    assert code_of(ec2.delete_traffic_mirror_target, TrafficMirrorTargetId=target) == "TrafficMirrorTargetInUse"
    ec2.delete_traffic_mirror_session(TrafficMirrorSessionId=session)
    rule = made["TrafficMirrorFilterRule"]["TrafficMirrorFilterRuleId"]
    assert code_of(ec2.delete_traffic_mirror_filter_rule, TrafficMirrorFilterRuleId=rule) == ""
    assert code_of(ec2.delete_traffic_mirror_filter, TrafficMirrorFilterId=chosen) == ""
    assert code_of(ec2.delete_traffic_mirror_target, TrafficMirrorTargetId=target) == ""


def test_routes_propagate_from_an_attached_gateway(ec2: Any, vpc: str, table: str) -> None:
    gateway = ec2.create_vpn_gateway(Type="ipsec.1")["VpnGateway"]["VpnGatewayId"]
    assert code_of(ec2.enable_vgw_route_propagation, GatewayId=gateway, RouteTableId=table) == "Gateway.NotAttached"
    ec2.attach_vpn_gateway(VpnGatewayId=gateway, VpcId=vpc)
    ec2.enable_vgw_route_propagation(GatewayId=gateway, RouteTableId=table)
    assert ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["PropagatingVgws"] == [{"GatewayId": gateway}]
    ec2.disable_vgw_route_propagation(GatewayId=gateway, RouteTableId=table)
    assert ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0].get("PropagatingVgws", []) == []


def test_a_second_cidr_block_comes_and_goes_with_its_local_routes(ec2: Any, vpc: str, table: str) -> None:
    made = ec2.associate_vpc_cidr_block(VpcId=vpc, CidrBlock="10.5.0.0/16")["CidrBlockAssociation"]["AssociationId"]
    assert _route(ec2, table, "10.5.0.0/16")["GatewayId"] == "local"
    ec2.disassociate_vpc_cidr_block(AssociationId=made)
    assert _route(ec2, table, "10.5.0.0/16") is None


# ---- instances, snapshots, IAM ----------------------------------------------------------------------------------


@pytest.fixture
def instance(ec2: Any, vpc: str, group: str) -> Any:
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    return ec2.run_instances(ImageId=AMI, MinCount=1, MaxCount=1, SubnetId=subnet, SecurityGroupIds=[group])["Instances"][0]


def test_an_instance_and_its_interface_have_the_same_groups(ec2: Any, vpc: str, group: str, instance: Any) -> None:
    other = ec2.create_security_group(GroupName="quarantine", Description="q", VpcId=vpc)["GroupId"]
    eni = instance["NetworkInterfaces"][0]["NetworkInterfaceId"]

    def groups() -> tuple[list[str], list[str]]:
        shown = ec2.describe_instances(InstanceIds=[instance["InstanceId"]])["Reservations"][0]["Instances"][0]
        interface = ec2.describe_network_interfaces(NetworkInterfaceIds=[eni])["NetworkInterfaces"][0]
        return [g["GroupId"] for g in shown["SecurityGroups"]], [g["GroupId"] for g in interface["Groups"]]

    assert groups() == ([group], [group])
    ec2.modify_network_interface_attribute(NetworkInterfaceId=eni, Groups=[other])
    assert groups() == ([other], [other])
    ec2.modify_instance_attribute(InstanceId=instance["InstanceId"], Groups=[group])
    assert groups() == ([group], [group])
    missing = {"NetworkInterfaceId": eni, "Groups": ["sg-0123456789abcdef0"]}
    assert code_of(ec2.modify_network_interface_attribute, **missing) == "InvalidGroup.NotFound"


def test_a_terminated_instance_takes_its_interface_along(ec2: Any, group: str, instance: Any) -> None:
    assert instance["NetworkInterfaces"][0]["Attachment"]["DeleteOnTermination"] is True
    ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])
    assert ec2.describe_network_interfaces()["NetworkInterfaces"] == []
    assert code_of(ec2.delete_security_group, GroupId=group) == ""


def test_snapshots_take_their_time(aws: Range, client: Clients, ec2: Any, instance: Any) -> None:
    from drill.client import RangeClient

    RangeClient(aws.url).settings(snapshot_seconds=100)
    made = ec2.create_snapshots(InstanceSpecification={"InstanceId": instance["InstanceId"]})["Snapshots"][0]
    assert made["State"] == "pending"
    aws.clock.advance(50)
    shown = ec2.describe_snapshots(SnapshotIds=[made["SnapshotId"]])["Snapshots"][0]
    assert shown["State"] == "pending"
    assert 50 <= int(shown["Progress"].rstrip("%")) < 60
    aws.clock.advance(51)
    shown = ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]
    assert [(s["SnapshotId"], s["State"], s["Progress"]) for s in shown] == [(made["SnapshotId"], "completed", "100%")]


def test_snapshots_can_fail_on_their_way(aws: Range, client: Clients, ec2: Any, instance: Any) -> None:
    from drill.client import RangeClient

    RangeClient(aws.url).settings(snapshot_seconds=100, snapshot_failures=1)
    volume = instance["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    failing, good = (ec2.create_snapshot(VolumeId=volume)["SnapshotId"] for _ in range(2))
    assert {s["State"] for s in ec2.describe_snapshots(SnapshotIds=[failing, good])["Snapshots"]} == {"pending"}
    aws.clock.advance(101)
    shown = {s["SnapshotId"]: (s["State"], s["Progress"]) for s in ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]}
    assert shown == {failing: ("error", "40%"), good: ("completed", "100%")}


def test_users_with_keys_stay(client: Clients) -> None:
    iam = client("iam")
    iam.create_user(UserName="bob")
    iam.create_access_key(UserName="bob")
    assert code_of(iam.delete_user, UserName="bob") == "DeleteConflict"


def test_resources_have_the_ranges_time(aws: Range, client: Clients) -> None:
    aws.clock.advance(-86400)
    created = client("iam").create_user(UserName="bob")["User"]["CreateDate"]
    assert abs(created.timestamp() - aws.clock.now()) < 5


def test_every_answer_has_its_own_request_id(ec2: Any) -> None:
    ids = {ec2.describe_vpcs()["ResponseMetadata"]["RequestId"] for _ in range(3)}
    assert len(ids) == 3
