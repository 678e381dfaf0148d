"""`maple-lite evaluate`: the accuracy of trained prompts."""

from __future__ import annotations

import argparse

from maple_lite.cli.shared import (
    add_model_arguments,
    add_option,
    add_prompts_arguments,
    add_task_arguments,
    find_pictures,
    load_prompts,
    print_table,
    read_notes,
)
from maple_lite.experiments.plan import name_device
from maple_lite.experiments.run import evaluate
from maple_lite.presets import TASKS
from maple_lite.support.names import require_name


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The prompts, what to test them on, and how."""
    add_prompts_arguments(parser)
    usual = f"the one that the file names, or else {TASKS[0]}"
    add_option(parser, "--task", f"one of {', '.join(TASKS)}", words=usual)
    about = "one of the fifteen, a drawn one, or the path of your own"
    add_option(parser, "--dataset", about, words="the one that the file names", metavar="NAME")
    add_task_arguments(parser)
    add_model_arguments(parser, "the one that the file names, or else tiny")


def run(options: argparse.Namespace) -> None:
    """Tests prompts from a file as `maple-lite train` tests them, and prints the table beside the paper's."""
    notes = read_notes(options)
    name, task = options.dataset or notes.get("dataset"), options.task or notes.get("task") or TASKS[0]
    if not name:
        raise ValueError(f"{options.prompts} does not say on which dataset to test: name one with --dataset.")
    require_name("task", task, TASKS)
    clip, learner = load_prompts(options, notes)
    data, targets = find_pictures(options, name, task, clip)
    print(f"{type(learner).__name__} on {data.name}, {task}, {options.precision} on {name_device(clip.device)}")
    how = dict(precision=options.precision, chunk=options.chunk)
    print_table(evaluate(learner, data, clip, task, targets=targets, **how))
