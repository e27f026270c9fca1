"""Stacks: the resource types that moto's CloudFormation does not make, made on the same backends that answer their own services.

A stack's deletion leaves what is added here, as moto leaves all that it has no deletion for.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from moto.athena.models import athena_backends
from moto.cloudformation import parsing
from moto.cloudformation.models import Stack
from moto.cloudwatch.models import cloudwatch_backends
from moto.config.models import config_backends
from moto.core.common_models import CloudFormationModel
from moto.events.models import events_backends
from moto.glue.models import glue_backends
from moto.iam.models import Role, iam_backends
from moto.s3.models import FakeBucket, s3_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends
from moto.ssm.models import Document

from drill.aws.bucket_settings import kept, lifecycle_of

Properties = dict[str, Any]


@dataclass(frozen=True)
class Wanted:
    """A resource of a template: where, the name that the stack gives it, and its properties with every function worked out."""

    account: str
    region: str
    name: str
    properties: Properties

    def __getitem__(self, name: str) -> Any:
        return self.properties[name]

    def get(self, name: str, default: Any = None) -> Any:
        return self.properties.get(name, default)

    def of(self, backends: Any) -> Any:
        """A service's backend in this place."""
        return backends[self.account][self.region]

    def everywhere(self, backends: Any) -> Any:
        """The backend of a service that has one for all regions."""
        return backends[self.account]["aws"]


@dataclass(frozen=True)
class Made:
    """What `Ref` and `Fn::GetAtt` tell of a resource."""

    id: str
    attributes: Properties = field(default_factory=dict)


Maker = Callable[[Wanted], Made]


def correct() -> None:
    """Let moto's CloudFormation know the types below. It looks for the direct subclasses of its model once."""
    for kind, make in _TYPES.items():
        _model(kind, make)
    _completed(FakeBucket, _complete_bucket)
    _completed(Role, _complete_role)
    _completed(Document, _complete_document)
    parsing.clean_json = _without_no_value
    Stack.stack_resources = property(_made_resources)  # type: ignore[method-assign,assignment]
    for cached in (parsing.get_model_list, parsing.get_model_map, parsing.get_name_type_map):
        cached.cache_clear()


def _model(kind: str, make: Maker) -> type[CloudFormationModel]:
    class Resource(CloudFormationModel):
        def __init__(self, made: Made) -> None:
            self.type, self.made = kind, made

        @property
        def physical_resource_id(self) -> str:
            return self.made.id

        def get_cfn_attribute(self, name: str) -> Any:
            return self.made.attributes[name]

        @staticmethod
        def cloudformation_name_type() -> str:
            return ""

        @staticmethod
        def cloudformation_type() -> str:
            return kind

        @classmethod
        def has_cfn_attr(cls, attr: str) -> bool:
            return True

        @classmethod
        def create_from_cloudformation_json(  # type: ignore[override]
            cls, resource_name: str, cloudformation_json: Properties, account_id: str, region_name: str, **_: Any
        ) -> Any:
            return cls(make(Wanted(account_id, region_name, resource_name, cloudformation_json.get("Properties", {}))))

        def is_created(self) -> bool:
            return True

    _KEPT.append(Resource)
    return Resource


_KEPT: list[type[CloudFormationModel]] = []
"""`__subclasses__` holds them weakly."""


# --- the types ----------------------------------------------------------------------------------------------------------------


def _bucket_policy(wanted: Wanted) -> Made:
    wanted.everywhere(s3_backends).put_bucket_policy(wanted["Bucket"], json.dumps(wanted["PolicyDocument"]).encode())
    return Made(wanted["Bucket"])


def _topic_policy(wanted: Wanted) -> Made:
    for topic in wanted["Topics"]:
        wanted.of(sns_backends).get_topic(topic).policy = json.dumps(wanted["PolicyDocument"])
    return Made(wanted.name)


def _subscription(wanted: Wanted) -> Made:
    return Made(wanted.of(sns_backends).subscribe(wanted["TopicArn"], wanted["Endpoint"], wanted["Protocol"]).arn)


def _queue_policy(wanted: Wanted) -> Made:
    for queue in wanted["Queues"]:
        name = queue.rpartition("/")[2]
        wanted.of(sqs_backends).set_queue_attributes(name, {"Policy": json.dumps(wanted["PolicyDocument"])})
    return Made(wanted.name)


