"""How moto finds who serves a request: what it works out anew for each request, though it never changes, is kept."""

from __future__ import annotations

from functools import cache

import moto.backends
import moto.core.responses


def correct() -> None:
    """Apply the corrections of this module, after those that give moto's classes further methods."""
    # A listing of moto's folder with a stat of each entry, and every method of a class: 6 ms of CPU of a request's 25.
    modules = tuple(moto.backends.list_of_moto_modules())
    moto.backends.list_of_moto_modules = lambda: modules  # type: ignore[assignment]
    moto.core.responses.method_names_from_class = cache(moto.core.responses.method_names_from_class)  # type: ignore[assignment]
