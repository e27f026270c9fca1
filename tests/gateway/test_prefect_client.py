"""Prefect's client of the gateway trusts whom Prefect's settings say, and reads that once."""

from __future__ import annotations

import ssl
from pathlib import Path

import certifi
import pytest
from prefect.settings import PREFECT_API_SSL_CERT_FILE, PREFECT_API_TLS_INSECURE_SKIP_VERIFY, PREFECT_API_URL, temporary_settings

from gateway.dispatch import prefect_client as module

URL = {PREFECT_API_URL: "https://prefect.example/api"}


@pytest.fixture
def read(monkeypatch) -> list[str | None]:
    """The files of certificates that were read."""
    files: list[str | None] = []
    create = ssl.create_default_context

    def noted(*given, cafile=None, **more):
        files.append(cafile)
        return create(*given, cafile=cafile, **more)

    monkeypatch.setattr(ssl, "create_default_context", noted)
    module._trust.cache_clear()
    yield files
    module._trust.cache_clear()


def test_certificates_are_read_once_however_many_clients_there_are(read):
    with temporary_settings(URL):
        for _ in range(3):
            module.prefect_client()
    assert len(read) == 1


def test_a_file_of_certificates_that_prefect_is_told_is_the_one_that_counts(read, tmp_path):
    own = tmp_path / "own.pem"
    own.write_bytes(Path(certifi.where()).read_bytes())
    with temporary_settings(URL | {PREFECT_API_SSL_CERT_FILE: str(own)}):
        module.prefect_client()
    assert read == [str(own)]


@pytest.mark.parametrize(("blindly", "mode"), [(False, ssl.CERT_REQUIRED), (True, ssl.CERT_NONE)])
def test_a_server_is_believed_unseen_only_where_prefect_is_told_so(read, monkeypatch, blindly, mode):
    given: list[ssl.SSLContext] = []
    monkeypatch.setattr(module, "get_client", lambda httpx_settings: given.append(httpx_settings["verify"]))
    with temporary_settings(URL | {PREFECT_API_TLS_INSECURE_SKIP_VERIFY: blindly}):
        module.prefect_client()
    assert (given[0].verify_mode, given[0].check_hostname) == (mode, not blindly)
