"""The dialect of every service but EC2 and S3: lowerCamel keys, plain lists, secrets left out."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"

_HIDDEN_MEMBER = re.compile(r"password|securestring|privatekey|secretstring|secretbinary|userdata|authtoken", re.I)
_DROPPED = {
    ("iam", "Password"),
    ("iam", "NewPassword"),
    ("iam", "OldPassword"),
    ("iam", "SecretAccessKey"),
    ("sts", "SecretAccessKey"),
    ("lambda", "ZipFile"),
    ("lambda", "Variables"),
    ("kms", "Plaintext"),
    ("cloudformation", "TemplateBody"),
    ("cloudformation", "ParameterValue"),
}


def lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def request(service: str, operation: str, shape: Shape, params: dict[str, Any]) -> dict[str, Any]:
    """A call's `requestParameters`.

    Session tags are a map under a name of their own: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html
    """
    out = _value(service, shape, params)
    if not isinstance(out, dict):
        return {}
    if service == "sts" and "tags" in out:
        out["principalTags"] = {tag["key"]: tag["value"] for tag in out.pop("tags")}
    return out


def response(service: str, operation: str, shape: Shape | None, result: dict[str, Any]) -> dict[str, Any]:
    """An answer's `responseElements`."""
    if shape is None or service in ("s3", "s3control"):
        return {}
    out = _value(service, shape, {k: v for k, v in result.items() if k != "ResponseMetadata"})
    return out if isinstance(out, dict) else {}


def _value(service: str, shape: Shape, value: Any) -> Any:
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        return {
            lower_first(member): _member(service, member, member_shape, value[member])
            for member, member_shape in shape.members.items()
            if member in value and (service, member) not in _DROPPED
        }
    if isinstance(shape, ListShape):
        return [_value(service, shape.member, entry) for entry in value]
    if isinstance(shape, MapShape):
        return {str(k): _value(service, shape.value, v) for k, v in value.items()}
    return _scalar(service, value)


def _member(service: str, member: str, shape: Shape, value: Any) -> Any:
    if isinstance(value, str | bytes) and _HIDDEN_MEMBER.search(member):
        return HIDDEN
    return _value(service, shape, value)


def _scalar(service: str, value: Any) -> Any:
    if isinstance(value, datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=UTC)
        # Java's dates: older services are without the second comma.
        return moment.strftime("%b %-d, %Y %-I:%M:%S %p" if service == "iam" else "%b %-d, %Y, %-I:%M:%S %p")
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    return str(value)
