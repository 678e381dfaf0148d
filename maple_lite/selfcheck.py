"""A self-check of the installation: MaPLe trained for a few steps on a small random CLIP and drawn pictures."""

from __future__ import annotations

import time
from typing import Any

import open_clip
import torch
from torch import nn

from maple_lite.clip import FrozenCLIP
from maple_lite.drawn import drawn
from maple_lite.evaluation import accuracy
from maple_lite.learners import MaPLe
from maple_lite.prompted import PromptedCLIP
from maple_lite.seeds import seeded
from maple_lite.training import fit

SMALL_VISION: dict[str, Any] = dict(layers=4, width=64, head_width=16, patch_size=16, image_size=32)
SMALL_TEXT: dict[str, Any] = dict(layers=3, width=48, heads=3)


def small_open_clip(kind: type[nn.Module] = open_clip.CLIP, **text: Any) -> nn.Module:
    """A random open_clip model for checks: 4 vision and 3 text layers, widths 64 and 48, joint width 32, 32 px.

    `kind` is `open_clip.CLIP` or `open_clip.CustomTextCLIP`; `text` changes settings of the text tower.
    """
    with seeded(0):
        return kind(32, SMALL_VISION, {**SMALL_TEXT, **text}, quick_gelu=True)


def selfcheck() -> list[str]:
    """The lines of a report on training MaPLe here; RuntimeError if training did not lower the loss."""
    start = time.perf_counter()
    clip = FrozenCLIP(small_open_clip().to("cuda" if torch.cuda.is_available() else "cpu"))
    pictures = drawn("zodiac", resolution=32, style="clean").subset(range(4)).train(shots=4, seed=0)
    with seeded(0):
        model = PromptedCLIP(clip, MaPLe(clip), pictures.class_names)
    before = accuracy(model, pictures)
    history = fit(model, pictures, epochs=20, lr=0.05, batch_size=16)
    if not history.losses[-1] < history.losses[0]:
        raise RuntimeError(f"training did not lower the loss ({history.losses[0]:.3f} to {history.losses[-1]:.3f}).")
    return [
        f"torch {torch.__version__} and open_clip {open_clip.__version__} on {clip.device}",
        repr(model),
        f"{len(history.losses)} steps on {len(pictures)} pictures of {', '.join(pictures.class_names)}: loss "
        f"{history.losses[0]:.2f} to {history.losses[-1]:.2f}, training accuracy {before:.0f}% to "
        f"{accuracy(model, pictures):.0f}%, {time.perf_counter() - start:.0f} s in all",
        "This small CLIP is random: it shows that everything is installed and trains, not how well MaPLe works.",
    ]