def _role_policy(wanted: Wanted) -> Made:
    document = json.dumps(wanted["PolicyDocument"])
    wanted.everywhere(iam_backends).put_role_policy(wanted["RoleName"], wanted["PolicyName"], document)
    return Made(f"{wanted['PolicyName']}|{wanted['RoleName']}")


def _alarm(wanted: Wanted) -> Made:
    name = wanted.get("AlarmName", wanted.name)
    alarm = wanted.of(cloudwatch_backends).put_metric_alarm(
        name=name,
        namespace=wanted["Namespace"],
        metric_name=wanted["MetricName"],
        comparison_operator=wanted["ComparisonOperator"],
        evaluation_periods=int(wanted["EvaluationPeriods"]),
        period=int(wanted["Period"]),
        threshold=float(wanted["Threshold"]),
        statistic=wanted["Statistic"],
        description=wanted.get("AlarmDescription", ""),
        dimensions=wanted.get("Dimensions", []),
        alarm_actions=wanted.get("AlarmActions", []),
        actions_enabled=wanted.get("ActionsEnabled", True),
        treat_missing_data=wanted.get("TreatMissingData"),
    )
    return Made(name, {"Arn": alarm.alarm_arn})


def _connection(wanted: Wanted) -> Made:
    kind, parameters = wanted["AuthorizationType"], wanted["AuthParameters"]
    made = wanted.of(events_backends).create_connection(wanted.name, wanted.get("Description", ""), kind, parameters)
    return Made(made.name, {"Arn": made.arn})


def _api_destination(wanted: Wanted) -> Made:
    rate, method = wanted.get("InvocationRateLimitPerSecond", 300), wanted["HttpMethod"]
    told = wanted.of(events_backends).create_api_destination(
        wanted.name, wanted.get("Description", ""), wanted["ConnectionArn"], wanted["InvocationEndpoint"], rate, method
    )
    return Made(wanted.name, {"Arn": told["ApiDestinationArn"]})


def _config_rule(wanted: Wanted) -> Made:
    name, told = wanted.get("ConfigRuleName", wanted.name), dict(wanted.properties)
    told |= {"ConfigRuleName": name, "InputParameters": json.dumps(wanted.get("InputParameters", {}))}
    wanted.of(config_backends).put_config_rule(told)
    return Made(name, {"Arn": wanted.of(config_backends).config_rules[name].config_rule_arn})


def _workgroup(wanted: Wanted) -> Made:
    name, told = wanted["Name"], wanted.get("WorkGroupConfiguration", {})
    wanted.of(athena_backends).create_work_group(name, told, wanted.get("Description", ""), [])
    return Made(name)


def _named_query(wanted: Wanted) -> Made:
    name, about = wanted.get("Name", wanted.name), wanted.get("Description", "")
    asked = wanted.of(athena_backends).create_named_query(
        name, about, wanted["Database"], wanted["QueryString"], wanted.get("WorkGroup", "primary")
    )
    return Made(asked)


def _database(wanted: Wanted) -> Made:
    told = wanted["DatabaseInput"]
    wanted.of(glue_backends).create_database(told["Name"], told)
    return Made(told["Name"])


def _table(wanted: Wanted) -> Made:
    told = wanted["TableInput"]
    wanted.of(glue_backends).create_table(wanted["DatabaseName"], told["Name"], told)
    return Made(told["Name"])


_TYPES: dict[str, Maker] = {
    "AWS::Athena::NamedQuery": _named_query,
    "AWS::Athena::WorkGroup": _workgroup,
    "AWS::CloudWatch::Alarm": _alarm,
    "AWS::Config::ConfigRule": _config_rule,
    "AWS::Events::ApiDestination": _api_destination,
    "AWS::Events::Connection": _connection,
    "AWS::Glue::Database": _database,
    "AWS::Glue::Table": _table,
    "AWS::IAM::RolePolicy": _role_policy,
    "AWS::S3::BucketPolicy": _bucket_policy,
    "AWS::SNS::Subscription": _subscription,
    "AWS::SNS::TopicPolicy": _topic_policy,
    "AWS::SQS::QueuePolicy": _queue_policy,
}


