"""The one place of the library that seeds torch's global generator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """A block in which torch's global generators (CPU, CUDA) start from `seed`; afterwards they are as before.

    >>> with seeded(1):
    ...     learner = MaPLe(clip)     # the same prompts whatever ran before
    """
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        yield


def derived_seed(*parts: int) -> int:
    """A 63-bit seed from several non-negative integers (a run's seed and its epoch), far from that of others."""
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0] >> np.uint64(1))
