"""GuardDuty's finding on an attack, in both of its shapes: as GetFindings answers, and as EventBridge carries it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from drill.actors import Actor
from drill.aws.clock import iso, iso_millis
from drill.scenario import FindingSpec

Json = dict[str, Any]


@dataclass(frozen=True)
class Seen:
    """What GuardDuty saw of a principal: the first and last call, and how many there were."""

    first: float
    last: float
    count: int
    service: str
    api: str


def finding_as_api(spec: FindingSpec, actor: Actor, seen: Seen, detector: str, now: float, instance: Json) -> Json:
    """The finding in the shape of GetFindings (UpperCamel)."""
    principal, ident = actor.principal, uuid.uuid4().hex
    title = spec.title or f"{seen.api} was invoked by {principal.user or principal.role} from {principal.source_ip}."
    words = spec.description or (
        f"API {seen.api} of {seen.service} was invoked from IP address {principal.source_ip}, "
        f"which is not one that {principal.user or principal.role} is known to use."
    )
    about_instance = ":EC2/" in spec.type and bool(instance)
    return {
        "SchemaVersion": "2.0",
        "AccountId": principal.account,
        "Region": spec.region,
        "Partition": "aws",
        "Id": ident,
        "Arn": f"arn:aws:guardduty:{spec.region}:{principal.account}:detector/{detector}/finding/{ident}",
        "Type": spec.type,
        "Resource": _instance_resource(instance) if about_instance else _key_resource(actor),
        "Service": {
            "ServiceName": "guardduty",
            "DetectorId": detector,
            "Action": _network_action(principal.source_ip) if about_instance else _api_action(actor, seen),
            "ResourceRole": "TARGET",
            "AdditionalInfo": {"Value": "{}", "Type": "default"},
            "EventFirstSeen": iso(seen.first),
            "EventLastSeen": iso(seen.last),
            "Archived": False,
            "Count": seen.count,
        },
        "Severity": spec.severity,
        "CreatedAt": iso_millis(now),
        "UpdatedAt": iso_millis(now),
        "Title": title,
        "Description": words,
    }


def _key_resource(actor: Actor) -> Json:
    principal = actor.principal
    return {
        "ResourceType": "AccessKey",
        "AccessKeyDetails": {
            "AccessKeyId": actor.all_keys[-1].access_key,
            "PrincipalId": actor.principal_id,
            "UserName": principal.user or principal.role,
            "UserType": "IAMUser" if principal.user else "AssumedRole",
        },
    }


def _remote(address: str) -> Json:
    return {
        "IpAddressV4": address,
        "Organization": {"Asn": "64496", "AsnOrg": "Example Hosting", "Isp": "Example Hosting", "Org": "Example"},
        "Country": {"CountryName": "Netherlands"},
        "City": {"CityName": "Amsterdam"},
        "GeoLocation": {"Lat": 52.37, "Lon": 4.89},
    }


def _api_action(actor: Actor, seen: Seen) -> Json:
    return {
        "ActionType": "AWS_API_CALL",
        "AwsApiCallAction": {
            "Api": seen.api,
            "ServiceName": f"{seen.service}.amazonaws.com",
            "CallerType": "Remote IP",
            "RemoteIpDetails": _remote(actor.principal.source_ip),
            "AffectedResources": {},
        },
    }


def _network_action(address: str) -> Json:
    return {
        "ActionType": "NETWORK_CONNECTION",
        "NetworkConnectionAction": {
            "ConnectionDirection": "INBOUND",
            "RemoteIpDetails": _remote(address),
            "RemotePortDetails": {"Port": 50321, "PortName": "Unknown"},
            "LocalPortDetails": {"Port": 22, "PortName": "SSH"},
            "Protocol": "TCP",
            "Blocked": False,
        },
    }


def _instance_resource(described: Json) -> Json:
    """From DescribeInstances to the instance as GuardDuty shows it."""
    interfaces = [
        {
            "NetworkInterfaceId": eni.get("NetworkInterfaceId"),
            "PrivateIpAddress": eni.get("PrivateIpAddress"),
            "PublicIp": eni.get("Association", {}).get("PublicIp", ""),
            "SecurityGroups": eni.get("Groups", []),
            "SubnetId": eni.get("SubnetId"),
            "VpcId": eni.get("VpcId"),
            "Ipv6Addresses": [],
        }
        for eni in described.get("NetworkInterfaces", [])
    ]
    details = {
        "InstanceId": described["InstanceId"],
        "InstanceType": described.get("InstanceType", ""),
        "InstanceState": described.get("State", {}).get("Name", ""),
        "ImageId": described.get("ImageId", ""),
        "LaunchTime": str(described.get("LaunchTime", "")),
        "AvailabilityZone": described.get("Placement", {}).get("AvailabilityZone", ""),
        "NetworkInterfaces": interfaces,
        "Tags": described.get("Tags", []),
    }
    return {"ResourceType": "Instance", "InstanceDetails": details}


# ---- EventBridge ------------------------------------------------------------------------------------------------


def finding_as_event(finding: Json) -> Json:
    """The EventBridge envelope; its `detail` has GuardDuty's own lowerCamel names."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "GuardDuty Finding",
        "source": "aws.guardduty",
        "account": finding["AccountId"],
        "time": finding["UpdatedAt"][:19] + "Z",
        "region": finding["Region"],
        "resources": [],
        "detail": lower_camel(finding),
    }


def lower_camel(value: Any) -> Any:
    """UpperCamel keys to lowerCamel, at every depth. Keys that are data, such as resource types, stay."""
    if isinstance(value, dict):
        return {(k if ":" in k else k[:1].lower() + k[1:]): lower_camel(v) for k, v in value.items()}
    if isinstance(value, list):
        return [lower_camel(v) for v in value]
    return value
