"""From an HTTP request to a call, and from a result back to an HTTP answer.

moto carries botocore's service models with parsers and serializers for every AWS protocol; both are used here, so an
answer has on the wire the shape that the model gives it.
"""

from __future__ import annotations

import io
import re
import uuid
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlencode

import botocore.session
from botocore import parsers as botocore_parsers
from botocore.model import OperationModel, OperationNotFoundError, ServiceModel
from moto.core.errors import COMMON_ERROR_CODES
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.serialize import get_serializer_class
from moto.core.utils import get_service_model as moto_service_model
from werkzeug.exceptions import HTTPException

from drill.aws.errors import AwsError

Environ = dict[str, Any]

_CREDENTIAL = re.compile(r"Credential=([^/,]+)/\d+/([^/,]+)/([^/,]+)/aws4_request")
_RPC_PATH = re.compile(r"/service/[^/]+/operation/([^/]+)$")

# Signing names that differ from the name boto3 gives the client.
_SERVICE_OF_SIGNING_NAME = {
    "access-analyzer": "accessanalyzer",
    "elasticloadbalancing": "elbv2",
    "email": "ses",
    "monitoring": "cloudwatch",
    "states": "stepfunctions",
    "tagging": "resourcegroupstaggingapi",
}
HOME_IF_GLOBAL = {"aws-global": "us-east-1"}
_CLASSIC_LOAD_BALANCING = "2012-06-01"
_EC2_VERSION = "2016-11-15"
_IAM_VERSION = "2010-05-08"
_S3_CONTROL = "/v20180820/"
"""How every path of S3's control plane begins, which signs as S3 does."""

_session = botocore.session.get_session()


@cache
def service_model(service: str) -> ServiceModel:
    """botocore's model of a service."""
    return _session.get_service_model(service)


@dataclass
class Answer:
    """An HTTP answer."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


@dataclass
class Call:
    """One API call as it arrived. `params` has the names of boto3's keyword arguments.

    `invoked_by` is the service that makes the call for somebody; it stands in the place of an address and a user agent.
    """

    service: str
    operation: str
    params: dict[str, Any]
    protocol: str
    signing_name: str
    access_key: str
    token: str
    region: str
    source_ip: str
    user_agent: str
    time: float
    environ: Environ
    body: bytes
    invoked_by: str = ""
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def model(self) -> OperationModel:
        return service_model(self.service).operation_model(self.operation)


def parse_call(environ: Environ, body: bytes, time: float) -> Call | None:
    """Read a signed request, or answer None where the request is not signed.

    Raises:
        AwsError: The request is signed, but for no operation that any service has.
    """
    signed = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    if not signed:
        return None
    access_key, region, signing_name = signed.groups()
    form = _form(environ, body)
    service = _service(signing_name, form, environ.get("PATH_INFO", ""))
    request = Request({**environ, "wsgi.input": io.BytesIO(body)})
    try:
        model = moto_service_model(service)
        protocol = determine_request_protocol(model, request.content_type)
        operation, uri_params = _operation(service, request, form)
        operation_model = model.operation_model(operation)
    except (OperationNotFoundError, HTTPException, NotImplementedError, botocore.exceptions.UnknownServiceError) as e:
        raise AwsError("UnknownOperationException", f"no such operation: {signing_name} {request.path} ({e})", 404) from e
    params = _params(protocol, operation_model, request, body, uri_params)
    invoked_by = environ.get("HTTP_X_RANGE_INVOKED_BY", "")
    return Call(
        service=service,
        operation=operation,
        params=params,
        protocol=protocol,
        signing_name=signing_name,
        access_key=access_key,
        token=environ.get("HTTP_X_AMZ_SECURITY_TOKEN", ""),
        region=HOME_IF_GLOBAL.get(region, region),
        source_ip=invoked_by or environ.get("HTTP_X_RANGE_SOURCE_IP") or environ.get("REMOTE_ADDR", ""),
        user_agent=invoked_by or environ.get("HTTP_X_RANGE_USER_AGENT") or environ.get("HTTP_USER_AGENT", ""),
        time=time,
        environ=environ,
        body=body,
        invoked_by=invoked_by,
    )


def ec2_call(operation: str, form: dict[str, str], region: str, access_key: str, time: float, invoked_by: str = "") -> Call:
    """A call of EC2 that did not come over the wire: the range's own, or that of a service which acts by itself."""
    return _own_call("ec2", {"Action": operation, "Version": _EC2_VERSION, **form}, region, access_key, time, invoked_by)


