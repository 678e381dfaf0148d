"""What several lessons' exercises share: a small CLIP, seeded numbers, facets of an encoder, wrong splices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from maple_lite.clip import FrozenCLIP
from maple_lite.course.teach.exercise import Facet
from maple_lite.course.teach.facets import Function, gradient, invariant
from maple_lite.course.teach.values import agree, literal
from maple_lite.support.small import small_open_clip

STD = 0.02  # of the numbers with which prompts start


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
    before = [weight.detach().clone() for weight in clip.parameters()]
    try:
        yield
    finally:
        clip.requires_grad_(False)
        for old, weight in zip(before, clip.parameters(), strict=True):
            weight.copy_(old)
            weight.grad = None


# of an encoder: `fn(clip, inputs, prompts)` returns features [N, D] of N inputs


def unit_norm(clip: FrozenCLIP, inputs: Tensor) -> Facet:
    """A facet of an encoder: features have length 1."""

    def norms(fn: Function) -> bool | str:
        found = fn(clip, inputs).norm(dim=-1)
        return agree(torch.ones(len(inputs)), found, 1e-4) or f"features of norm {literal(found.detach())}"

    cause = "F.normalize(..., dim=-1) is missing at the end, or works along another dimension"
    return invariant("unit norm", norms, expected="features of norm 1", cause=cause)


def unmixed(
    clip: FrozenCLIP, inputs: Tensor, singles: Sequence[Tensor], prompts: Sequence[Tensor], *, what: str, cause: str
) -> Facet:
    """A facet of an encoder: each of `singles`, the inputs in batches of one, has the same features as among others."""

    def alone(fn: Function) -> bool | str:
        apart = torch.cat([fn(clip, single, prompts) for single in singles])
        message = f"other features for a {what} among others than for the same one alone"
        return agree(apart, fn(clip, inputs, prompts), 1e-4) or message

    return invariant(f"{what}s do not mix", alone, expected=f"every {what} on its own", cause=cause)


def prompts_learn(
    clip: FrozenCLIP, inputs: Tensor, prompts: Sequence[Tensor], name: str = "the gradient reaches every prompt"
) -> Facet:
    """A facet of an encoder: the gradient reaches prompts[0], prompts[1], ..., and none of CLIP's weights."""
    names = [f"prompts[{i}]" for i in range(len(prompts))]

    def run(fn: Function) -> tuple[Tensor, dict[str, Any]]:
        leaves = [prompt.clone().requires_grad_() for prompt in prompts]
        named: dict[str, Any] = dict(zip(names, leaves, strict=True))
        return fn(clip, inputs, leaves), named | {"CLIP's weights": clip.parameters()}

    return gradient(run, reaches=names, spares=["CLIP's weights"], name=name)


SPREADS = {
    1.0: "torch.randn has a standard deviation of 1: multiply by 0.02",
    STD**2: "0.02 is the standard deviation, and it was squared once too often: multiply by 0.02 itself",
    STD**0.5: "that is the square root of 0.02: multiply by 0.02 itself, which is the standard deviation",
}


def cause_of_spread(numbers: Tensor) -> str:
    """What makes numbers that are not from N(0, 0.02^2); "" for those that may be."""
    mean, std = numbers.mean().item(), numbers.std().item()
    if std < 1e-8:
        return "all numbers are equal, so that all tokens start alike and get the same gradient: draw them"
    if (numbers >= 0).all():
        return "torch.rand draws from 0 to 1, so that no number is negative: torch.randn is the normal distribution"
    if abs(mean) > 0.2 * std:
        return "the mean is not 0: the numbers are normal around 0"
    if (numbers.abs() / std).max() < 2:
        return "no number is far out: these are not normal (torch.rand?), take torch.randn"
    for value, cause in SPREADS.items():
        if abs(std / value - 1) < 0.15:
            return cause
    right = abs(std / STD - 1) < 0.15
    return (
        "" if right else f"the standard deviation is {std / STD:.2g} times what it should be: torch.randn(...) * 0.02"
    )
