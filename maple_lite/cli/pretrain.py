"""`maple-lite pretrain`: make a tiny CLIP, or judge one."""

from __future__ import annotations

import argparse
import signal
from dataclasses import fields
from pathlib import Path
from typing import Any

from maple_lite.cli.shared import add_option
from maple_lite.loading import load_clip
from maple_lite.pretraining.gauges import read_gauges, zero_shot_table
from maple_lite.pretraining.pretrain import PretrainingSettings, pretrain

MEANINGS = {
    "pairs": "drawn pictures with captions to train on",
    "batch_size": "pairs per step",
    "lr": "the highest learning rate",
    "weight_decay": "of the linear layers' matrices",
    "warmup": "steps until the learning rate is at its highest",
    "seed": "of the weights and the pictures",
    "precision": "fp32 or bf16",
    "every": "steps between two checkpoints",
    "resolution": "pixels of a picture's side",
    "width": "width of both towers",
    "layers": "layers of both towers",
    "embed_dim": "width of the features",
}
"""What every setting is, for --help."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where to write and go on from, which CLIP to judge, and an option per setting."""
    folder: dict[str, Any] = {"type": Path, "metavar": "FOLDER"}
    add_option(parser, "--out", "the open_clip folder to write, such as data/tiny-clip", words="none", **folder)
    add_option(
        parser, "--evaluate", "print the zero-shot table and the gauges of this CLIP instead", words="none", **folder
    )
    about = "the file from which a stopped run goes on"
    add_option(parser, "--checkpoint", about, words="OUT.checkpoint", type=Path, metavar="FILE")
    for setting in fields(PretrainingSettings):
        name, kind = "--" + setting.name.replace("_", "-"), type(setting.default)
        add_option(parser, name, MEANINGS[setting.name], setting.default, type=kind)


def run(options: argparse.Namespace) -> None:
    """Pretrains and prints the curve, or prints how good a CLIP is.

    Raises ValueError or OSError where something is wrong, RuntimeError when it is stopped.
    """
    out, folder = options.out, options.evaluate
    if (out is None) == (folder is None):
        raise ValueError("name either a folder to write, --out FOLDER, or one to judge, --evaluate FOLDER.")
    if folder is not None:
        table = zero_shot_table(load_clip(f"local-dir:{folder}"))
        print(table.round(1).to_string(index=False, na_rep=""), "", sep="\n")
        print(read_gauges(table).round(2).to_string(index=False))
        return
    settings = PretrainingSettings(**{each.name: getattr(options, each.name) for each in fields(PretrainingSettings)})
    _pretrain_until_stopped(out, settings, options.checkpoint or out.with_name(f"{out.name}.checkpoint"))


def _pretrain_until_stopped(out: Path, settings: PretrainingSettings, checkpoint: Path) -> None:
    """Pretrains and prints the curve; RuntimeError that says how to go on when it is interrupted or terminated."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        print(pretrain(out, settings, checkpoint).round(1).to_string(index=False))
    except KeyboardInterrupt as error:
        raise RuntimeError(f"stopped: the same command goes on from the last checkpoint, {checkpoint}.") from error
    finally:
        signal.signal(signal.SIGTERM, before)
