"""What several commands share: their options, the CLIP, the prompts, the pictures, and how results are shown."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pandas as pd

from maple_lite.cli.fetching import FOLDER, datasets_folder, open_or_fetch
from maple_lite.clip import FrozenCLIP
from maple_lite.datasets import ROOT, TEST_SHARE, ClassificationDataset
from maple_lite.datasets.photos.own import TEMPLATE
from maple_lite.experiments.plan import TRANSFER
from maple_lite.experiments.run import Run
from maple_lite.experiments.targets import transfer_targets
from maple_lite.learners import PromptLearner
from maple_lite.loading import load_clip
from maple_lite.presets import SHOTS
from maple_lite.storage.learner_files import learner_notes, load_learner
from maple_lite.storage.official import OFFICIAL, load_official
from maple_lite.support.files import atomic_write

OWN = ".safetensors"  # how files of save_learner end; others are the authors' checkpoints
TINY = "tiny"


def add_option(
    parser: argparse.ArgumentParser, name: str, about: str, default: Any = None, words: str = "", **how: Any
) -> None:
    """Adds an option whose help ends with its default: the value, or the `words` for it."""
    parser.add_argument(name, default=default, help=f"{about} (default: {words or default})", **how)


def add_flag(parser: argparse.ArgumentParser, name: str, about: str, otherwise: str) -> None:
    """Adds an option without a value, whose help says what happens `otherwise`."""
    add_option(parser, name, about, False, otherwise, action="store_true")


def add_root(parser: argparse.ArgumentParser) -> None:
    """The folder of all datasets."""
    usual = f"the folder that {ROOT} names, or else ./{FOLDER}"
    add_option(parser, "--root", "where all datasets are", words=usual, metavar="FOLDER")


def add_prompts_arguments(parser: argparse.ArgumentParser) -> None:
    """The prompts that are read, and what an authors' checkpoint does not say."""
    parser.add_argument("prompts", metavar="PROMPTS", help=f"a {OWN} file of ours, or an authors' model.pth.tar-N")
    about, usual = f"of an authors' checkpoint: one of {', '.join(OFFICIAL)}", "the one that its weights show"
    add_option(parser, "--method", about, words=usual, choices=OFFICIAL, metavar="METHOD")
    about = "of an authors' checkpoint: the words that its prompts began with"
    add_option(parser, "--init", about, "a photo of a", metavar="WORDS")


def add_task_arguments(parser: argparse.ArgumentParser) -> None:
    """The test sets, where datasets are, and how your own pictures are read."""
    add_option(parser, "--targets", "test sets of transfer", words="the papers'", nargs="+", metavar="NAME")
    add_root(parser)
    usual = f'the dataset\'s; for your own pictures "{TEMPLATE}"'
    add_option(parser, "--template", "zero-shot CLIP's sentence, with {} for the class", words=usual)
    about = "how much of your own pictures to test on, if they have no test set"
    add_option(parser, "--test-share", about, words=f"{TEST_SHARE}", type=float, metavar="SHARE")


def add_model_arguments(parser: argparse.ArgumentParser, model: str) -> None:
    """Which CLIP (`model` says the default), on which device, in which precision, with how much at a time."""
    add_option(parser, "--model", "tiny, or an open_clip name such as ViT-B-16-quickgelu", words=model, metavar="NAME")
    about = "the tag of its weights, such as openai, or a checkpoint file"
    add_option(parser, "--pretrained", about, words="none, which is right for tiny", metavar="TAG")
    add_option(parser, "--device", "cpu, cuda, cuda:1, ...", words="the GPU, if there is one")
    add_option(parser, "--precision", "fp32, bf16 or, on a GPU, fp16", "fp32")
    about = "class names to encode at a time: less memory, the same result"
    add_option(parser, "--chunk", about, words="all", type=int)
    add_flag(parser, "--skip-damaged", "leave out files that hold no picture", "stop at the first")


def find_pictures(
    options: argparse.Namespace, name: str, task: str, clip: FrozenCLIP
) -> tuple[ClassificationDataset, dict[str, ClassificationDataset]]:
    """The dataset of a name and the targets of its transfer; prints which are left out."""
    own: dict[str, Any] = dict(template=options.template, test_share=options.test_share)
    own |= dict(skip_damaged=options.skip_damaged or None, augment=False if getattr(options, "no_augment", 0) else None)
    data = open_or_fetch(name, clip, options.root, **own)
    if task not in TRANSFER:
        if options.targets:
            raise ValueError(f"{task} is tested on its own dataset: leave --targets out, or choose {TRANSFER[0]}.")
        return data, {}
    if options.targets:
        named = [open_or_fetch(target, clip, options.root) for target in options.targets]
        return data, {target.name: target for target in named}
    targets, left_out = transfer_targets(task, data, clip, datasets_folder(options.root))
    if left_out:
        print(f"left out, because they are not there (name them with --targets to fetch them): {', '.join(left_out)}")
    return data, targets


def read_notes(options: argparse.Namespace) -> dict[str, Any]:
    """What a file of ours notes; nothing for an authors' checkpoint."""
    return learner_notes(options.prompts) if options.prompts.endswith(OWN) else {}


def load_prompts(options: argparse.Namespace, notes: dict[str, Any]) -> tuple[FrozenCLIP, PromptLearner]:
    """The CLIP that the options, or else the file's notes, name, and the learner of the file."""
    named = (options.model, options.pretrained) if options.model else (notes.get("model"), notes.get("pretrained"))
    clip = load_clip(named[0] or TINY, named[1], options.device)
    if options.prompts.endswith(OWN):
        return clip, load_learner(options.prompts, clip)
    return clip, load_official(options.prompts, clip, options.method, init=options.init or None)


def print_table(run: Run) -> None:
    """Prints the accuracies in percent, and the paper's beside them if it has any."""
    known = run.table.paper.notna().any()
    table = run.table if known else run.table.drop(columns="paper")
    print(table.round(2).to_string(index=False, na_rep="-"))
    if known:
        print(f"paper: OpenAI's ViT-B/16, {SHOTS} shots, means over seeds 1 to 3")


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Writes a table as CSV, whole or not at all."""
    text = table.to_csv(index=False, lineterminator="\n")
    atomic_write(path, lambda file: file.write_text(text, encoding="utf-8"))
