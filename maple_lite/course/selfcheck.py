"""A self-check of the installation: MaPLe and CoOp trained on the tiny CLIP, beside zero-shot CLIP."""

from __future__ import annotations

import time

import open_clip
import torch

from maple_lite.datasets import open_dataset
from maple_lite.experiments.tasks import base_to_novel
from maple_lite.experiments.titles import TITLES
from maple_lite.loading import load_clip
from maple_lite.protocol import base_and_novel
from maple_lite.support.version import VERSION

SHOWN = ("zeroshot", "coop", "maple")
GAIN = 4.0  # points that training must bring on base classes; without any, MaPLe is within 2 of zero-shot CLIP


def selfcheck(dataset: str = "plants", seed: int = 1) -> list[str]:
    """The lines of a report: MaPLe and CoOp trained here on the tiny CLIP, beside zero-shot CLIP, in percent.

    RuntimeError if MaPLe is not better on the base classes than zero-shot CLIP by GAIN: then training does not work.
    """
    start = time.perf_counter()
    clip = load_clip()
    data = open_dataset(dataset, clip=clip)
    results = base_to_novel(clip, [data], SHOWN, seeds=[seed])
    table = results.pivot(index="method", columns="split", values="accuracy").loc[list(SHOWN), ["base", "novel", "hm"]]
    if not table.base["maple"] > table.base["zeroshot"] + GAIN:
        raise RuntimeError(
            f"training did not help: MaPLe names {table.base['maple']:.1f}% of the base classes' pictures, and without "
            f"training it was {table.base['zeroshot']:.1f}%. Send the output of 'maple-lite info' with your report."
        )
    classes = len(data.class_names)
    return [
        f"maple_lite {VERSION}, torch {torch.__version__} and open_clip {open_clip.__version__} on {clip.device}",
        f"the tiny CLIP {clip.fingerprint}: {clip.text_layers} text and {clip.vision_layers} vision layers, no network",
        f"{dataset}: trained on 16 pictures of each of {len(base_and_novel(classes)[0])} base classes, tested on new "
        f"pictures of these and of the other classes, seed {seed}",
        "",
        f"{'accuracy (%)':16} {'base':>6} {'novel':>6} {'HM':>6}",
        *(f"{TITLES[str(row.Index)]:16} {row.base:6.1f} {row.novel:6.1f} {row.hm:6.1f}" for row in table.itertuples()),
        "",
        f"Everything works, in {time.perf_counter() - start:.0f} s. One seed of one dataset proves no more than that.",
    ]
