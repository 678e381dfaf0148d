"""`maple-lite info`: what a report of a problem needs."""

from __future__ import annotations

import argparse
import sys

import open_clip
import torch

from maple_lite.support.files import data_folder
from maple_lite.support.version import VERSION


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """There are no options."""


def run(options: argparse.Namespace) -> None:
    """Prints versions, the device and where the data lies."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"CPU, {torch.get_num_threads()} threads"
    print(f"maple-lite {VERSION}, torch {torch.__version__}, open_clip {open_clip.__version__}")
    print(f"Python {sys.version.split()[0]} on {sys.platform}; device: {device}")
    print(f"data: {data_folder()}")
