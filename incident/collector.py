"""Python's cyclic garbage collector, out of the way while much is built that is not garbage."""

from __future__ import annotations

import gc
import threading
from collections.abc import Generator
from contextlib import contextmanager

_lock = threading.Lock()
_paused = 0
_was_enabled = False


@contextmanager
def collector_paused() -> Generator[None, None, None]:
    """Let nothing be collected meanwhile; where several threads ask for it, until the last of them has ended.

    A fold, a plan and a sweep hold all that they make, and the collector would scan it again and again while it grows: a third of
    the time. What is dropped is freed by its reference count all the same.
    """
    global _paused, _was_enabled
    with _lock:
        if _paused == 0:
            _was_enabled = gc.isenabled()
            gc.disable()
        _paused += 1
    try:
        yield
    finally:
        with _lock:
            _paused -= 1
            if _paused == 0 and _was_enabled:
                gc.enable()
