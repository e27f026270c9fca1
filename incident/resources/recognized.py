"""What an actor can make in services that no family undoes: recognized by name, with what a person can do about it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from incident.network.values import identifiers
from incident.record import JsonObject, Record

_THINGS = {
    "batch": ("Batch jobs and compute environments, which start instances", "TerminateJob, then disable and delete the queue"),
    "codebuild": ("build projects, which run code on machines of AWS's", "StopBuild and DeleteProject"),
    "ecs": ("container clusters, services and tasks, which start again", "DeleteService with force, StopTask, then DeleteCluster"),
    "eks": ("Kubernetes clusters and node groups", "DeleteNodegroup and DeleteFargateProfile, then DeleteCluster"),
    "elasticmapreduce": ("EMR clusters, which start instances", "SetTerminationProtection off, then TerminateJobFlows"),
    "glue": ("Glue jobs and development endpoints", "BatchStopJobRun, then DeleteJob or DeleteDevEndpoint"),
    "lightsail": ("Lightsail instances, which EC2 does not list", "CreateInstanceSnapshot, then DeleteInstance"),
    "s3": (
        "buckets' locks, payers, inventories, metrics and access points",
        "ask the bucket's owner, and set or delete it; an inventory in another account's bucket carries off the list of objects",
    ),
    "sagemaker": ("notebooks, endpoints and training jobs", "the Stop operation of its kind, then the Delete operation"),
    "scheduler": ("EventBridge schedules, which go on calling", "DeleteSchedule"),
    "sns": ("topics and who is subscribed to them", "Unsubscribe, DeleteTopic, or set the attributes from before"),
    "sqs": ("queues and who may use them", "DeleteQueue, or set the attributes from before"),
    "states": ("state machines, which go on running", "StopExecution, then DeleteStateMachine"),
}
_VERB = re.compile(r"^(Create|Run|Start|Register|Import|Publish|Put|Submit|Update|Set|Subscribe)")
_NAMES = re.compile(r"(name|arn|id|identifier|url)s?$", re.I)


def advice_for(record: Record) -> tuple[str, str]:
    """What a record's service makes and how a person ends it; empty for a service that is not recognized."""
    thing, how = _THINGS.get(record.service, ("", ""))
    told = f"By hand: keep what describes it, then {how}; look first whether others use it." if how else ""
    return (f"{record.service} has {thing}", told) if thing else ("", "")


def named(record: Record) -> str:
    """The name, ARN or id of what a record is about, as it stands there; empty where it tells none."""
    noun = _VERB.sub("", record.event_name).lower()
    found = [*_told(record.response), *_told(record.request)]
    own = [value for name, value in found if noun and name.lower().startswith(noun[:6])]
    return next(iter(own or [value for _, value in found]), "")[:200]


def _told(body: JsonObject) -> Iterator[tuple[str, str]]:
    for name, value in body.items():
        if _NAMES.search(name):
            yield from ((name, one) for one in identifiers(value) if one)
