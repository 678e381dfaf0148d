"""A submission that never ends is stopped, so that a check always comes back."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from maple_lite.course.teach.exercise import Finding


@contextmanager
def stopped_after(seconds: float) -> Iterator[None]:
    """A block that raises Finding if it runs longer; without a limit on Windows and outside of the main thread.

    What runs inside one call of torch is stopped when that call returns.
    """
    if not hasattr(signal, "SIGALRM") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: Any) -> None:
        cause = "a loop never ends: look at what a while waits for, and whether it changes inside the loop"
        raise Finding("an answer", f"none after {seconds:g} seconds, so your function was stopped", cause)

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
