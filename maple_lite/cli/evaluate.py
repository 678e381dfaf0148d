"""`maple-lite evaluate`: the accuracy of trained prompts."""

from __future__ import annotations

import argparse

import pandas as pd

from maple_lite.analysis.calibration import BINS, asked_together, measure_quality
from maple_lite.cli.shared import (
    add_flag,
    add_model_arguments,
    add_option,
    add_prompts_arguments,
    add_task_arguments,
    find_pictures,
    load_prompts,
    print_table,
    read_notes,
)
from maple_lite.clip import FrozenCLIP
from maple_lite.datasets import ClassificationDataset
from maple_lite.experiments.plan import Targets, choose_tests, name_device
from maple_lite.experiments.run import evaluate
from maple_lite.learners import PromptLearner
from maple_lite.presets import TASKS
from maple_lite.prompted import PromptedCLIP
from maple_lite.support.names import require_name


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The prompts, what to test them on, and how."""
    add_prompts_arguments(parser)
    usual = f"the one that the file names, or else {TASKS[0]}"
    add_option(parser, "--task", f"one of {', '.join(TASKS)}", words=usual)
    about = "one of the fifteen, a drawn one, or the path of your own"
    add_option(parser, "--dataset", about, words="the one that the file names", metavar="NAME")
    add_flag(parser, "--details", "also calibration error, precision and recall", "accuracy beside the paper's")
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
    if options.details:
        print(describe(learner, data, clip, task, targets, **how))
    else:
        print_table(evaluate(learner, data, clip, task, targets=targets, **how))


def describe(
    learner: PromptLearner,
    data: ClassificationDataset,
    clip: FrozenCLIP,
    task: str,
    targets: Targets,
    precision: str,
    chunk: int | None,
) -> str:
    """A row (split, accuracy, calibration error, precision, recall) in percent per test set, as text.

    Base-to-novel has a last line with the accuracy where the names of both halves are asked at once.
    """
    rows = []
    for split, test in choose_tests(task, data, targets).items():
        model = PromptedCLIP(clip, learner.for_template(test.template), test.class_names, chunk)
        rows.append({"split": split, **measure_quality(model, test.test(), precision=precision)})
    table = pd.DataFrame(rows).rename(columns={"calibration_error": "calibration error"})
    lines = [
        table.round(2).to_string(index=False),
        f"calibration error: the expected one, {BINS} bins of equal width; precision and recall: means over classes",
    ]
    if task == TASKS[0]:
        both = asked_together(clip, learner, data, precision, chunk)
        lines.append(
            f"asked with the names of base and novel classes at once: base {both['base']:.2f}, "
            f"novel {both['novel']:.2f}, harmonic mean {both['hm']:.2f}"
        )
    return "\n".join(lines)
