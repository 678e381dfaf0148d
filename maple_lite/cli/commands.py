"""`maple-lite train`, `evaluate` and `predict`: the papers' protocol, and your own pictures, from the command line."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from maple_lite.clip import FrozenCLIP
from maple_lite.datasets.photos.catalog import FOLDER, ROOT
from maple_lite.experiments.predictions import name_pictures
from maple_lite.experiments.runs import TRANSFER, Run, evaluate, train
from maple_lite.experiments.tasks import Task, recipe
from maple_lite.learners import METHODS, PromptLearner
from maple_lite.loading import load_clip
from maple_lite.presets import SHOTS, TASKS, is_published
from maple_lite.prompted import PromptedCLIP
from maple_lite.sources import find_data, find_targets
from maple_lite.storage.learner_files import learner_notes, load_learner, save_learner
from maple_lite.storage.official import OFFICIAL, load_official
from maple_lite.support.checkpoint import require_writable
from maple_lite.support.files import atomic_write
from maple_lite.support.names import require_name

OWN = ".safetensors"  # how files of save_learner end; others are the authors' checkpoints
TINY = "tiny"
COLUMNS = ("task", "model", "pretrained", "precision", "device", "torch", "seconds")  # of a run, beside its results
LEARNER = {"n_ctx": int, "depth": int, "init": str}  # settings of a preset that an option replaces
FIT = {"epochs": int, "lr": float, "batch_size": int}


def add_train_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `maple-lite train`."""
    parser.add_argument("--method", required=True, help=f"one of {', '.join(METHODS)}")
    parser.add_argument("--dataset", required=True, help="one of the fifteen, a drawn one, or the path of your own")
    parser.add_argument("--shots", type=int, default=SHOTS, help="training pictures per class")
    parser.add_argument("--seed", type=int, default=1)
    for name, kind in {**LEARNER, **FIT}.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, help="instead of the preset's")
    parser.add_argument("--no-augment", action="store_true", help="no random crops and mirroring: for signs, letters")
    parser.add_argument("--output", metavar="FILE", help=f"where the prompts go; a {OWN} file in prompts/ without it")
    _add_common(parser)


def add_evaluate_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `maple-lite evaluate`."""
    _add_prompts(parser)
    parser.add_argument("--dataset", help="instead of the one trained on, which the file names")
    _add_common(parser)


def add_predict_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `maple-lite predict`."""
    _add_prompts(parser)
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="picture files")
    parser.add_argument("--classes", nargs="+", metavar="NAME", help="class names; those trained on without it")
    parser.add_argument("--top", type=int, default=5, help="classes shown of each picture")
    parser.add_argument("--csv", metavar="FILE", help="write the table there, too")
    _add_model(parser)
    parser.add_argument("--skip-damaged", action="store_true", help="go on without files that hold no picture")


def _add_prompts(parser: argparse.ArgumentParser) -> None:
    """The prompts that are read, and what an authors' checkpoint does not say."""
    parser.add_argument("prompts", metavar="PROMPTS", help=f"a {OWN} file of ours, or an authors' model.pth.tar-N")
    parser.add_argument("--method", choices=OFFICIAL, help="of an authors' checkpoint, where it does not show")
    parser.add_argument("--init", default="a photo of a", help="of an authors' checkpoint: the words it began with")


def _add_model(parser: argparse.ArgumentParser) -> None:
    """Which CLIP, on which device, in which precision, with how much at a time."""
    parser.add_argument("--model", help="tiny, or an open_clip name such as ViT-B-16-quickgelu")
    parser.add_argument("--pretrained", help="the tag of its weights, such as openai, or a checkpoint file")
    parser.add_argument("--device", help="cpu, cuda, cuda:1, ...; a GPU where there is one without it")
    parser.add_argument("--precision", default="fp32", help="fp32, bf16 or, on a GPU, fp16")
    parser.add_argument("--chunk", type=int, help="sentences encoded at a time: less memory, the same result")


