"""The version of the package, and of the code that a number was computed with."""

from __future__ import annotations

import ast
import hashlib
import inspect
from functools import cache
from pathlib import Path

VERSION = "0.2.0"  # of the package: pyproject.toml and CITATION.cff take it from here
DECIDING = (
    *("clip", "tokens", "prompted", "training", "evaluation", "protocol"),
    *(f"support/{module}" for module in ("batches", "counter_rng", "seeds")),
    *(f"datasets/{module}" for module in ("balanced", "drawing", "handwritten")),
    *(f"datasets/emoji/{module}" for module in ("composing", "drawn", "fonts", "grounds", "looks")),
    *(f"datasets/emoji/{module}" for module in ("placing", "sprites", "table")),
    *(f"experiments/{module}" for module in ("ablations", "grid", "plan", "rivals", "run")),
)
"""The modules that decide a result. A change of their code makes another version, one of comments does not.

The learners are not among them: what a learner is made of is in `class_version`, so that a new method does not make
the results of the others old. Presets stand in each result's own settings.
"""


@cache
def code_version() -> str:
    """Eight hexadecimal digits of the code of the modules that decide a result."""
    folder = Path(__file__).parents[1]
    sources = [_bare((folder / f"{module}.py").read_text(encoding="utf-8")) for module in DECIDING]
    return _digest("\n".join(sources))


def class_version(kind: type) -> str:
    """Eight hexadecimal digits of the code of a class and of all that it is made of in the modules of its ancestors."""
    found: dict[tuple[str, str], str] = {}  # code by file and name
    for each in kind.__mro__:
        if each.__module__.startswith("maple_lite."):
            _collect(inspect.getsourcefile(each) or "", each.__name__, found)
    return _digest("\n".join(found[key] for key in sorted(found, key=lambda key: (key[1], key[0]))))


def _collect(file: str, name: str, found: dict[tuple[str, str], str]) -> None:
    """Adds the code of what a module defines under a name, and of all that it names there or takes from learners.py."""
    definition = _definitions(file).get(name)
    if definition is None or (file, name) in found:
        return
    if isinstance(definition, ast.ImportFrom):
        if definition.module == "maple_lite.learners":
            _collect(str(Path(__file__).parents[1] / "learners.py"), name, found)
        return
    found[file, name] = ast.unparse(definition)
    for node in ast.walk(definition):
        if isinstance(node, ast.Name):
            _collect(file, node.id, found)


@cache
def _definitions(file: str) -> dict[str, ast.stmt]:
    """The classes, functions and constants that a module defines or imports, by name, without docstrings."""
    found: dict[str, ast.stmt] = {}
    for line in ast.parse(_bare(Path(file).read_text(encoding="utf-8"))).body:
        if isinstance(line, ast.ClassDef | ast.FunctionDef):
            found[line.name] = line
        elif isinstance(line, ast.Assign | ast.AnnAssign):
            targets = line.targets if isinstance(line, ast.Assign) else [line.target]
            found |= {target.id: line for target in targets if isinstance(target, ast.Name)}
        elif isinstance(line, ast.ImportFrom):
            found |= {alias.name: line for alias in line.names}
    return found


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


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
