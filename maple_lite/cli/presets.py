"""`maple-lite presets`: the authors' settings of every method."""

from __future__ import annotations

import argparse

import pandas as pd

from maple_lite.cli.shared import add_option
from maple_lite.learners import METHODS
from maple_lite.loading import load_clip
from maple_lite.presets import SHOTS, TASKS, is_published, preset


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Of which task, how many shots, which dataset and which CLIP."""
    add_option(parser, "--task", f"one of {', '.join(TASKS)}", TASKS[0])
    add_option(parser, "--shots", "training pictures per class", SHOTS, type=int)
    about = "the dataset to train on; imagenet and objects have settings of their own"
    add_option(parser, "--source", about, words="any other", metavar="NAME")
    about = "an open_clip architecture, whose layers decide the depth"
    add_option(parser, "--model", about, words="ViT-B/16, 12 layers", metavar="NAME")


def run(options: argparse.Namespace) -> None:
    """Prints a table with a row per method."""
    random = None if options.model == "tiny" else "random"
    clip = load_clip(options.model, random) if options.model else None
    rows = []
    for method in METHODS:
        learner_kwargs, fit_kwargs = preset(method, options.task, options.shots, options.source, clip)
        published = "published" if is_published(method, options.task, options.shots) else "derived, unpublished"
        rows.append({"method": method, **learner_kwargs, **fit_kwargs, "settings": published})
    print(pd.DataFrame(rows, dtype=object).fillna("-").to_string(index=False))