def _add_common(parser: argparse.ArgumentParser) -> None:
    """What training and evaluation share."""
    parser.add_argument("--task", help=f"one of {', '.join(TASKS)}; the first without it")
    parser.add_argument("--targets", nargs="+", metavar="NAME", help="test sets of transfer; the paper's without it")
    parser.add_argument("--root", metavar="FOLDER", help=f"of all datasets; {ROOT} or ./{FOLDER} without it")
    parser.add_argument("--template", help="zero-shot CLIP's sentence for your own pictures, with {} for the class")
    parser.add_argument("--test-share", type=float, help="of your own pictures without a test set")
    parser.add_argument("--skip-damaged", action="store_true", help="go on without files that hold no picture")
    _add_model(parser)


def run_train(options: argparse.Namespace) -> None:
    """Trains and tests as the command line says, prints the table beside the paper's, and keeps prompts and results.

    A run that was killed goes on where it was. Raises ValueError, before anything is read, for prompts that are there.
    """
    method = require_name("method", options.method, METHODS)
    task = require_name("task", options.task or TASKS[0], TASKS)
    output = _new_output(options, task)
    clip = load_clip(options.model or TINY, options.pretrained, options.device)
    data, targets = _pictures(options, options.dataset, task, clip)
    learner_kwargs, fit_kwargs = ({name: getattr(options, name) for name in names} for names in (LEARNER, FIT))
    settings: dict[str, Any] = dict(learner_kwargs=_given(learner_kwargs), fit_kwargs=_given(fit_kwargs))
    augment = {"augment": False} if options.no_augment else {}
    _say_settings(options, task, data, clip, {**settings["learner_kwargs"], **settings["fit_kwargs"], **augment})
    checkpoint = None if method == "zeroshot" else output.with_suffix(".checkpoint")
    how: dict[str, Any] = dict(
        shots=options.shots, seed=options.seed, targets=targets, checkpoint=checkpoint, **_running(options)
    )
    start = time.perf_counter()
    try:
        run = train(method, data, clip, task, **how, **settings)
    except KeyboardInterrupt as error:
        raise RuntimeError("stopped: the epochs that were finished are kept, the same command goes on.") from error
    _keep(run, _notes(options, task, data, clip, time.perf_counter() - start), output)
    if checkpoint:
        checkpoint.unlink(missing_ok=True)
    _say_table(run)
    print(f"prompts: {output} ({output.stat().st_size / 1e6:.2f} MB); results: {output.with_suffix('.csv')}")


def run_evaluate(options: argparse.Namespace) -> None:
    """Tests prompts from a file as `run_train` tests them, and prints the table beside the paper's."""
    notes = _read_notes(options)
    name, task = options.dataset or notes.get("dataset"), options.task or notes.get("task") or TASKS[0]
    if not name:
        raise ValueError(f"{options.prompts} does not say on which dataset to test: name one with --dataset.")
    require_name("task", task, TASKS)
    clip, learner = _clip_and_learner(options, notes)
    data, targets = _pictures(options, name, task, clip)
    print(f"{type(learner).__name__} on {data.name}, {task}, {options.precision} on {_device(clip)}")
    _say_table(evaluate(learner, data, clip, task, targets=targets, **_running(options)))


def run_predict(options: argparse.Namespace) -> None:
    """Prints the most probable classes of each picture."""
    notes = _read_notes(options)
    names = options.classes or notes.get("class_names")
    if not names:
        raise ValueError(f"{options.prompts} does not say which classes there are: name them with --classes.")
    clip, learner = _clip_and_learner(options, notes)
    model = PromptedCLIP(clip, learner, names, options.chunk)
    how = dict(skip_damaged=options.skip_damaged, precision=options.precision)
    table = name_pictures(model, options.images, options.top, **how)
    if options.csv:
        _write_csv(table, Path(options.csv))
    print(table.round({"probability": 1}).to_string(index=False))
    for path in table.attrs["damaged"]:
        print(f"left out, no picture: {path}")


def _keep(run: Run, notes: dict[str, Any], output: Path) -> None:
    """Writes the results beside the prompts, and then the prompts: where they are, a run is finished."""
    rows = run.results.assign(**{name: str(notes[name]) for name in COLUMNS})
    _write_csv(rows, output.with_suffix(".csv"))
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


