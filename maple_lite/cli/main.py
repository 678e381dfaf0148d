"""The command line `maple-lite`: its parser, and a module per command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from maple_lite.cli import benchmark, datasets, evaluate, info, lab, predict, presets, pretrain, selfcheck, train
from maple_lite.support.version import VERSION

COMMANDS = {
    "selfcheck": (selfcheck, "train MaPLe and CoOp on the tiny CLIP, in under a minute"),
    "lab": (lab, "open JupyterLab on the course"),
    "train": (train, "train one method on one dataset, as the papers do, or on your own pictures"),
    "evaluate": (evaluate, "test trained prompts: ours, or an authors' checkpoint"),
    "predict": (predict, "name pictures with trained prompts, and say how probable each name is"),
    "datasets": (datasets, "list the real datasets that are there, and fetch others"),
    "presets": (presets, "show the authors' settings of every method"),
    "benchmark": (benchmark, "run the papers' evaluation, or a part of it, and keep its tables"),
    "pretrain": (pretrain, "make a tiny CLIP: pretrain it on drawn pictures"),
    "info": (info, "show versions, the device, and where the data lies"),
}
"""The module of every command, which offers `add_arguments(parser)` and `run(options)`, and what the command does."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns the exit status: 0, or 2 after one sentence that says what was wrong."""
    options = make_parser().parse_args(arguments)
    try:
        options.run(options)
    except (ValueError, OSError, RuntimeError, ImportError) as error:
        print(f"maple-lite: {error}", file=sys.stderr)
        return 2
    return 0


def make_parser() -> argparse.ArgumentParser:
    """The parser of all commands; each sets `run`, a function of the parsed options."""
    top = argparse.ArgumentParser(prog="maple-lite", description="CLIP prompt learning: seven methods, one package.")
    top.add_argument("--version", action="version", version=f"maple-lite {VERSION}")
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name, (module, purpose) in COMMANDS.items():
        parser = commands.add_parser(name, help=purpose, description=f"{purpose[0].upper()}{purpose[1:]}.")
        module.add_arguments(parser)
        parser.set_defaults(run=module.run)
    return top


if __name__ == "__main__":
    sys.exit(main())
