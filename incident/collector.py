"""Python's cyclic garbage collector, out of the way while much is built that is not garbage."""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Generator[None, None, None]:
    """Let nothing be collected meanwhile.

    A fold and a plan hold all that they make, and the collector would scan it again and again while it grows: a third of the time.
    What is dropped is freed by its reference count all the same.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
