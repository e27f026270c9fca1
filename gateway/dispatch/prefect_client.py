"""Prefect's client for a process that must answer others meanwhile."""

from __future__ import annotations

import ssl
from functools import lru_cache

import certifi
from prefect.client.orchestration import PrefectClient, get_client
from prefect.settings import PREFECT_API_SSL_CERT_FILE, PREFECT_API_TLS_INSECURE_SKIP_VERIFY


def prefect_client() -> PrefectClient:
    """Prefect's client, as Prefect's own settings say; enter it with `async with`.

    Prefect's own reads the file of trusted certificates for each client again: more than twenty milliseconds in which no door
    answers.
    """
    trust = _trust(bool(PREFECT_API_TLS_INSECURE_SKIP_VERIFY.value()), PREFECT_API_SSL_CERT_FILE.value() or certifi.where())
    return get_client(httpx_settings={"verify": trust})


@lru_cache(maxsize=4)
def _trust(blindly: bool, file: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=file)
    if blindly:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
