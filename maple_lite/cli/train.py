"""`maple-lite train`: one method on one dataset, as the papers do, or on your own pictures."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable
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
    print_table,
    write_csv,
)
from maple_lite.experiments.plan import Plan, make_plan, name_device
from maple_lite.experiments.run import Run, execute
from maple_lite.learners import METHODS
from maple_lite.loading import load_clip
from maple_lite.presets import SHOTS, TASKS
from maple_lite.storage.learner_files import save_learner
from maple_lite.support.checkpoint import require_writable
from maple_lite.support.names import require_name

COLUMNS = ("task", "model", "pretrained", "precision", "device", "torch", "seconds")  # of a run, beside its results
# The settings of a preset that an option replaces
LEARNER = {"n_ctx": int, "depth": int, "init": str, "mean": float, "std": float}
FIT = {"epochs": int, "lr": float, "batch_size": int}
MEANINGS = {
    "n_ctx": "prompt tokens",
    "depth": "prompted layers",
    "init": 'words that the prompts start from, "" for none',
    "mean": "epoch, from 1, that counts most in PromptSRC's average of epochs",
    "std": "how many epochs that average is wide",
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
    require_name("method", options.method, METHODS)
    require_name("task", options.task, TASKS)
    output = _new_output(options)
    clip = load_clip(options.model or TINY, options.pretrained, options.device)
    data, targets = find_pictures(options, options.dataset, options.task, clip)
    how: dict[str, Any] = dict(shots=options.shots, seed=options.seed, targets=targets)
    how |= dict(precision=options.precision, chunk=options.chunk)
    how |= dict(learner_kwargs=_given(options, LEARNER), fit_kwargs=_given(options, FIT))
    plan = make_plan(options.method, data, clip, options.task, **how)
    print(plan)
    if options.no_augment:
        print("training pictures: as they are, neither cut nor mirrored at random", flush=True)
    start, checkpoint = time.perf_counter(), output.with_suffix(".checkpoint")
    try:
        run = execute(plan, checkpoint=checkpoint)
    except KeyboardInterrupt as error:
        raise RuntimeError("stopped: the epochs that were finished are kept, the same command goes on.") from error
    _keep(run, _notes(options, plan, time.perf_counter() - start), output)
    checkpoint.unlink(missing_ok=True)
    print_table(run)
    print(f"prompts: {output} ({output.stat().st_size / 1e6:.2f} MB); results: {output.with_suffix('.csv')}")


def _keep(run: Run, notes: dict[str, Any], output: Path) -> None:
    """Writes the results beside the prompts, and then the prompts: where they are, a run is finished."""
    rows = run.results.assign(**{name: str(notes[name]) for name in COLUMNS})
    write_csv(rows, output.with_suffix(".csv"))
    save_learner(run.learner, output, notes)


def _new_output(options: argparse.Namespace) -> Path:
    """The file for the prompts; ValueError if there is one already, or a table that is not of this run."""
    usual = f"{Path(options.dataset).stem}-{options.method}-{options.task}-{options.shots}shots-seed{options.seed}{OWN}"
    output = Path(options.output or Path("prompts") / usual).expanduser()
    if output.suffix != OWN:
        raise ValueError(f"--output must end in {OWN}, got {output}.")
    begun = output.with_suffix(".checkpoint").exists()
    for file in (output, output.with_suffix(".csv")):
        if file.exists() and (file == output or not begun):
            raise ValueError(f"{file} is there already: name another --output, or remove it to train again.")
    require_writable(output)
    return output


def _given(options: argparse.Namespace, names: Iterable[str]) -> dict[str, Any]:
    """The settings that were given as options; an empty `init` means none."""
    found = {name: getattr(options, name) for name in names}
    return {name: None if value == "" else value for name, value in found.items() if value is not None}


def _notes(options: argparse.Namespace, plan: Plan, seconds: float) -> dict[str, Any]:
    """What the file of the prompts says of its run; of your own pictures not where they lie."""
    return {
        "dataset": None if plan.data.own else plan.data.name,
        "class_names": plan.data.class_names,
        "task": plan.task,
        "shots": plan.shots,
        "seed": plan.seed,
        "model": options.model or TINY,
        "pretrained": options.pretrained,
        "precision": plan.precision,
        "augment": not options.no_augment,
        "device": name_device(plan.clip.device),
        "torch": torch.__version__,
        "seconds": round(seconds, 1),
    }
