"""Refusals, with the codes and the words that AWS uses."""

from __future__ import annotations


class AwsError(Exception):
    """An answer other than success."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


def unknown_credentials(service: str, protocol: str) -> AwsError:
    """What each family of services says to a key that does not exist, is inactive, or has no rights in the region."""
    if service == "ec2":
        return AwsError("AuthFailure", "AWS was not able to validate the provided access credentials", 401)
    if service in ("s3", "s3control"):
        return AwsError("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.", 403)
    message = "The security token included in the request is invalid."
    if protocol == "query":
        return AwsError("InvalidClientTokenId", message, 403)
    return AwsError("UnrecognizedClientException", message, 403 if protocol.startswith("rest") else 400)


def expired_credentials(service: str, protocol: str) -> AwsError:
    """What a temporary credential past its time is told."""
    if service == "ec2":
        return AwsError("RequestExpired", "Request has expired.", 400)
    code = "ExpiredToken" if protocol in ("query", "rest-xml") else "ExpiredTokenException"
    return AwsError(code, "The security token included in the request is expired", 403)


def not_authorized(service: str, principal: str, action: str, reason: str) -> AwsError:
    """What a caller without the permission is told."""
    if service == "ec2":
        message = f"You are not authorized to perform this operation. User: {principal} is not authorized to perform: "
        return AwsError("UnauthorizedOperation", f"{message}{action} {reason}", 403)
    code = "AccessDenied" if service in ("iam", "sts", "s3", "s3control") else "AccessDeniedException"
    return AwsError(code, f"User: {principal} is not authorized to perform: {action} {reason}", 403)


def throttled(service: str) -> AwsError:
    """What a caller over the rate is told."""
    if service == "ec2":
        return AwsError("RequestLimitExceeded", "Request limit exceeded.", 503)
    return AwsError("ThrottlingException", "Rate exceeded", 400)


def not_emulated(service: str, operation: str) -> AwsError:
    """What a caller of something that the range lacks is told."""
    code = "InvalidAction" if service in ("ec2", "iam", "sts") else "UnknownOperationException"
    return AwsError(code, f"The practice range does not emulate {service}:{operation}.", 400)
