"""The progress bar of every long loop."""

from __future__ import annotations

import sys
from typing import Any

from tqdm import tqdm

LINES = 10


def progress(total: int, label: str, done: int = 0, show: bool = True) -> tqdm[Any]:
    """A tqdm bar of `total` steps: live in a terminal, at most ten lines elsewhere (a log, a notebook under test).

    A bar that redraws ten times a second fills logs and floods notebook kernels; without a terminal it moves by
    tenths. Use it as a context and call `.update()` after every step. `show=False` draws nothing.
    """
    if sys.stderr.isatty() or not show:
        return tqdm(total=total, initial=done, desc=label, disable=not show)
    every = max(1, -(-(total - done) // (LINES - 2)))  # the first and the last line are always drawn
    return tqdm(total=total, initial=done, desc=label, miniters=every, mininterval=0, maxinterval=float("inf"))
