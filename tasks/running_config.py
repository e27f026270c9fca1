"""How Countermand runs: the parts of one host, what it logs, and where it sends traces."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator


class ServeConfig(BaseModel):
    """The Prefect server and the worker that `countermand serve` runs beside the gateway.

    Attributes:
        prefect_host: where Prefect's server listens; anything but a loopback address should be a private network.
        prefect_port: its port.
        prefect_password: the password that its API and its page ask for; empty means one that is made once and kept in the file
            `prefect-password` under `home`.
        prefect_database_url: its database, as `postgresql+asyncpg://…`; empty means a SQLite file under `home`.
        redis_url: Redis for Prefect's messaging, as `redis://…`; needed only where several servers share one database.
        flows_at_once: how many flow runs the worker carries out at once.
        stop_seconds: how long each part may take to end when it is asked to.
    """

    model_config = ConfigDict(extra="forbid")

    prefect_host: str = "127.0.0.1"
    prefect_port: int = Field(default=4200, ge=1, le=65535)
    prefect_password: SecretStr = SecretStr("")
    prefect_database_url: SecretStr = SecretStr("")
    redis_url: SecretStr = SecretStr("")
    flows_at_once: int = Field(default=20, ge=1, le=1000)
    stop_seconds: float = Field(default=20, gt=0, le=600)


class LogConfig(BaseModel):
    """What is written to the standard error of each process.

    Attributes:
        format: `text` for people, `json` for machines: one object a line.
        level: the least that is written.
    """

    model_config = ConfigDict(extra="forbid")

    format: Literal["text", "json"] = "text"
    level: Literal["debug", "info", "warning", "error"] = "info"


class TracesConfig(BaseModel):
    """Where OpenTelemetry traces go. Without an address none are made.

    Attributes:
        url: a collector's address for OTLP over HTTP, as `http://127.0.0.1:4318/v1/traces`.
        headers: what the collector wants in each request, such as a token.
        timeout_seconds: how long one delivery may take; what is not delivered is dropped and never holds up a response.
    """

    model_config = ConfigDict(extra="forbid")

    url: str = Field(default="", pattern=r"^(https?://\S+)?$")
    headers: dict[str, SecretStr] = Field(default_factory=dict[str, SecretStr])
    timeout_seconds: float = Field(default=5, gt=0, le=60)


_ADDRESSES = {
    "dask": (re.compile(r"(tcp|tls|ws|wss|ucx)://[^\s/]+:\d{1,5}/?"), "tls://scheduler:8786"),
    "ray": (re.compile(r"ray://[^\s/]+:\d{1,5}/?|auto"), "ray://head:10001"),
}
"""By runner: the form of a cluster's address, and an example.

See https://distributed.dask.org/en/stable/communications.html and
https://docs.ray.io/en/latest/cluster/running-applications/job-submission/ray-client.html
"""


class SweepConfig(BaseModel):
    """Where a sweep reads.

    Attributes:
        runner: `threads` of the worker's own process, or the nodes of a `dask` or a `ray` cluster.
        address: the cluster's, as `tls://scheduler:8786` or `ray://head:10001`.
        deadline_seconds: how long a cluster may take for one sweep; what has not come by then is named as not read.
    """

    model_config = ConfigDict(extra="forbid")

    runner: Literal["threads", "dask", "ray"] = "threads"
    address: str = Field(default="", max_length=500)
    deadline_seconds: int = Field(default=3600, ge=1, le=86400)

    @model_validator(mode="after")
    def _knows_its_cluster(self) -> SweepConfig:
        if self.runner != "threads" and not self.address:
            raise ValueError(f"runner {self.runner} needs the cluster's address; add it, or set runner to threads")
        if self.runner == "threads" and self.address:
            raise ValueError("address goes with runner dask or ray; set runner, or remove it")
        if (known := _ADDRESSES.get(self.runner)) and not known[0].fullmatch(self.address):
            raise ValueError(f"runner {self.runner} has an address such as {known[1]}; give the cluster's own")
        return self
