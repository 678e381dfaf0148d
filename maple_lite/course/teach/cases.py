"""Cases that a check draws: sizes, numbers and modules that no submission has been fitted to."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

ONES, EQUAL, DOUBLE, UNEVEN = range(4)
"""The first cases: every size is the smallest; all sizes are equal; numbers have double precision; sizes are odd and
all different. The sizes of later cases are drawn."""

LARGEST = 6  # of the sizes that are drawn


class Case:
    """One case of a check. It is the same for the same number, so that the case on screen is the case that was tested.

    >>> case = Case(3)
    >>> pictures, classes = case.sizes(2)
    >>> arguments = case.normal(pictures, 8), case.normal(classes, 8)
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.generator = torch.Generator().manual_seed(1000 + number)
        self.dtype = torch.float64 if number == DOUBLE else torch.float32

    def sizes(self, count: int, low: int | Sequence[int] = 1) -> list[int]:
        """`count` sizes, each at least `low`."""
        lows = [low] * count if isinstance(low, int) else list(low)
        if self.number == ONES:
            return lows
        if self.number == EQUAL:
            return [max(3, *lows)] * count
        if self.number == UNEVEN:
            return [smallest + 2 * place + (smallest + 1) % 2 for place, smallest in enumerate(lows, start=1)]
        return [self.whole(smallest, max(LARGEST, smallest + 2)) for smallest in lows]

    def size(self, low: int = 1) -> int:
        """One size of at least `low`."""
        return self.sizes(1, low)[0]

    def whole(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        return int(torch.randint(low, high + 1, (), generator=self.generator))

    def normal(self, *shape: int) -> Tensor:
        """Normal numbers."""
        return torch.randn(shape, generator=self.generator, dtype=self.dtype)

    def uniform(self, *shape: int) -> Tensor:
        """Numbers between 0 and 1."""
        return torch.rand(shape, generator=self.generator, dtype=self.dtype)

    def labels(self, count: int, n_classes: int) -> Tensor:
        """`count` labels from 0 to `n_classes` - 1; some classes may have none."""
        return torch.randint(n_classes, (count,), generator=self.generator)

    def shuffled(self, count: int) -> list[int]:
        """The numbers 0 to `count` - 1 in an order that is drawn."""
        return torch.randperm(count, generator=self.generator).tolist()

    def chosen(self, entries: Sequence[Any]) -> Any:
        """One of some entries."""
        return entries[self.whole(0, len(entries) - 1)]

    def used(self, module: nn.Module) -> nn.Module:
        """A copy of a module that has been in use: parameters have gradients of earlier steps, the mode alternates."""
        own = copy.deepcopy(module)
        for weight in own.parameters():
            if weight.requires_grad:
                weight.grad = torch.ones_like(weight)
        return own.train(self.number % 2 == 0)


def size_of(arguments: Sequence[Any]) -> int:
    """How large some arguments are: the numbers of their tensors and the entries of their lists."""
    total = 0
    for value in arguments:
        if isinstance(value, Tensor):
            total += value.numel()
        elif isinstance(value, list | tuple):
            total += len(value) + size_of(value)
        elif isinstance(value, dict):
            total += len(value) + size_of(list(value.values()))
    return total


Make = Callable[[Case], Sequence[Any]]
