"""A self-check of the installation: MaPLe and CoOp trained on the tiny CLIP, beside zero-shot CLIP."""

from __future__ import annotations

import time
from typing import Any

import open_clip
import torch
from torch import nn

from maple_lite import __version__
from maple_lite.models import load_clip
from maple_lite.plots import TITLES
from maple_lite.protocol import base_and_novel
from maple_lite.seeds import seeded
from maple_lite.tasks import base_to_novel
from maple_lite.zero_shot import pictures

SHOWN = ("zeroshot", "coop", "maple")
GAIN = 4.0  # points that training must bring on base classes; without any, MaPLe is within 2 of zero-shot CLIP

SMALL_VISION: dict[str, Any] = dict(layers=4, width=64, head_width=16, patch_size=16, image_size=32)
SMALL_TEXT: dict[str, Any] = dict(layers=3, width=48, heads=3)


def small_open_clip(kind: type[nn.Module] = open_clip.CLIP, **text: Any) -> nn.Module:
    """A random open_clip model for checks: 4 vision and 3 text layers, widths 64 and 48, joint width 32, 32 px.

    `kind` is `open_clip.CLIP` or `open_clip.CustomTextCLIP`; `text` changes settings of the text tower.
    """
    with seeded(0):
        return kind(32, SMALL_VISION, {**SMALL_TEXT, **text}, quick_gelu=True)


def selfcheck(dataset: str = "zodiac", seed: int = 1) -> list[str]:
    """The lines of a report: MaPLe and CoOp trained here on the tiny CLIP, beside zero-shot CLIP, in percent.

    RuntimeError if MaPLe is not better on the base classes than zero-shot CLIP by GAIN: then training does not work.
    """
    start = time.perf_counter()
    clip = load_clip()
    data = pictures(clip, dataset)
    results = base_to_novel(clip, [data], SHOWN, seeds=[seed])
    table = results.pivot(index="method", columns="split", values="accuracy").loc[list(SHOWN), ["base", "novel", "hm"]]
    if not table.base["maple"] > table.base["zeroshot"] + GAIN:
        raise RuntimeError(
            f"training did not help: MaPLe names {table.base['maple']:.1f}% of the base classes' pictures, and without "
            f"training it was {table.base['zeroshot']:.1f}%. Send the output of 'maple-lite info' with your report."
        )
    classes = len(data.class_names)
    return [
        f"maple_lite {__version__}, torch {torch.__version__} and open_clip {open_clip.__version__} on {clip.device}",
        f"the tiny CLIP {clip.fingerprint}: {clip.text_layers} text and {clip.vision_layers} vision layers, no network",
        f"{dataset}: trained on 16 pictures of each of {len(base_and_novel(classes)[0])} base classes, tested on new "
        f"pictures of these and of the other classes, seed {seed}",
        "",
        f"{'accuracy (%)':16} {'base':>6} {'novel':>6} {'HM':>6}",
        *(f"{TITLES[str(row.Index)]:16} {row.base:6.1f} {row.novel:6.1f} {row.hm:6.1f}" for row in table.itertuples()),
        "",
        f"Everything works, in {time.perf_counter() - start:.0f} s. One seed of one dataset proves no more than that.",
    ]
