"""The version of the package, and of the code that a number was computed with."""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from pathlib import Path

VERSION = "0.2.0"  # of the package: pyproject.toml and CITATION.cff take it from here
DECIDING = (
    *("clip", "tokens", "learners", "prompted", "training", "evaluation", "protocol", "presets"),
    *(f"support/{module}" for module in ("batches", "counter_rng", "seeds")),
    *(f"datasets/{module}" for module in ("balanced", "drawing", "handwritten", "opening")),
    *(f"datasets/glyphs/{module}" for module in ("drawn", "glyphs", "painting", "styles")),
    *(f"datasets/emoji/{module}" for module in ("composing", "drawn", "fonts", "grounds", "looks")),
    *(f"datasets/emoji/{module}" for module in ("placing", "sprites", "table")),
    *(f"experiments/{module}" for module in ("ablations", "grid", "plan", "run")),
)
"""The modules that decide a result. A change of their code makes another version, one of comments does not."""


@cache
def code_version() -> str:
    """Eight hexadecimal digits of the code of the modules that decide a result."""
    folder = Path(__file__).parents[1]
    sources = [_bare((folder / f"{module}.py").read_text(encoding="utf-8")) for module in DECIDING]
    return hashlib.sha256("\n".join(sources).encode()).hexdigest()[:8]


def _bare(source: str) -> str:
    """A module's code without comments and docstrings."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(body := getattr(node, "body", None), list):
            body[:] = [line for line in body if not _is_text(line)] or [ast.Pass()]
    return ast.unparse(tree)


def _is_text(line: ast.stmt) -> bool:
    """Whether a line of code is a string alone: a docstring."""
    return isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant)
