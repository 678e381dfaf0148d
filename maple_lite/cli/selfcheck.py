"""`maple-lite selfcheck`: does everything work here?"""

from __future__ import annotations

import argparse

from maple_lite.course.selfcheck import selfcheck


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """There are no options."""


def run(options: argparse.Namespace) -> None:
    """Prints the report of `selfcheck`."""
    print("\n".join(selfcheck()))
