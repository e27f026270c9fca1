"""A small network to change, and the changes: each takes the network and what it is in, and calls AWS as the actor."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st
from roundtrip import POLICY, Network

EVERYONE = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}'


@dataclass
class World:
    """Ids of what is there to be changed."""

    network: Network
    vpc: str = ""
    peer: str = ""
    subnets: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    acls: list[str] = field(default_factory=list)
    interfaces: list[str] = field(default_factory=list)
    targets: list[dict[str, str]] = field(default_factory=list)
    prefix_list: str = ""
    gateway: str = ""
    address: str = ""
    endpoint: str = ""


class NothingToChange(Exception):
    """What the change is about is not there."""


def build(network: Network) -> World:
    """A VPC with two of most things."""
    ec2 = network.ec2
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    world = World(network, vpc)
    world.peer = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    zone = "us-east-1a"
    for number in (1, 2):
        made = ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.1.{number}.0/24", AvailabilityZone=zone)
        world.subnets.append(made["Subnet"]["SubnetId"])
        group = ec2.create_security_group(GroupName=f"group-{number}", Description="a group", VpcId=vpc)
        world.groups.append(group["GroupId"])
        world.tables.append(ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"])
        interface = ec2.create_network_interface(SubnetId=made["Subnet"]["SubnetId"], Groups=[group["GroupId"]])
        world.interfaces.append(interface["NetworkInterface"]["NetworkInterfaceId"])
    world.acls.append(ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"])
    world.gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=world.gateway, VpcId=vpc)
    world.address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    peering = ec2.create_vpc_peering_connection(VpcId=vpc, PeerVpcId=world.peer)["VpcPeeringConnection"]
    world.targets = [
        {"GatewayId": world.gateway},
        {"NetworkInterfaceId": world.interfaces[0]},
        {"VpcPeeringConnectionId": peering["VpcPeeringConnectionId"]},
    ]
    entries = [{"Cidr": "10.5.0.0/16", "Description": "base"}]
    listed = ec2.create_managed_prefix_list(PrefixListName="names", MaxEntries=9, AddressFamily="IPv4", Entries=entries)
    world.prefix_list = listed["PrefixList"]["PrefixListId"]
    endpoint = ec2.create_vpc_endpoint(
        VpcId=vpc, ServiceName="com.amazonaws.us-east-1.s3", RouteTableIds=[world.tables[0]], PolicyDocument=POLICY
    )
    world.endpoint = endpoint["VpcEndpoint"]["VpcEndpointId"]
    ec2.associate_route_table(RouteTableId=world.tables[0], SubnetId=world.subnets[0])
    ec2.authorize_security_group_ingress(GroupId=world.groups[0], IpPermissions=[_permission("tcp", 443, 443, "10.0.0.0/8", "")])
    ec2.create_route(RouteTableId=world.tables[0], DestinationCidrBlock="0.0.0.0/0", GatewayId=world.gateway)
    return world


def _permission(protocol: str, start: int, end: int, peer: str, description: str) -> dict[str, Any]:
    members = {"pl-": ("PrefixListIds", "PrefixListId"), "sg-": ("UserIdGroupPairs", "GroupId")}
    listed, member = members.get(peer[:3], ("Ipv6Ranges", "CidrIpv6") if ":" in peer else ("IpRanges", "CidrIp"))
    told = {member: peer, **({"Description": description} if description else {})}
    ports = {} if protocol == "-1" else {"FromPort": start, "ToPort": end}
    return {"IpProtocol": protocol, **ports, listed: [told]}


# --- changes ------------------------------------------------------------------------------------------------------------------

PICK = st.integers(0, 1)
PORTS = st.sampled_from([(22, 22), (443, 443), (1000, 2000)])
PROTOCOLS = st.sampled_from(["tcp", "udp", "icmp", "-1", "6", "50"])
PEERS = st.sampled_from(["0.0.0.0/0", "::/0", "10.0.0.0/8", "2001:db8::/32", "group", "list"])
DESCRIPTIONS = st.sampled_from(["", "a rule", "another"])
SIDES = st.sampled_from(["ingress", "egress"])
DESTINATIONS = st.sampled_from(["0.0.0.0/0", "192.0.2.0/24", "::/0"])
NETWORKS = st.sampled_from(["0.0.0.0/0", "10.0.0.0/8", "::/0"])
NUMBERS = st.integers(99, 101)
ENTRIES = st.sampled_from(["10.5.0.0/16", "10.6.0.0/16", "10.7.0.0/16"])


def _rule(world: World, protocol: str, ports: tuple[int, int], peer: str, description: str = "") -> dict[str, Any]:
    named = {"group": world.groups[1], "list": world.prefix_list}
    start, end = (8, -1) if protocol == "icmp" else ports
    return _permission(protocol, start, end, named.get(peer, peer), description)


def authorize(world: World, side: str, pick: int, protocol: str, ports: tuple[int, int], peer: str, said: str) -> None:
    call = getattr(world.network.actor, f"authorize_security_group_{side}")
    call(GroupId=world.groups[pick], IpPermissions=[_rule(world, protocol, ports, peer, said)])


def authorize_flat(world: World, pick: int, ports: tuple[int, int]) -> None:
    flat = {"IpProtocol": "tcp", "FromPort": ports[0], "ToPort": ports[1], "CidrIp": "203.0.113.0/24"}
    world.network.actor.authorize_security_group_ingress(GroupId=world.groups[pick], **flat)


def revoke(world: World, side: str, pick: int, number: int, by_id: bool) -> None:
    """Revoke a rule that is there, by its id or by what it says."""
    rule = _some_rule(world, side, pick, number)
    call = getattr(world.network.actor, f"revoke_security_group_{side}")
    if by_id:
        call(GroupId=world.groups[pick], SecurityGroupRuleIds=[rule["SecurityGroupRuleId"]])
    else:
        call(GroupId=world.groups[pick], IpPermissions=[_as_permission(rule)])


def modify_rule(world: World, side: str, pick: int, number: int, ports: tuple[int, int], said: str) -> None:
    rule = _some_rule(world, side, pick, number)
    peers = {name: rule[name] for name in ("CidrIpv4", "CidrIpv6", "PrefixListId") if name in rule}
    wanted = {"IpProtocol": "tcp", "FromPort": ports[0], "ToPort": ports[1], **peers, "Description": said}
    updates = [{"SecurityGroupRuleId": rule["SecurityGroupRuleId"], "SecurityGroupRule": wanted}]
    world.network.actor.modify_security_group_rules(GroupId=world.groups[pick], SecurityGroupRules=updates)


def describe_rule(world: World, side: str, pick: int, number: int, said: str) -> None:
    rule = _some_rule(world, side, pick, number)
    call = getattr(world.network.actor, f"update_security_group_rule_descriptions_{side}")
    call(GroupId=world.groups[pick], IpPermissions=[_as_permission(rule, said)])


def _some_rule(world: World, side: str, pick: int, number: int) -> dict[str, Any]:
    chosen = [{"Name": "group-id", "Values": [world.groups[pick]]}]
    rules = world.network.ec2.describe_security_group_rules(Filters=chosen)["SecurityGroupRules"]
    matching = [rule for rule in rules if rule["IsEgress"] == (side == "egress")]
    if not matching:
        raise NothingToChange
    return matching[number % len(matching)]


def _as_permission(rule: dict[str, Any], said: str = "") -> dict[str, Any]:
    peer = rule.get("CidrIpv4") or rule.get("CidrIpv6") or rule.get("PrefixListId")
    peer = peer or rule.get("ReferencedGroupInfo", {}).get("GroupId", "192.0.2.9/32")
    return _permission(rule["IpProtocol"], rule.get("FromPort", -1), rule.get("ToPort", -1), peer, said)


def route(world: World, verb: str, pick: int, destination: str, target: int) -> None:
    member = "DestinationIpv6CidrBlock" if ":" in destination else "DestinationCidrBlock"
    where = {"RouteTableId": world.tables[pick], member: destination}
    to = {} if verb == "delete" else world.targets[target]
    getattr(world.network.actor, f"{verb}_route")(**where, **to)


def acl_entry(world: World, verb: str, number: int, egress: bool, protocol: str, network: str, allow: bool) -> None:
    where = {"NetworkAclId": world.acls[0], "RuleNumber": number, "Egress": egress}
    if verb == "delete":
        world.network.actor.delete_network_acl_entry(**where)
        return
    told: dict[str, Any] = {"Protocol": protocol, "RuleAction": "allow" if allow else "deny"}
    told["Ipv6CidrBlock" if ":" in network else "CidrBlock"] = network
    if protocol in ("6", "17"):
        told["PortRange"] = {"From": 22, "To": 23}
    if protocol == "1":
        told["IcmpTypeCode"] = {"Type": 8, "Code": -1}
    getattr(world.network.actor, f"{verb}_network_acl_entry")(**where, **told)


def use_acl(world: World, subnet: int) -> None:
    chosen = [{"Name": "association.subnet-id", "Values": [world.subnets[subnet]]}]
    acl = world.network.ec2.describe_network_acls(Filters=chosen)["NetworkAcls"][0]
    association = next(one for one in acl["Associations"] if one["SubnetId"] == world.subnets[subnet])
    identifier = association["NetworkAclAssociationId"]
    world.network.actor.replace_network_acl_association(AssociationId=identifier, NetworkAclId=world.acls[0])


def table_of(world: World, verb: str, subnet: int, pick: int) -> None:
    """Associate, replace or disassociate a subnet's table, or replace the VPC's main one."""
    table, actor = world.tables[pick], world.network.actor
    if verb == "associate":
        actor.associate_route_table(RouteTableId=table, SubnetId=world.subnets[subnet])
        return
    tables = world.network.ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [world.vpc]}])["RouteTables"]
    associations = [one for each in tables for one in each["Associations"]]
    wanted = (lambda one: one["Main"]) if verb == "main" else (lambda one: one.get("SubnetId") == world.subnets[subnet])
    identifier = next((one["RouteTableAssociationId"] for one in associations if wanted(one)), "rtbassoc-00000000")
    if verb == "disassociate":
        actor.disassociate_route_table(AssociationId=identifier)
    else:
        actor.replace_route_table_association(AssociationId=identifier, RouteTableId=table)


def internet_gateway(world: World, attach: bool) -> None:
    call = world.network.actor.attach_internet_gateway if attach else world.network.actor.detach_internet_gateway
    call(InternetGatewayId=world.gateway, VpcId=world.vpc)


def subnet_attribute(world: World, subnet: int, name: str, value: bool) -> None:
    world.network.actor.modify_subnet_attribute(SubnetId=world.subnets[subnet], **{name: {"Value": value}})


def vpc_attribute(world: World, name: str, value: bool) -> None:
    world.network.actor.modify_vpc_attribute(VpcId=world.vpc, **{name: {"Value": value}})


def interface_attribute(world: World, pick: int, name: str, value: int) -> None:
    told = {
        "Groups": [world.groups[value]],
        "SourceDestCheck": {"Value": bool(value)},
        "Description": {"Value": ("", "an interface")[value]},
    }[name]
    interface = world.interfaces[pick]
    world.network.actor.modify_network_interface_attribute(NetworkInterfaceId=interface, **{name: told})


def elastic_ip(world: World, associate: bool, pick: int) -> None:
    if associate:
        interface = world.interfaces[pick]
        world.network.actor.associate_address(AllocationId=world.address, NetworkInterfaceId=interface, AllowReassociation=True)
        return
    address = world.network.ec2.describe_addresses(AllocationIds=[world.address])["Addresses"][0]
    world.network.actor.disassociate_address(AssociationId=address.get("AssociationId", "eipassoc-00000000"))


def prefix_entry(world: World, add: bool, network: str, said: str) -> None:
    described = world.network.ec2.describe_managed_prefix_lists(PrefixListIds=[world.prefix_list])["PrefixLists"][0]
    entry = {"Cidr": network, **({"Description": said} if add and said else {})}
    chosen = {"AddEntries" if add else "RemoveEntries": [entry]}
    version = described["Version"]
    world.network.actor.modify_managed_prefix_list(PrefixListId=world.prefix_list, CurrentVersion=version, **chosen)


def endpoint(world: World, what: str, pick: int) -> None:
    told = {
        "policy": {"PolicyDocument": EVERYONE},
        "add": {"AddRouteTableIds": [world.tables[pick]]},
        "remove": {"RemoveRouteTableIds": [world.tables[pick]]},
    }[what]
    world.network.actor.modify_vpc_endpoint(VpcEndpointId=world.endpoint, **told)


def tag(world: World, create: bool, what: str, name: str, value: str) -> None:
    resource = {"group": world.groups[0], "subnet": world.subnets[0], "vpc": world.vpc}[what]
    if create:
        world.network.actor.create_tags(Resources=[resource], Tags=[{"Key": name, "Value": value}])
    else:
        world.network.actor.delete_tags(Resources=[resource], Tags=[{"Key": name}])


def make(world: World, what: str, pick: int) -> None:
    """New resources, and parts of them."""
    actor = world.network.actor
    if what == "group":
        spec = [{"ResourceType": "security-group", "Tags": [{"Key": "made", "Value": "by the actor"}]}]
        made = actor.create_security_group(GroupName="new", Description="new", VpcId=world.vpc, TagSpecifications=spec)
        actor.authorize_security_group_ingress(
            GroupId=made["GroupId"], IpPermissions=[_permission("tcp", 22, 22, "0.0.0.0/0", "way in")]
        )
    elif what == "table":
        table = actor.create_route_table(VpcId=world.vpc)["RouteTable"]["RouteTableId"]
        actor.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=world.gateway)
    elif what == "acl":
        acl = actor.create_network_acl(VpcId=world.vpc)["NetworkAcl"]["NetworkAclId"]
        told = {"Protocol": "-1", "RuleAction": "allow", "CidrBlock": "0.0.0.0/0"}
        actor.create_network_acl_entry(NetworkAclId=acl, RuleNumber=1, Egress=False, **told)
    elif what == "subnet":
        actor.create_subnet(VpcId=world.vpc, CidrBlock=f"10.1.{8 + pick}.0/24")
    elif what == "interface":
        actor.create_network_interface(SubnetId=world.subnets[pick], Groups=[world.groups[pick]], Description="new")
    elif what == "address":
        actor.allocate_address(Domain="vpc")
    elif what == "gateway":
        actor.create_internet_gateway()
    elif what == "peering":
        made = actor.create_vpc_peering_connection(VpcId=world.vpc, PeerVpcId=world.peer)["VpcPeeringConnection"]
        actor.accept_vpc_peering_connection(VpcPeeringConnectionId=made["VpcPeeringConnectionId"])
    elif what == "nat":
        if world.network.ec2.describe_addresses(AllocationIds=[world.address])["Addresses"][0].get("AssociationId"):
            raise NothingToChange  # a gateway on an address that is in use fails
        actor.create_nat_gateway(SubnetId=world.subnets[pick], AllocationId=world.address)
    elif what == "prefix list":
        entries = [{"Cidr": "198.51.100.0/24", "Description": "new"}]
        actor.create_managed_prefix_list(PrefixListName="new", MaxEntries=3, AddressFamily="IPv4", Entries=entries)
    elif what == "vpc":
        actor.create_vpc(CidrBlock="10.20.0.0/16")
    elif what == "dhcp":
        made = actor.create_dhcp_options(DhcpConfigurations=[{"Key": "domain-name-servers", "Values": ["10.0.0.2"]}])
        actor.associate_dhcp_options(DhcpOptionsId=made["DhcpOptions"]["DhcpOptionsId"], VpcId=world.vpc)


MADE = ("group", "table", "acl", "subnet", "interface", "address", "gateway", "peering", "nat", "prefix list", "vpc", "dhcp")

CHANGES = st.one_of(
    st.tuples(st.just(authorize), SIDES, PICK, PROTOCOLS, PORTS, PEERS, DESCRIPTIONS),
    st.tuples(st.just(authorize_flat), PICK, PORTS),
    st.tuples(st.just(revoke), SIDES, PICK, st.integers(0, 3), st.booleans()),
    st.tuples(st.just(modify_rule), SIDES, PICK, st.integers(0, 3), PORTS, DESCRIPTIONS),
    st.tuples(st.just(describe_rule), SIDES, PICK, st.integers(0, 3), DESCRIPTIONS),
    st.tuples(st.just(route), st.sampled_from(["create", "replace", "delete"]), PICK, DESTINATIONS, st.integers(0, 2)),
    st.tuples(
        st.just(acl_entry),
        st.sampled_from(["create", "replace", "delete"]),
        NUMBERS,
        st.booleans(),
        st.sampled_from(["-1", "6", "1"]),
        NETWORKS,
        st.booleans(),
    ),
    st.tuples(st.just(use_acl), PICK),
    st.tuples(st.just(table_of), st.sampled_from(["associate", "replace", "disassociate", "main"]), PICK, PICK),
    st.tuples(st.just(internet_gateway), st.booleans()),
    st.tuples(
        st.just(subnet_attribute), PICK, st.sampled_from(["MapPublicIpOnLaunch", "AssignIpv6AddressOnCreation"]), st.booleans()
    ),
    st.tuples(st.just(vpc_attribute), st.sampled_from(["EnableDnsHostnames", "EnableDnsSupport"]), st.booleans()),
    st.tuples(st.just(interface_attribute), PICK, st.sampled_from(["Groups", "SourceDestCheck", "Description"]), PICK),
    st.tuples(st.just(elastic_ip), st.booleans(), PICK),
    st.tuples(st.just(prefix_entry), st.booleans(), ENTRIES, DESCRIPTIONS),
    st.tuples(st.just(endpoint), st.sampled_from(["policy", "add", "remove"]), PICK),
    st.tuples(
        st.just(tag), st.booleans(), st.sampled_from(["group", "subnet", "vpc"]), st.sampled_from(["Name", "env"]), DESCRIPTIONS
    ),
    st.tuples(st.just(make), st.sampled_from(MADE), PICK),
)
