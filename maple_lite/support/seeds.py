"""The one place of the library that seeds torch's global generator."""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Iterator
from contextlib import contextmanager

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
    """A 63-bit seed from one or more integers (a run's seed and its epoch); other integers give another seed.

    The number of integers counts, and so does their order.

    >>> derived_seed(1) == derived_seed(1, 0)
    False
    """
    text = ",".join(str(operator.index(part)) for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1
