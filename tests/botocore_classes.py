"""botocore's class of a service's clients, made once for all tests of a process.

A client of EC2 takes 0.1 s of CPU, most of it to make a class with 750 methods. The class depends on the service's model alone:
credentials, region and configuration are the client's own.
"""

from __future__ import annotations

from typing import Any

from botocore.client import ClientCreator

# boto3 and botocore give this class further methods, by the session that makes it.
_OF_ITS_SESSION = frozenset({"s3"})


def keep() -> None:
    """Let every client of a service in this process have the same class."""
    make, kept = ClientCreator._create_client_class, dict[tuple[str, str], type]()

    def create(self: ClientCreator, service_name: str, service_model: Any) -> type:
        if service_name in _OF_ITS_SESSION:
            return make(self, service_name, service_model)
        key = (service_name, service_model.api_version)
        if key not in kept:
            kept[key] = make(self, service_name, service_model)
        return kept[key]

    ClientCreator._create_client_class = create  # type: ignore[method-assign]
