"""Choosing by name or number, with an error that says what would have been right."""

from __future__ import annotations

import difflib
import operator
from collections.abc import Collection
from typing import SupportsIndex

SHOWN = 10  # options at most in an error


def require_name(kind: str, name: str, options: Collection[str]) -> str:
    """`name` itself if it is one of `options`.

    Raises ValueError that shows the close names, whatever their case, or the first ten options where none is close.

    >>> require_name("method", "maple", ["coop", "maple"])
    'maple'
    """
    if isinstance(name, str) and name in options:
        return name
    lower = {option.lower(): option for option in options}
    close = [lower[match] for match in difflib.get_close_matches(str(name).lower(), lower, n=3, cutoff=0.5)]
    shown = ", ".join(list(options)[:SHOWN]) + (", ..." if len(options) > SHOWN else "")
    hint = f"did you mean {' or '.join(map(repr, close))}?" if close else f"choose one of {shown}."
    raise ValueError(f"unknown {kind} {name!r}: {hint}")


def require_count(name: str, value: SupportsIndex, least: int = 1) -> int:
    """`value` as an int; ValueError unless it is a whole number of at least `least`.

    >>> require_count("shots", np.int64(16))
    16
    """
    try:
        count = operator.index(value)
    except TypeError:
        raise ValueError(f"{name} must be a whole number, got {value!r}.") from None
    if count < least:
        raise ValueError(f"{name} must be at least {least}, got {count}.")
    return count
