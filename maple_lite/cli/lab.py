"""`maple-lite lab`: JupyterLab on the course."""

from __future__ import annotations

import argparse

from maple_lite.course.lab import open_lab
from maple_lite.support.files import data_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What goes on to JupyterLab."""
    parser.add_argument("options", nargs="*", help="options of JupyterLab, after --, such as -- --port 9000")


def run(options: argparse.Namespace) -> None:
    """Runs JupyterLab until it is stopped."""
    status = open_lab(data_folder().parent / "notebooks", options.options)
    if status:
        raise RuntimeError(f"JupyterLab ended with status {status}: its own message stands above.")
