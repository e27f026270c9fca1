"""The end of a process that another has overtaken. It stands apart so that whoever only reads need not load Prefect."""

from __future__ import annotations

from prefect.exceptions import Abort


class Overtaken(Abort):
    """Another process works at the incident now. Prefect ends this one and leaves the run as the other has it."""
