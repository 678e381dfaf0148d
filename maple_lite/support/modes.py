"""Training mode and evaluation mode for a block of code, and back again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def in_mode(module: nn.Module, *, training: bool) -> Iterator[None]:
    """A block in which `module` trains or is evaluated; afterwards every part of it has the mode that it had.

    >>> with in_mode(model, training=False):
    ...     logits = model(images)     # dropout does nothing
    """
    before = {part: part.training for part in module.modules()}
    module.train(training)
    try:
        yield
    finally:
        for part, mode in before.items():
            part.training = mode
