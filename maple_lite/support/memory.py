"""What to do when memory runs out: one sentence, with numbers to try."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

ROWS = 1024  # sentences encoded at a time: bounds memory where there are many (image, class) pairs
CPU_SIGN = "DefaultCPUAllocator"  # of torch's message when a CPU has no more memory


@contextmanager
def memory_advice(model: Any, batch_size: int) -> Iterator[None]:
    """A block in which torch's error for want of memory becomes one that says which chunk or batch size to try.

    `model` is the PromptedCLIP at work.
    It stays a torch.OutOfMemoryError, which is a RuntimeError, on a CPU, too.
    """
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, torch.OutOfMemoryError) and CPU_SIGN not in str(error):
            raise
        raise torch.OutOfMemoryError(_sentence(model, batch_size)) from error


def _sentence(model: Any, batch_size: int) -> str:
    """What ran out with which sizes, and what to try."""
    device, classes = model.clip.device, len(model.class_names)
    rows = len(model.tokens) * (batch_size if model.learner.needs_image else 1)
    smaller = min(model.chunk or ROWS, rows) // 2
    tries = [f"chunk={smaller} (--chunk {smaller}), which changes no result"] if smaller else []
    tries += [f"a batch size of {batch_size // 2}"] if batch_size > 1 else []
    advice = " or ".join([*tries, "precision='bf16'"])
    return f"out of memory on {device} with {batch_size} images and {classes} classes at a time: try {advice}."
