"""Facts that die with a resource, and the reads that keep them, in the order in which they fade.

They are taken before snapshots and before anything is stopped. User data may hold secrets: it is evidence, and goes nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote

from incident.actor import Actor, Link
from incident.family import Read
from incident.network.function import FUNCTION
from incident.resources.bucket import BUCKET, CONTENT
from incident.resources.compute import INSTANCE
from incident.resources.function_part import LAYER
from incident.resources.group import ATTACHED_GROUP_POLICY, GROUP, GROUP_POLICY
from incident.resources.identity import ACCESS_KEY, ATTACHED_USER_POLICY, GLOBAL, LOGIN_PROFILE, USER, USER_POLICY
from incident.resources.managed_policy import DEFAULT, MANAGED_POLICY, VERSION
from incident.resources.role import ATTACHED_ROLE_POLICY, ROLE, ROLE_POLICY
from incident.settings import Reversal, SettingKey


class Of(StrEnum):
    """What facts are kept of."""

    INSTANCE = "instances"
    FUNCTION = "functions"
    USER = "users"
    ROLE = "roles"
    GROUP = "groups"
    POLICY = "policies"
    NETWORK = "flow-logs"
    BUCKET = "buckets"
    LAYER = "layers"


WITH_CODE = (Of.FUNCTION, Of.LAYER)
"""What has code, which is fetched from where AWS's answer says."""

IDENTITIES = (Of.USER, Of.ROLE, Of.GROUP, Of.POLICY)


@dataclass(frozen=True, slots=True, order=True)
class Subject:
    """One thing of which facts are kept; `name` is its id, name or ARN, empty for all networks of a region."""

    of: Of
    account: str
    region: str
    name: str = ""

    @property
    def folder(self) -> str:
        """Where its items lie."""
        if self.of in IDENTITIES:
            return f"identities/{self.account}/{self.of}/{part_of_name(self.name)}"
        if self.of is Of.NETWORK:
            return f"{self.of}/{self.account}"
        return f"{self.of}/{self.region}/{part_of_name(self.name)}"


@dataclass(frozen=True, slots=True)
class Each:
    """A read for each value that the JMESPath `path` finds in an answer, with the value as its `parameter`.

    `then` are further reads, in the same way, on what that read answers; they have its parameters too.
    """

    path: str
    parameter: str
    read: Read
    then: Each | None = None


@dataclass(frozen=True, slots=True)
class Fact:
    """One item of evidence: the reads that tell it, of which the first that AWS answers counts.

    `each` is a further read for each of what the answer names.
    """

    item: str
    about: str
    reads: tuple[Read, ...]
    each: Each | None = None


def part_of_name(text: str) -> str:
    """A name of AWS's, such as a user's, as one part of an item's name; no two have the same."""
    quoted = quote(text, safe="").replace("~", "%7E").replace("..", "%2E%2E")
    return "%2E" if quoted == "." else quoted


def facts(subject: Subject) -> tuple[Fact, ...]:
    """What is kept of a subject."""
    told = {
        Of.INSTANCE: _of_instance,
        Of.FUNCTION: _of_function,
        Of.USER: _of_user,
        Of.ROLE: _of_role,
        Of.GROUP: _of_group,
        Of.POLICY: _of_policy,
        Of.NETWORK: _of_networks,
        Of.BUCKET: _of_bucket,
        Of.LAYER: _of_layer,
    }
    return told[subject.of](subject)


def _of_instance(one: Subject) -> tuple[Fact, ...]:
    """Screen and console first: they change from minute to minute.

    The latest console output is known for Nitro instances only; others answer with what they wrote at their last start. See
    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-console.html
    """
    instance, attached = one.name, [{"Name": "attachment.instance-id", "Values": [one.name]}]
    console = [Read("ec2", "GetConsoleOutput", {"InstanceId": instance, **more}) for more in ({"Latest": True}, {})]
    user_data = Read("ec2", "DescribeInstanceAttribute", {"InstanceId": instance, "Attribute": "userData"})
    associated = [{"Name": "instance-id", "Values": [instance]}]
    groups = Each("NetworkInterfaces[].Groups[].GroupId", "GroupIds", Read("ec2", "DescribeSecurityGroups"))
    described = Read("ec2", "DescribeInstances", {"InstanceIds": [instance]})
    interfaces = Read("ec2", "DescribeNetworkInterfaces", {"Filters": attached})
    return (
        Fact(
            f"{one.folder}/screenshot.json",
            f"screen of {instance}",
            (Read("ec2", "GetConsoleScreenshot", {"InstanceId": instance}),),
        ),
        Fact(f"{one.folder}/console-output.json", f"console output of {instance}", tuple(console)),
        Fact(f"{one.folder}/user-data.json", f"user data of {instance}", (user_data,)),
        Fact(f"{one.folder}/instance.json", f"instance {instance}", (described,)),
        Fact(f"{one.folder}/interfaces.json", f"network interfaces of {instance}", (interfaces,)),
        Fact(f"{one.folder}/security-groups.json", f"security groups of {instance}", (interfaces,), groups),
        Fact(f"{one.folder}/volumes.json", f"volumes of {instance}", (Read("ec2", "DescribeVolumes", {"Filters": attached}),)),
        Fact(
            f"{one.folder}/profile.json",
            f"instance profile of {instance}",
            (Read("ec2", "DescribeIamInstanceProfileAssociations", {"Filters": associated}),),
        ),
    )


