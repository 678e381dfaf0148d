"""`maple-lite predict`: names for pictures, by trained prompts."""

from __future__ import annotations

import argparse
from pathlib import Path

from maple_lite.cli.shared import (
    add_model_arguments,
    add_option,
    add_prompts_arguments,
    load_prompts,
    read_notes,
    write_csv,
)
from maple_lite.experiments.predictions import name_pictures
from maple_lite.prompted import PromptedCLIP


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The prompts, the pictures, and the names to choose from."""
    add_prompts_arguments(parser)
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="picture files")
    add_option(parser, "--classes", "class names", words="the ones trained on", nargs="+", metavar="NAME")
    add_option(parser, "--top", "how many classes to show for each picture", 5, type=int)
    add_option(parser, "--csv", "a file to write the table to, too", words="print the table only", metavar="FILE")
    add_model_arguments(parser, "the one that the file names, or else tiny")


def run(options: argparse.Namespace) -> None:
    """Prints the most probable classes of each picture."""
    notes = read_notes(options)
    names = options.classes or notes.get("class_names")
    if not names:
        raise ValueError(f"{options.prompts} does not say which classes there are: name them with --classes.")
    clip, learner = load_prompts(options, notes)
    model = PromptedCLIP(clip, learner, names, options.chunk)
    how = dict(skip_damaged=options.skip_damaged, precision=options.precision)
    table = name_pictures(model, options.images, options.top, **how)
    if options.csv:
        write_csv(table, Path(options.csv))
    print(table.round({"probability": 1}).to_string(index=False))
    for path in table.attrs["damaged"]:
        print(f"left out, no picture: {path}")