# --- what moto makes otherwise ------------------------------------------------------------------------------------------------


def _complete_document(document: Any, wanted: Wanted) -> None:
    """moto keeps an automation's content as it is in the template, where its own service expects text."""
    document.content = json.dumps(wanted["Content"])
    document.document_format = "JSON"


def _completed(owner: Any, complete: Callable[[Any, Wanted], None]) -> None:
    """Let what moto makes of a resource be completed by the properties that it leaves out."""
    plain = owner.create_from_cloudformation_json

    def create(
        cls: Any, resource_name: str, cloudformation_json: Properties, account_id: str, region_name: str, **more: Any
    ) -> Any:
        made = plain(resource_name, cloudformation_json, account_id, region_name, **more)
        complete(made, Wanted(account_id, region_name, resource_name, cloudformation_json.get("Properties", {})))
        return made

    owner.create_from_cloudformation_json = classmethod(create)


def _complete_bucket(bucket: Any, wanted: Wanted) -> None:
    """moto makes a bucket with its encryption and its tags only."""
    backend = wanted.everywhere(s3_backends)
    bucket.versioning_status = wanted.get("VersioningConfiguration", {}).get("Status") or bucket.versioning_status
    if wanted.get("ObjectLockEnabled"):
        bucket.versioning_status = "Enabled"
        lock = wanted.get("ObjectLockConfiguration", {}).get("Rule", {}).get("DefaultRetention", {})
        days, years = (int(lock[unit]) if unit in lock else None for unit in ("Days", "Years"))
        backend.put_object_lock_configuration(bucket.name, True, lock.get("Mode"), days, years)
    if blocked := wanted.get("PublicAccessBlockConfiguration"):
        backend.put_public_access_block(bucket.name, {name: str(on).lower() for name, on in blocked.items()})
    if owned := wanted.get("OwnershipControls"):
        bucket.ownership_rule = owned["Rules"][0]["ObjectOwnership"]
    if rules := wanted.get("LifecycleConfiguration", {}).get("Rules"):
        kept(bucket)["Lifecycle"] = lifecycle_of([_lifecycle_rule(one) for one in rules])
    if encrypted := wanted.get("BucketEncryption", {}).get("ServerSideEncryptionConfiguration"):
        kept(bucket)["Encryption"] = {"Rules": [_encryption_rule(one) for one in encrypted]}
    if tags := wanted.get("Tags"):
        kept(bucket)["Tagging"] = {"TagSet": tags}


def _complete_role(role: Any, wanted: Wanted) -> None:
    """moto keeps a role's own policies as no text, and attaches none."""
    for policy in wanted.get("Policies", []):
        role.put_policy(policy["PolicyName"], json.dumps(policy["PolicyDocument"]))
    for arn in wanted.get("ManagedPolicyArns", []):
        wanted.everywhere(iam_backends).attach_role_policy(policy_arn=arn, role_name=role.name)


def _lifecycle_rule(told: Properties) -> Properties:
    """A rule of a template as the API has it."""
    rule: Properties = {"ID": told.get("Id"), "Status": told["Status"], "Prefix": told.get("Prefix", "")}
    if "ExpirationInDays" in told:
        rule["Expiration"] = {"Days": int(told["ExpirationInDays"])}
    if later := told.get("NoncurrentVersionExpiration"):
        rule["NoncurrentVersionExpiration"] = {name: int(number) for name, number in later.items()}
    return rule


def _encryption_rule(told: Properties) -> Properties:
    """A rule of a template as the API has it."""
    enabled = str(told.get("BucketKeyEnabled", False)).lower() == "true"
    return {"ApplyServerSideEncryptionByDefault": told["ServerSideEncryptionByDefault"], "BucketKeyEnabled": enabled}


_clean_json = parsing.clean_json


def _without_no_value(told: Any, resources: Any) -> Any:
    """moto keeps what is `AWS::NoValue` as nothing in a list; AWS leaves it out."""
    if isinstance(told, list):
        return [one for inner in told if (one := parsing.clean_json(inner, resources)) is not None]
    return _clean_json(told, resources)


def _made_resources(stack: Any) -> list[Any]:
    """moto lists what a condition leaves out too, without a name or a type."""
    return [one for one in stack.resource_map.values() if one is not None]