def _of_function(one: Subject) -> tuple[Fact, ...]:
    """The configuration names the layers; the code is fetched from where the same answer says. See
    https://docs.aws.amazon.com/lambda/latest/api/API_GetFunction.html
    """
    return (
        Fact(f"{one.folder}/function.json", f"function {one.name}", (Read("lambda", "GetFunction", {"FunctionName": one.name}),)),
    )


def _of_layer(one: Subject) -> tuple[Fact, ...]:
    """A version as the end of its ARN names it; its content is fetched from where the answer says."""
    name, _, version = one.name.removeprefix("layer:").rpartition(":")
    read = Read("lambda", "GetLayerVersion", {"LayerName": name, "VersionNumber": int(version)})
    return (Fact(f"{one.folder}/layer.json", f"layer {name}, version {version}", (read,)),)


def _of_bucket(one: Subject) -> tuple[Fact, ...]:
    """Every version and delete marker with its size, time and ETag, and who is on the access list. The objects are not copied."""
    named = {"Bucket": one.name}
    inventory = Read("s3", "ListObjectVersions", named)
    return (
        Fact(f"{one.folder}/inventory.json", f"what bucket {one.name} holds", (inventory,)),
        Fact(f"{one.folder}/acl.json", f"access list of bucket {one.name}", (Read("s3", "GetBucketAcl", named),)),
    )


def _version_documents(policy: str = "") -> Each:
    """The document of each version of the policy, or of each that the read before names."""
    return Each("Versions[].VersionId", "VersionId", Read("iam", "GetPolicyVersion", {"PolicyArn": policy} if policy else {}))


def _policies(one: Subject, owner: str) -> tuple[Fact, ...]:
    """What a `User`, `Role` or `Group` may do: the documents in it, what is attached, and each attached policy's versions.

    An actor who sets another version as the default leaves the others to be read. AWS's own policies are not kept: they are public,
    and have up to hundreds of versions. https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_managed-versioning.html
    """
    named = {f"{owner}Name": one.name}
    attached, inline = Read("iam", f"ListAttached{owner}Policies", named), Read("iam", f"List{owner}Policies", named)
    documents = Each("PolicyNames", "PolicyName", Read("iam", f"Get{owner}Policy", named))
    theirs = "AttachedPolicies[?!contains(PolicyArn, ':iam::aws:policy/')].PolicyArn"
    versions = Each(theirs, "PolicyArn", Read("iam", "ListPolicyVersions"), _version_documents())
    return (
        Fact(f"{one.folder}/attached.json", f"policies attached to {one.name}", (attached,)),
        Fact(f"{one.folder}/policies.json", f"policies of {one.name}", (inline,), documents),
        Fact(f"{one.folder}/versions.json", f"every version of the policies attached to {one.name}", (attached,), versions),
    )


def _of_user(one: Subject) -> tuple[Fact, ...]:
    """See https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_last-accessed.html for what last-used tells."""
    named = {"UserName": one.name}
    used = Each("AccessKeyMetadata[].AccessKeyId", "AccessKeyId", Read("iam", "GetAccessKeyLastUsed"))
    return (
        Fact(f"{one.folder}/user.json", f"user {one.name}", (Read("iam", "GetUser", named),)),
        Fact(f"{one.folder}/access-keys.json", f"access keys of {one.name}", (Read("iam", "ListAccessKeys", named),), used),
        *_policies(one, "User"),
        Fact(f"{one.folder}/groups.json", f"groups of {one.name}", (Read("iam", "ListGroupsForUser", named),)),
    )


def _of_role(one: Subject) -> tuple[Fact, ...]:
    """Who may assume a role and when it was last used stand in the role itself."""
    role = Fact(f"{one.folder}/role.json", f"role {one.name}", (Read("iam", "GetRole", {"RoleName": one.name}),))
    return (role, *_policies(one, "Role"))


def _of_group(one: Subject) -> tuple[Fact, ...]:
    """Who is in a group stands in the group itself."""
    group = Fact(f"{one.folder}/group.json", f"group {one.name}", (Read("iam", "GetGroup", {"GroupName": one.name}),))
    return (group, *_policies(one, "Group"))


