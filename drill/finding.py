"""GuardDuty's finding on an attack, in both of its shapes: as GetFindings answers, and as EventBridge carries it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from drill.actors import Actor
from drill.aws.clock import iso, iso_millis
from drill.scenario import FindingSpec

Json = dict[str, Any]

# Types of findings in which the instance is the one that calls out.
_FROM_THE_INSTANCE = ("Backdoor:", "CryptoCurrency:", "Impact:", "Recon:EC2/Portscan", "Trojan:")


@dataclass(frozen=True)
class Seen:
    """What GuardDuty saw of a principal: the first and last call, and how many there were."""

    first: float
    last: float
    count: int
    service: str
    api: str


def finding_as_api(
    spec: FindingSpec, actor: Actor, seen: Seen, detector: str, now: float, instance: Json, bucket: str = ""
) -> Json:
    """The finding in the shape of GetFindings (UpperCamel).

    See https://docs.aws.amazon.com/guardduty/latest/ug/guardduty_findings-summary.html
    """
    principal, ident, who = actor.principal, uuid.uuid4().hex, actor.identity[1]
    title = spec.title or f"{seen.api} was invoked by {who} from {actor.source_ip}."
    words = spec.description or (
        f"API {seen.api} of {seen.service} was invoked from IP address {actor.source_ip}, "
        f"which is not one that {who} is known to use."
    )
    about_instance = ":EC2/" in spec.type and bool(instance)
    outbound = about_instance and spec.type.startswith(_FROM_THE_INSTANCE)
    return {
        "SchemaVersion": "2.0",
        "AccountId": principal.account,
        "Region": spec.region,
        "Partition": "aws",
        "Id": ident,
        "Arn": f"arn:aws:guardduty:{spec.region}:{principal.account}:detector/{detector}/finding/{ident}",
        "Type": spec.type,
        "Resource": _instance_resource(instance) if about_instance else _credential_resource(actor, instance, bucket),
        "Service": {
            "ServiceName": "guardduty",
            "DetectorId": detector,
            "Action": _network_action(actor.source_ip, outbound) if about_instance else _api_action(actor, seen),
            "ResourceRole": "ACTOR" if outbound else "TARGET",
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


def _credential_resource(actor: Actor, instance: Json, bucket: str) -> Json:
    """The credential that was used, with the instance that it was taken from or the bucket that it was used on."""
    resource: Json = {"ResourceType": "S3Bucket" if bucket else "AccessKey", "AccessKeyDetails": _key_details(actor)}
    if instance:
        resource["InstanceDetails"] = _instance_details(instance)
    if bucket:
        resource["S3BucketDetails"] = [_bucket_details(bucket)]
    return resource


def _key_details(actor: Actor) -> Json:
    """A role's session is named by the role, with the session's name in the principal id: the instance's, for a profile."""
    kind, name = actor.identity
    return {
        "AccessKeyId": actor.all_keys[-1].access_key,
        "PrincipalId": actor.principal_id,
        "UserName": name,
        "UserType": kind,
    }


def _bucket_details(name: str) -> Json:
    closed = {"BlockPublicAcls": False, "BlockPublicPolicy": False, "IgnorePublicAcls": False, "RestrictPublicBuckets": False}
    nobody = {"AllowsPublicReadAccess": False, "AllowsPublicWriteAccess": False}
    permissions = {
        "AccountLevelPermissions": {"BlockPublicAccess": closed},
        "BucketLevelPermissions": {"AccessControlList": nobody, "BlockPublicAccess": closed, "BucketPolicy": nobody},
    }
    return {
        "Arn": f"arn:aws:s3:::{name}",
        "Name": name,
        "Type": "Destination",
        "Tags": [],
        "PublicAccess": {"EffectivePermission": "NOT_PUBLIC", "PermissionConfiguration": permissions},
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
            "RemoteIpDetails": _remote(actor.source_ip),
            "AffectedResources": {},
        },
    }


def _network_action(address: str, outbound: bool) -> Json:
    any_port, known_port = {"Port": 50321, "PortName": "Unknown"}, {"Port": 22, "PortName": "SSH"}
    return {
        "ActionType": "NETWORK_CONNECTION",
        "NetworkConnectionAction": {
            "ConnectionDirection": "OUTBOUND" if outbound else "INBOUND",
            "RemoteIpDetails": _remote(address),
            "RemotePortDetails": known_port if outbound else any_port,
            "LocalPortDetails": any_port if outbound else known_port,
            "Protocol": "TCP",
            "Blocked": False,
        },
    }


def _instance_resource(described: Json) -> Json:
    return {"ResourceType": "Instance", "InstanceDetails": _instance_details(described)}


def _instance_details(described: Json) -> Json:
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
    details: Json = {
        "InstanceId": described["InstanceId"],
        "InstanceType": described.get("InstanceType", ""),
        "InstanceState": described.get("State", {}).get("Name", ""),
        "ImageId": described.get("ImageId", ""),
        "LaunchTime": str(described.get("LaunchTime", "")),
        "AvailabilityZone": described.get("Placement", {}).get("AvailabilityZone", ""),
        "NetworkInterfaces": interfaces,
        "Tags": described.get("Tags", []),
    }
    if described.get("IamInstanceProfile"):
        details["IamInstanceProfile"] = {key: described["IamInstanceProfile"].get(key, "") for key in ("Arn", "Id")}
    return details


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
