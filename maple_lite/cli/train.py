"""`maple-lite train`: one method on one dataset, as the papers do, or on your own pictures."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import torch

from maple_lite.cli.shared import (
    OWN,
    TINY,
    add_flag,
    add_model_arguments,
    add_option,
    add_task_arguments,
    find_pictures,
    name_device,
    print_table,
    write_csv,
)
from maple_lite.clip import FrozenCLIP
from maple_lite.datasets import ClassificationDataset
from maple_lite.experiments.runs import Run, train
from maple_lite.experiments.tasks import recipe
from maple_lite.learners import METHODS
from maple_lite.loading import load_clip
from maple_lite.presets import SHOTS, TASKS, is_published
from maple_lite.storage.learner_files import save_learner
from maple_lite.support.checkpoint import require_writable
from maple_lite.support.names import require_name

COLUMNS = ("task", "model", "pretrained", "precision", "device", "torch", "seconds")  # of a run, beside its results
LEARNER = {"n_ctx": int, "depth": int, "init": str}  # settings of a preset that an option replaces
FIT = {"epochs": int, "lr": float, "batch_size": int}
MEANINGS = {
    "n_ctx": "prompt tokens",
    "depth": "prompted layers",
    "init": 'words that the prompts start from, "" for none',
    "epochs": "times through the training pictures",
    "lr": "learning rate",
    "batch_size": "pictures per step",
}
"""What every setting of a preset is, for --help."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to train on what, with which settings, and where the prompts go."""
    parser.add_argument("--method", required=True, help=f"one of {', '.join(METHODS)} (required)")
    about = "one of the fifteen, a drawn one, or the path of your own (required)"
    parser.add_argument("--dataset", required=True, metavar="NAME", help=about)
    add_option(parser, "--task", f"one of {', '.join(TASKS)}", TASKS[0])
    add_option(parser, "--shots", "training pictures per class", SHOTS, type=int)
    add_option(parser, "--seed", "of the sample, the prompts and the order of the pictures", 1, type=int)
    for name, kind in {**LEARNER, **FIT}.items():
        add_option(parser, f"--{name.replace('_', '-')}", MEANINGS[name], words="the preset's", type=kind)
    about = "show training pictures as they are, which suits signs and letters"
    add_flag(parser, "--no-augment", about, "cut and mirror photographs at random")
    about = f"the {OWN} file for the prompts"
    add_option(parser, "--output", about, words="prompts/DATASET-METHOD-TASK-...", metavar="FILE")
    add_task_arguments(parser)
    add_model_arguments(parser, TINY)


def run(options: argparse.Namespace) -> None:
    """Trains and tests as the command line says, prints the table beside the paper's, and keeps prompts and results.

    A run that was killed goes on where it was. Raises ValueError, before anything is read, for prompts that are there.
    """
    method = require_name("method", options.method, METHODS)
    task = require_name("task", options.task, TASKS)
    output = _new_output(options, task)
    clip = load_clip(options.model or TINY, options.pretrained, options.device)
    data, targets = find_pictures(options, options.dataset, task, clip)
    learner_kwargs, fit_kwargs = ({name: getattr(options, name) for name in names} for names in (LEARNER, FIT))
    settings: dict[str, Any] = dict(learner_kwargs=_given(learner_kwargs), fit_kwargs=_given(fit_kwargs))
    augment = {"augment": False} if options.no_augment else {}
    _print_settings(options, task, data, clip, {**settings["learner_kwargs"], **settings["fit_kwargs"], **augment})
    checkpoint = None if method == "zeroshot" else output.with_suffix(".checkpoint")
    settings |= dict(shots=options.shots, seed=options.seed, targets=targets, checkpoint=checkpoint)
    start = time.perf_counter()
    try:
        run = train(method, data, clip, task, precision=options.precision, chunk=options.chunk, **settings)
    except KeyboardInterrupt as error:
        raise RuntimeError("stopped: the epochs that were finished are kept, the same command goes on.") from error
    _keep(run, _notes(options, task, data, clip, time.perf_counter() - start), output)
    if checkpoint:
        checkpoint.unlink(missing_ok=True)
    print_table(run)
    print(f"prompts: {output} ({output.stat().st_size / 1e6:.2f} MB); results: {output.with_suffix('.csv')}")


def _keep(run: Run, notes: dict[str, Any], output: Path) -> None:
    """Writes the results beside the prompts, and then the prompts: where they are, a run is finished."""
    rows = run.results.assign(**{name: str(notes[name]) for name in COLUMNS})
    write_csv(rows, output.with_suffix(".csv"))
    save_learner(run.learner, output, notes)


def _new_output(options: argparse.Namespace, task: str) -> Path:
    """The file for the prompts; ValueError if there is one already, or a table that is not of this run."""
    usual = f"{Path(options.dataset).stem}-{options.method}-{task}-{options.shots}shots-seed{options.seed}{OWN}"
    output = Path(options.output or Path("prompts") / usual).expanduser()
    if output.suffix != OWN:
        raise ValueError(f"--output must end in {OWN}, got {output}.")
    begun = output.with_suffix(".checkpoint").exists()
    for file in (output, output.with_suffix(".csv")):
        if file.exists() and (file == output or not begun):
            raise ValueError(f"{file} is there already: name another --output, or remove it to train again.")
    require_writable(output)
    return output


def _given(options: dict[str, Any]) -> dict[str, Any]:
    """The options that were given; an empty `init` means none."""
    return {name: None if value == "" else value for name, value in options.items() if value is not None}


def _notes(
    options: argparse.Namespace, task: str, data: ClassificationDataset, clip: FrozenCLIP, seconds: float
) -> dict[str, Any]:
    """What the file of the prompts says of its run; of your own pictures not where they lie."""
    return {
        "dataset": None if data.own else data.name,
        "class_names": data.class_names,
        "task": task,
        "shots": options.shots,
        "seed": options.seed,
        "model": options.model or TINY,
        "pretrained": options.pretrained,
        "precision": options.precision,
        "augment": not options.no_augment,
        "device": name_device(clip),
        "torch": torch.__version__,
        "seconds": round(seconds, 1),
    }


def _print_settings(
    options: argparse.Namespace, task: str, data: ClassificationDataset, clip: FrozenCLIP, replaced: dict[str, Any]
) -> None:
    """Prints what is run, with which settings, and whose they are."""
    _, learner_kwargs, fit_kwargs, _ = recipe(options.method, task, options.shots, data.name, clip)
    whose = "as published" if is_published(options.method, task, options.shots) else "derived, unpublished"
    whose += f", but for {', '.join(replaced)}" if replaced else ""
    settings = ", ".join(f"{name} {value}" for name, value in ({**learner_kwargs, **fit_kwargs} | replaced).items())
    print(f"{options.method} on {data.name}: {task}, {options.shots} shots, seed {options.seed}, ", end="")
    print(f"{options.precision} on {name_device(clip)}")
    print(f"settings ({whose}): {settings or 'none'}", flush=True)
