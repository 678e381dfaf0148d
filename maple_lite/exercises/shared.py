"""What several lessons' exercises share: a small CLIP, seeded numbers, weights that stay."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import torch
from torch import Tensor

from maple_lite.clip import FrozenCLIP
from maple_lite.small import small_open_clip


@lru_cache
def small_clip() -> FrozenCLIP:
    """A random CLIP of 3 text and 4 vision layers whose text width 48, vision width 64 and joint width 32 differ."""
    return FrozenCLIP(small_open_clip())


def draw(*shape: int, seed: int = 0) -> Tensor:
    """Normal numbers, the same for the same seed."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@contextmanager
def kept(clip: FrozenCLIP) -> Iterator[None]:
    """A block after which a CLIP is frozen and has its weights again, whatever a submission did to them."""
    before = [weight.clone() for weight in clip.parameters()]
    try:
        yield
    finally:
        clip.requires_grad_(False)
        for old, weight in zip(before, clip.parameters(), strict=True):
            weight.copy_(old)
            weight.grad = None
