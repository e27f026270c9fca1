"""A sweep over the nodes of a real Dask cluster with TLS: processes that read, one of which dies meanwhile."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from distributed import Client
from distributed.security import Security
from pydantic import ValidationError

from drill.aws import Range, RangeConfig
from flows.spreading import runner_of
from gateway.practice.configuration import responder_credentials
from gateway.practice.prefect_database import one_connection
from gateway.practice.stack import Stack, free_port
from gateway.processes import ROOT
from tasks.config import ConfigError
from tasks.running_config import SweepConfig
from tests.certificates import certificate

REGIONS = ("ap-south-1", "eu-central-1", "us-east-1")
NODES = ("one", "two")
_DEADLINE = 60.0


class Cluster:
    """A Prefect server, a range, a Dask scheduler and two of its workers, which know nothing but AWS; all of Dask with TLS."""

    def __init__(self, folder: Path, up: ExitStack) -> None:
        aws = up.enter_context(Range(RangeConfig(regions=REGIONS)))
        paper, key = map(str, certificate(folder))
        seen = {
            **responder_credentials(aws),
            "COUNTERMAND_AWS": json.dumps({"accounts": [aws.account], "endpoint_url": aws.url}),
            "COUNTERMAND_HOME": str(folder / "node"),
            "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "5s",
            **_encrypted(paper, key),
        }
        self.stack = up.enter_context(Stack(folder, one_connection(folder)))
        self.stack.add_environment(seen)
        self.stack.start_prefect()
        self.address = f"tls://127.0.0.1:{(port := free_port())}"
        self.stack.start("scheduler", [*_dask("scheduler"), "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"])
        for name in NODES:
            node = ["--name", name, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", str(folder)]
            self.stack.start(name, [*_dask("worker"), self.address, *node])
        known = Security(tls_ca_file=paper, tls_client_cert=paper, tls_client_key=key, require_encryption=True)
        self.client = up.enter_context(Client(self.address, timeout=_DEADLINE, security=known))
        self.client.wait_for_workers(len(NODES), timeout=_DEADLINE)
        self.home = folder / "home"

    def swept(self, **runner: Any) -> str:
        """What the real flow says, in a process of its own."""
        more = {"COUNTERMAND_HOME": str(self.home), "COUNTERMAND_SWEEP": json.dumps(runner)}
        command = [sys.executable, "-c", "import asyncio; from flows.sweep import sweep; print(asyncio.run(sweep()))"]
        ended = subprocess.run(
            command, cwd=ROOT, env={**self.stack.environment, **more}, capture_output=True, text=True, check=True, timeout=_DEADLINE
        )
        return ended.stdout.splitlines()[-1]

    def works(self, name: str) -> bool:
        """Whether a node reads just now."""
        # A node that has only just come is not told of yet.
        nodes = self.client.scheduler_info()["workers"].items()
        return any(node["name"] == name and self.client.processing().get(at) for at, node in nodes)

    def kept(self) -> int:
        return len(self._files())

    def newest(self) -> dict[str, Any]:
        """The settings of each place's newest baseline."""
        return {file.parent.name: json.loads(gzip.decompress(file.read_bytes()))["settings"] for file in self._files()}

    def _files(self) -> list[Path]:
        return sorted((self.home / "baselines").rglob("*.gz"))


def _dask(part: str) -> list[str]:
    return [sys.executable, "-m", f"distributed.cli.dask_{part}"]


def _encrypted(paper: str, key: str) -> dict[str, str]:
    """Dask's configuration of scheduler, nodes and whoever asks them, as the operations guide has it."""
    told = {"DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "True", "DASK_DISTRIBUTED__COMM__TLS__CA_FILE": paper}
    for part in ("SCHEDULER", "WORKER", "CLIENT"):
        told |= {f"DASK_DISTRIBUTED__COMM__TLS__{part}__CERT": paper, f"DASK_DISTRIBUTED__COMM__TLS__{part}__KEY": key}
    return told


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with ExitStack() as up:
        yield Cluster(tmp_path_factory.mktemp("spread"), up)


@pytest.mark.slow
def test_nodes_read_what_threads_read_and_what_none_reads_is_named(cluster, wait_until):
    at_home = cluster.swept()
    assert at_home.endswith(f"settings in {len(REGIONS)} regions, 0 reads failed, 0 exposures proposed")
    assert cluster.kept() == len(REGIONS)
    read_at_home = cluster.newest()

    with ThreadPoolExecutor(1) as pool:
        sweeping = pool.submit(cluster.swept, runner="dask", address=cluster.address)
        wait_until(lambda: all(cluster.works(name) for name in NODES), _DEADLINE, "both nodes to read")
        cluster.stack.kill(NODES[0])
        assert sweeping.result() == at_home, "a node that dies loses no place"
    assert cluster.kept() == 2 * len(REGIONS)
    assert cluster.newest() == read_at_home
    assert not (cluster.stack.folder / "node" / "ledger.db").exists(), "a node needs no ledger"

    cluster.stack.kill(NODES[1])
    said = cluster.swept(runner="dask", address=cluster.address, deadline_seconds=1)
    assert said == f"0 settings in {len(REGIONS)} regions, {len(REGIONS)} reads failed, 0 exposures proposed"
    assert cluster.kept() == 2 * len(REGIONS)


@pytest.mark.slow
def test_a_cluster_that_is_not_reached_is_said_in_one_line(cluster):
    known = cluster.kept()
    with pytest.raises(subprocess.CalledProcessError) as failed:
        cluster.swept(runner="dask", address=f"tls://127.0.0.1:{free_port()}")
    assert "the cluster at sweep.address is not reached" in failed.value.stderr.splitlines()[-1]
    assert cluster.kept() == known, "what was known before stays"


def test_a_library_that_is_not_there_is_named_with_its_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "prefect_ray", None)
    with pytest.raises(ConfigError, match=r"prefect-ray is not installed; run: pip install 'countermand\[ray\]'"):
        runner_of(SweepConfig(runner="ray", address="ray://head:10001"))
    assert runner_of(SweepConfig()) is None


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"runner": "dask"}, "needs the cluster's address"),
        ({"address": "tcp://a:1"}, "set runner"),
        ({"runner": "dask", "address": "ray://head:10001"}, "such as tls://scheduler:8786"),
        ({"runner": "ray", "address": "tls://scheduler:8786"}, "such as ray://head:10001"),
        ({"runner": "dask", "address": "tls://scheduler"}, "such as tls://scheduler:8786"),
    ],
)
def test_a_cluster_has_a_kind_and_an_address(given, words):
    with pytest.raises(ValidationError, match=words):
        SweepConfig(**given)