def iam_call(operation: str, form: dict[str, str], access_key: str, time: float) -> Call:
    """A call of IAM that the range makes itself."""
    return _own_call("iam", {"Action": operation, "Version": _IAM_VERSION, **form}, "us-east-1", access_key, time, "")


def _own_call(service: str, form: dict[str, str], region: str, access_key: str, time: float, invoked_by: str) -> Call:
    body = urlencode(form).encode()
    environ: Environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/",
        "QUERY_STRING": "",
        "SERVER_NAME": "range",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "CONTENT_TYPE": "application/x-www-form-urlencoded; charset=utf-8",
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_HOST": f"{service}.{region}.amazonaws.com",
        "HTTP_AUTHORIZATION": f"AWS4-HMAC-SHA256 Credential={access_key}/20260101/{region}/{service}/aws4_request, "
        "SignedHeaders=host, Signature=0",
        "HTTP_X_RANGE_INVOKED_BY": invoked_by,
    }
    call = parse_call(environ, body, time)
    assert call is not None
    return call


def _params(protocol: str, operation: OperationModel, request: Request, body: bytes, uri_params: dict[str, Any]) -> dict[str, Any]:
    parser = PROTOCOL_PARSERS[protocol](operation, map_type=dict)
    whole = {
        "method": request.method,
        "values": request.values,
        "headers": request.headers,
        "body": body,
        "url_path": request.path,
        "url_params": uri_params,
    }
    try:
        params: dict[str, Any] = parser.parse(whole)
    except Exception as e:
        # Whatever a parser stumbles over, the caller has sent something that is not a request.
        raise AwsError("MalformedQueryString", f"the request cannot be read: {type(e).__name__}: {e}", 400) from e
    return params


def _form(environ: Environ, body: bytes) -> dict[str, str]:
    if not environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        return {}
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


def _service(signing_name: str, form: dict[str, str], path: str) -> str:
    if signing_name == "elasticloadbalancing" and form.get("Version") == _CLASSIC_LOAD_BALANCING:
        return "elb"
    if signing_name == "s3" and path.startswith(_S3_CONTROL):
        return "s3control"
    return _SERVICE_OF_SIGNING_NAME.get(signing_name, signing_name)


def _operation(service: str, request: Request, form: dict[str, str]) -> tuple[str, dict[str, Any]]:
    if "Action" in form:
        return form["Action"], {}
    target = request.headers.get("X-Amz-Target")
    if target:
        return target.rsplit(".", 1)[-1], {}
    rpc = _RPC_PATH.search(request.path)
    if rpc:
        return rpc.group(1), {}
    model, uri_params = get_service_router(service).match(request)
    return model.name, dict(uri_params)


def _serialize(call: Call, result: object) -> Answer:
    model = moto_service_model(call.service)
    serializer = get_serializer_class(call.service, call.protocol)
    answer = serializer(model.operation_model(call.operation)).serialize(result)
    body = answer["body"]
    payload = body if isinstance(body, bytes) else str(body).encode()
    return Answer(int(answer["status_code"]), list(answer["headers"].items()), payload)


def success(call: Call, result: dict[str, Any]) -> Answer:
    """Serialize a result by the operation's output shape."""
    return _serialize(call, result)


def refusal(call: Call, error: AwsError) -> Answer:
    """Serialize an error by the call's protocol."""
    if error.code not in COMMON_ERROR_CODES:
        # moto warns of codes that a service's model does not list, which is most of the real ones.
        COMMON_ERROR_CODES.append(error.code)
    answer = _serialize(call, error)
    return Answer(error.status, answer.headers, answer.body)


def parse_result(call: Call, answer: Answer) -> dict[str, Any]:
    """Read an answer as boto3 would: the result, or {"Error": {"Code": …, "Message": …}}."""
    parser = botocore_parsers.create_parser(call.protocol)
    response = {"status_code": answer.status, "headers": dict(answer.headers), "body": answer.body}
    parsed: dict[str, Any] = parser.parse(response, call.model.output_shape)
    return parsed
