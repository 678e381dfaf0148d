"""The command line `maple-lite`: a function per subcommand."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import pandas as pd

from maple_lite.cli.commands import (
    add_evaluate_arguments,
    add_predict_arguments,
    add_train_arguments,
    run_evaluate,
    run_predict,
    run_train,
)
from maple_lite.course.lab import open_lab
from maple_lite.course.selfcheck import selfcheck
from maple_lite.datasets.fetch import available
from maple_lite.experiments import benchmark
from maple_lite.learners import METHODS
from maple_lite.loading import load_clip
from maple_lite.presets import SHOTS, TASKS, is_published, preset
from maple_lite.pretraining import pretrain
from maple_lite.support.files import data_folder
from maple_lite.support.version import VERSION


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one subcommand and returns the exit status: 0, or 2 after one sentence on what was wrong."""
    options = parser().parse_args(arguments)
    try:
        options.run(options)
    except (ValueError, OSError, RuntimeError, ImportError) as error:
        print(f"maple-lite: {error}", file=sys.stderr)
        return 2
    return 0


def parser() -> argparse.ArgumentParser:
    """The parser of all subcommands; each sets `run`, a function of the parsed options."""
    top = argparse.ArgumentParser(prog="maple-lite", description="CLIP prompt learning: seven methods, one package.")
    top.add_argument("--version", action="version", version=f"maple-lite {VERSION}")
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND")

    check = commands.add_parser("selfcheck", help="train MaPLe and CoOp on the tiny CLIP, in under a minute")
    check.set_defaults(run=run_selfcheck)

    lab = commands.add_parser("lab", help="open JupyterLab on the course")
    lab.add_argument("options", nargs="*", help="options of JupyterLab, after --, such as -- --port 9000")
    lab.set_defaults(run=run_lab)

    pretraining = commands.add_parser("pretrain", help="make a tiny CLIP: pretrain it on drawn pictures")
    pretrain.add_arguments(pretraining)
    pretraining.set_defaults(run=pretrain.run)

    evaluation = commands.add_parser(
        "benchmark", help="run the paper's evaluation, or a part of it, and keep its tables"
    )
    benchmark.add_arguments(evaluation)
    evaluation.set_defaults(run=benchmark.run)

    training = commands.add_parser("train", help="train one method on one dataset, as the papers do, or on your own")
    add_train_arguments(training)
    training.set_defaults(run=run_train)

    testing = commands.add_parser("evaluate", help="test trained prompts, ours or an authors' checkpoint")
    add_evaluate_arguments(testing)
    testing.set_defaults(run=run_evaluate)

    naming = commands.add_parser("predict", help="name pictures by trained prompts, with probabilities")
    add_predict_arguments(naming)
    naming.set_defaults(run=run_predict)

    photos = commands.add_parser("datasets", help="list the real datasets that are there, and fetch others")
    available.add_arguments(photos)
    photos.set_defaults(run=available.run)

    settings = commands.add_parser("presets", help="show the authors' settings of every method")
    settings.add_argument("--task", default=TASKS[0], help=f"one of {', '.join(TASKS)}")
    settings.add_argument("--shots", type=int, default=SHOTS, help="training images per class")
    settings.add_argument("--source", help="the dataset trained on, where settings depend on it (imagenet, objects)")
    settings.add_argument("--model", help="scale the prompt depth to the layers of this open_clip architecture")
    settings.set_defaults(run=run_presets)

    info = commands.add_parser("info", help="show versions, the device and where the data lies")
    info.set_defaults(run=run_info)
    return top


def run_selfcheck(options: argparse.Namespace) -> None:
    """Prints the report of `selfcheck`."""
    print("\n".join(selfcheck()))


def run_lab(options: argparse.Namespace) -> None:
    """Runs JupyterLab until it is stopped."""
    status = open_lab(data_folder().parent / "notebooks", options.options)
    if status:
        raise RuntimeError(f"JupyterLab ended with status {status}: its own message stands above.")


def run_presets(options: argparse.Namespace) -> None:
    """Prints a table with a row per method."""
    random = None if options.model == "tiny" else "random"
    clip = load_clip(options.model, random) if options.model else None
    rows = []
    for method in METHODS:
        learner_kwargs, fit_kwargs = preset(method, options.task, options.shots, options.source, clip)
        published = "published" if is_published(method, options.task, options.shots) else "derived, unpublished"
        rows.append({"method": method, **learner_kwargs, **fit_kwargs, "settings": published})
    print(pd.DataFrame(rows, dtype=object).fillna("-").to_string(index=False))


def run_info(options: argparse.Namespace) -> None:
    """Prints what a report of a problem needs."""
    import open_clip
    import torch

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"CPU, {torch.get_num_threads()} threads"
    print(f"maple-lite {VERSION}, torch {torch.__version__}, open_clip {open_clip.__version__}")
    print(f"Python {sys.version.split()[0]} on {sys.platform}; device: {device}")
    print(f"data: {data_folder()}")


if __name__ == "__main__":
    sys.exit(main())