def _of_policy(one: Subject) -> tuple[Fact, ...]:
    """A customer managed policy by its ARN: each version's document, and to whom it is attached."""
    named = {"PolicyArn": one.name}
    versions = Read("iam", "ListPolicyVersions", named)
    holders = Read("iam", "ListEntitiesForPolicy", named)
    return (
        Fact(f"{one.folder}/versions.json", f"every version of policy {one.name}", (versions,), _version_documents(one.name)),
        Fact(f"{one.folder}/attached-to.json", f"whom policy {one.name} is attached to", (holders,)),
    )


def _of_networks(one: Subject) -> tuple[Fact, ...]:
    """Every flow log of the region, with where it delivers to: what the network carried is to be read there."""
    return (Fact(f"{one.folder}/{one.region}.json", f"flow logs in {one.region}", (Read("ec2", "DescribeFlowLogs"),)),)


def code_item(function: Subject) -> str:
    """The name of the item that holds a function's code."""
    return f"{function.folder}/code.zip"


def subjects(instances: Iterable[SettingKey], reversals: Iterable[Reversal], actor: Actor) -> tuple[Subject, ...]:
    """Of what facts are kept: instances that would go, functions that the actor wrote, buckets and layers that they made, whom
    they acted as, made or gave anything, and the flow logs of every region where they wrote.
    """
    written = [reversal.key for reversal in reversals]
    found = {Subject(Of.INSTANCE, key.account, key.region, key.resource) for key in instances}
    found |= {_function(key) for key in written if key.kind.split("-")[0] == FUNCTION}
    found |= {identity for key in written if (identity := _identity(key)) is not None}
    made = [reversal.key for reversal in reversals if reversal.target is None]
    found |= {Subject(Of.BUCKET, key.account, key.region, key.resource) for key in made if key.kind == BUCKET}
    found |= {Subject(Of.LAYER, key.account, key.region, key.resource) for key in made if key.kind == LAYER}
    found |= {Subject(Of.NETWORK, key.account, key.region) for key in written if key.region not in ("", GLOBAL)}
    return tuple(sorted(found | set(_acted_as(actor))))


def _function(key: SettingKey) -> Subject:
    """A function by its name, without the qualifier of a version or alias."""
    name = key.resource.split(":function:")[-1].split(":")[0]
    return Subject(Of.FUNCTION, key.account, key.region, name)


_HELD_BY = {
    USER: Of.USER,
    LOGIN_PROFILE: Of.USER,
    USER_POLICY: Of.USER,
    ATTACHED_USER_POLICY: Of.USER,
    ACCESS_KEY: Of.USER,
    ROLE: Of.ROLE,
    ROLE_POLICY: Of.ROLE,
    ATTACHED_ROLE_POLICY: Of.ROLE,
    GROUP: Of.GROUP,
    GROUP_POLICY: Of.GROUP,
    ATTACHED_GROUP_POLICY: Of.GROUP,
    MANAGED_POLICY: Of.POLICY,
    VERSION: Of.POLICY,
    DEFAULT: Of.POLICY,
}


def _identity(key: SettingKey) -> Subject | None:
    """The user, role, group or managed policy that a setting is, or is held by."""
    name = key.name if key.kind == ACCESS_KEY else key.resource
    return Subject(_HELD_BY[key.kind], key.account, GLOBAL, name) if key.kind in _HELD_BY and name else None


def _acted_as(actor: Actor) -> Iterable[Subject]:
    for credential in actor.proved:
        if credential.kind in ("user", "session", "federated") and credential.owner:
            yield Subject(Of.USER, credential.account, GLOBAL, credential.owner)
        elif credential.kind == "role" and credential.owner:
            yield Subject(Of.ROLE, credential.account, GLOBAL, credential.owner.rpartition("/")[2])
    for foothold in actor.footholds:
        if foothold.link is Link.PROVED and foothold.name:
            of = Of.USER if foothold.kind in ("user", "console") else Of.ROLE
            yield Subject(of, foothold.account, GLOBAL, foothold.name)


def items_of(subject: Subject) -> tuple[str, ...]:
    """The names of the items that are kept of a subject, if they can be."""
    code = (code_item(subject),) if subject.of in WITH_CODE else ()
    return (*(fact.item for fact in facts(subject)), *code)


def rests_on(key: SettingKey) -> tuple[str, ...]:
    """The items on which the deletion of a resource rests: all that can be kept of it."""
    if key.kind == INSTANCE:
        return items_of(Subject(Of.INSTANCE, key.account, key.region, key.resource))
    if key.kind in (BUCKET, CONTENT):
        return items_of(Subject(Of.BUCKET, key.account, key.region, key.resource))
    if key.kind == LAYER:
        return items_of(Subject(Of.LAYER, key.account, key.region, key.resource))
    if key.kind == FUNCTION:
        return items_of(_function(key))
    identity = _identity(key)
    return items_of(identity) if identity else ()
