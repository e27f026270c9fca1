"""How CloudTrail writes down what was asked and what was answered.

Four dialects: EC2 operations of the first years (`classic`), later EC2 operations (`wrapped`), S3 (`storage`), and every other
service (`plain`). Which EC2 operation speaks which is in `families`.
"""

from __future__ import annotations

from typing import Any

from drill.aws.shapes import classic, families, plain, storage, wrapped
from drill.aws.wire import Answer, service_model


def request_parameters(service: str, operation: str, params: dict[str, Any]) -> dict[str, Any] | None:
    """A call's parameters as a record's `requestParameters`."""
    shape = service_model(service).operation_model(operation).input_shape
    if shape is None:
        return None
    if service in ("s3", "s3control"):
        return storage.request(operation, shape, params)
    if service != "ec2":
        return plain.request(service, operation, shape, params) or None
    if operation in families.CLASSIC:
        return classic.request(operation, shape, params)
    return wrapped.request(operation, shape, params)


def response_elements(
    service: str, operation: str, answer: Answer, result: dict[str, Any], request_id: str
) -> dict[str, Any] | None:
    """A successful answer as a record's `responseElements`. EC2 is read from its XML, others from the parsed result."""
    shape = service_model(service).operation_model(operation).output_shape
    if service != "ec2":
        return plain.response(service, operation, shape, result) or None
    if operation in families.CLASSIC:
        return classic.response(operation, shape, answer.body, request_id)
    return wrapped.response(operation, answer.body, request_id)