def _pictures(options: argparse.Namespace, name: str, task: str, clip: FrozenCLIP) -> tuple[Task, dict[str, Task]]:
    """The dataset of a name and the targets of its transfer; what is left out is said."""
    own: dict[str, Any] = dict(template=options.template, test_share=options.test_share)
    own |= dict(skip_damaged=options.skip_damaged or None, augment=False if getattr(options, "no_augment", 0) else None)
    data = find_data(name, clip, options.root, **own)
    if task not in TRANSFER:
        if options.targets:
            raise ValueError(f"{task} is tested on its own dataset: leave --targets out, or choose {TRANSFER[0]}.")
        return data, {}
    targets, left = find_targets(task, data, options.targets, clip, options.root)
    if left:
        print(f"left out, because they are not there (name them with --targets to fetch them): {', '.join(left)}")
    return data, targets


def _clip_and_learner(options: argparse.Namespace, notes: dict[str, Any]) -> tuple[FrozenCLIP, PromptLearner]:
    """The CLIP that the options, or else the file's notes, name, and the learner of the file."""
    named = (options.model, options.pretrained) if options.model else (notes.get("model"), notes.get("pretrained"))
    clip = load_clip(named[0] or TINY, named[1], options.device)
    if options.prompts.endswith(OWN):
        return clip, load_learner(options.prompts, clip)
    return clip, load_official(options.prompts, clip, options.method, init=options.init or None)


def _read_notes(options: argparse.Namespace) -> dict[str, Any]:
    """What a file of ours notes; nothing of an authors' checkpoint."""
    return learner_notes(options.prompts) if options.prompts.endswith(OWN) else {}


def _running(options: argparse.Namespace) -> dict[str, Any]:
    """The options that say how a model runs."""
    return dict(precision=options.precision, chunk=options.chunk)


def _given(options: dict[str, Any]) -> dict[str, Any]:
    """The options that were given; an empty `init` means none."""
    return {name: None if value == "" else value for name, value in options.items() if value is not None}


def _notes(options: argparse.Namespace, task: str, data: Task, clip: FrozenCLIP, seconds: float) -> dict[str, Any]:
    """What the file of the prompts says of its run; of your own pictures not where they lie."""
    return {
        "dataset": None if getattr(data, "own", False) else data.name,
        "class_names": data.class_names,
        "task": task,
        "shots": options.shots,
        "seed": options.seed,
        "model": options.model or TINY,
        "pretrained": options.pretrained,
        "precision": options.precision,
        "augment": not options.no_augment,
        "device": _device(clip),
        "torch": torch.__version__,
        "seconds": round(seconds, 1),
    }


def _say_settings(
    options: argparse.Namespace, task: str, data: Task, clip: FrozenCLIP, replaced: dict[str, Any]
) -> None:
    """Prints what is run, with which settings, and whose they are."""
    _, learner_kwargs, fit_kwargs, _ = recipe(options.method, task, options.shots, data.name, clip)
    whose = "as published" if is_published(options.method, task, options.shots) else "derived, unpublished"
    whose += f", but for {', '.join(replaced)}" if replaced else ""
    settings = ", ".join(f"{name} {value}" for name, value in ({**learner_kwargs, **fit_kwargs} | replaced).items())
    print(f"{options.method} on {data.name}: {task}, {options.shots} shots, seed {options.seed}, ", end="")
    print(f"{options.precision} on {_device(clip)}")
    print(f"settings ({whose}): {settings or 'none'}", flush=True)


def _say_table(run: Run) -> None:
    """Prints the accuracies in percent, with the paper's beside them where it prints any."""
    known = run.table.paper.notna().any()
    table = run.table if known else run.table.drop(columns="paper")
    print(table.round(2).to_string(index=False, na_rep="-"))
    if known:
        print(f"paper: OpenAI's ViT-B/16, {SHOTS} shots, means over seeds 1 to 3")


def _device(clip: FrozenCLIP) -> str:
    """The name of the GPU, or "CPU"."""
    return torch.cuda.get_device_name(clip.device) if clip.device.type == "cuda" else clip.device.type.upper()


def _write_csv(table: pd.DataFrame, path: Path) -> None:
    """Writes a table as CSV, whole or not at all."""
    text = table.to_csv(index=False, lineterminator="\n")
    atomic_write(path, lambda file: file.write_text(text, encoding="utf-8"))
