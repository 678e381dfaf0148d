"""Choosing by name, with an error that offers the close names."""

from __future__ import annotations

import difflib
from collections.abc import Collection


def require_name(kind: str, name: str, options: Collection[str]) -> str:
    """`name` itself if it is one of `options`.

    Raises ValueError that shows the close names, or all of them where none is close.

    >>> require_name("method", "maple", ["coop", "maple"])
    'maple'
    """
    if name in options:
        return name
    close = difflib.get_close_matches(str(name), options, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(map(repr, close))}?" if close else f"choose one of {', '.join(options)}."
    raise ValueError(f"unknown {kind} {name!r}: {hint}")
