"""What a call is made on, as its policies name it: for IAM, STS and S3, whose names are in the call itself."""

from __future__ import annotations

from drill.aws.wire import Call

# The parameter that names the resource, and the noun of its ARN, the first that is there.
_IAM = (
    ("RoleName", "role"),
    ("UserName", "user"),
    ("GroupName", "group"),
    ("InstanceProfileName", "instance-profile"),
)
_ARNS = ("PolicyArn", "OpenIDConnectProviderArn", "SAMLProviderArn")


def resource_of(call: Call, account: str) -> str | None:
    """The ARN that a call is made on; none where the call does not name one.

    An IAM name has no path here, as in the calls. `RemoveRoleFromInstanceProfile` and its opposite are made on the profile, and
    what puts a user into a group on the group. See
    https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html
    """
    if call.service == "iam":
        return _of_iam(call, account)
    if call.service == "sts" and call.params.get("RoleArn"):
        return str(call.params["RoleArn"])
    if call.service == "s3" and call.params.get("Bucket"):
        key = f"/{call.params['Key']}" if call.params.get("Key") else ""
        return f"arn:aws:s3:::{call.params['Bucket']}{key}"
    return None


def _of_iam(call: Call, account: str) -> str | None:
    names = [(call.params[parameter], noun) for parameter, noun in _IAM if call.params.get(parameter)]
    if not names:
        return next((str(call.params[arn]) for arn in _ARNS if call.params.get(arn)), None)
    name, noun = names[-1]
    return f"arn:aws:iam::{account}:{noun}/{name}"
