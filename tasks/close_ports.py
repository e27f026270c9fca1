"""Takes rules off a security group that open other ports than the allowed ones to the internet.

The code of the automation that AWS Config starts; it runs in Systems Manager with what is there. A rule that opens an allowed port
along with others goes as a whole.
"""

import boto3

_WORLD = ("0.0.0.0/0", "::/0")


def ranges(ports):
    """`80,8000-8080` as pairs; `none` for no port."""
    words = [one.strip() for one in ports.split(",") if one.strip() and one.strip() != "none"]
    return [(int(one.split("-")[0]), int(one.split("-")[-1])) for one in words]


def is_too_open(rule, allowed):
    """Whether a rule lets the internet in by a port that is not allowed. What has no ports, such as ICMP, is left alone."""
    if rule.get("IsEgress") or (rule.get("CidrIpv4") not in _WORLD and rule.get("CidrIpv6") not in _WORLD):
        return False
    protocol = {"6": "tcp", "17": "udp"}.get(rule["IpProtocol"], rule["IpProtocol"])
    if protocol == "-1":
        return True
    first, last = rule.get("FromPort", -1), rule.get("ToPort", -1)
    return protocol in allowed and not any(low <= first and last <= high for low, high in allowed[protocol])


def close_ports(events, context):
    """The automation's handler: answers the rules that it took away."""
    ec2 = boto3.client("ec2")
    group = events["GroupId"]
    allowed = {"tcp": ranges(events["TcpPorts"]), "udp": ranges(events["UdpPorts"])}
    pages = ec2.get_paginator("describe_security_group_rules").paginate(Filters=[{"Name": "group-id", "Values": [group]}])
    found = [rule["SecurityGroupRuleId"] for page in pages for rule in page["SecurityGroupRules"] if is_too_open(rule, allowed)]
    if found:
        ec2.revoke_security_group_ingress(GroupId=group, SecurityGroupRuleIds=found)
    return {"revoked": found}
