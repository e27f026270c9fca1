"""Small words for people."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """`1 region`, `3 regions`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
