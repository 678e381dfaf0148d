"""Random numbers that are a pure function of a picture's key: nothing that ran before can change them.

Every picture has one 64-bit key. SplitMix64 (Steele, Lea and Flood 2014) turns (key, purpose, counter) into uniform
numbers, for a whole batch of pictures at once.
"""

from __future__ import annotations

import math
import zlib

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Keys = npt.NDArray[np.uint64]

GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def picture_keys(source: str, class_ids: Tensor, items: Tensor) -> Keys:
    """Keys [B] of the pictures `items` [B] of the classes `class_ids` [B] in `source`, a dataset's split and seed."""
    counters = (class_ids.numpy().astype(np.uint64) << np.uint64(32)) ^ items.numpy().astype(np.uint64)
    return _mix(_mix(counters) ^ _salt(source))


def random_keys(n: int, generator: torch.Generator) -> Keys:
    """Keys [n] drawn from `generator`."""
    return torch.randint(2**63 - 1, (n,), generator=generator).numpy().astype(np.uint64)


def related_keys(keys: Keys, purpose: str) -> Keys:
    """Keys [B] for a second thing in each picture of `keys` [B]: its numbers have nothing to do with the first's.

    >>> keys = random_keys(2, torch.Generator().manual_seed(0))
    >>> bool((related_keys(keys, "a pattern") == keys).any())
    False
    """
    return _mix(keys ^ _salt(purpose))


def uniform(keys: Keys, purpose: str, *shape: int) -> Tensor:
    """Uniform numbers in [0, 1), float32 [B, *shape], for the pictures of `keys` [B]; each purpose has its own.

    >>> keys = random_keys(2, torch.Generator().manual_seed(0))
    >>> uniform(keys, "angle", 1).shape
    torch.Size([2, 1])
    """
    counters = np.arange(1, math.prod(shape) + 1, dtype=np.uint64) * GOLDEN
    numbers = _mix((keys ^ _salt(purpose))[:, None] + counters)
    return torch.from_numpy((numbers >> np.uint64(40)).astype(np.float32) * np.float32(2**-24)).view(-1, *shape)


def _salt(text: str) -> np.uint64:
    """A 64-bit number that stands for `text`."""
    return _mix(np.array([zlib.crc32(text.encode())], dtype=np.uint64))[0]


def _mix(numbers: Keys) -> Keys:
    """SplitMix64's finaliser: neighbouring numbers become unrelated ones."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))
