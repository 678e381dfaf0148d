"""The rooms of the package: imports run downwards, and the nine files that a reader starts with stand alone."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "maple_lite"
FILES = ("clip", "tokens", "learners", "prompted", "training", "evaluation", "loading", "protocol", "presets")
NINE = "the nine files"
ROOMS = ("support", NINE, "storage", "datasets", "pretraining", "experiments", "analysis", "course", "cli")
"""From the lowest to the highest: a module imports from its own room and from lower ones."""

UPWARDS = {
    ("maple_lite.support.memory", "maple_lite.clip"),
    ("maple_lite.support.memory", "maple_lite.prompted"),
}
"""Imports that still run upwards. Take a pair out when its import is gone; none is added."""

AT_THE_TOP = {"sources.py"}
"""What still stands at the top of the package and belongs in a room."""


def modules() -> dict[str, Path]:
    """Every module and package of maple_lite with its file, but for the top package itself."""
    paths = sorted(PACKAGE.rglob("*.py"))
    names = {".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts): path for path in paths}
    names = {name.removesuffix(".__init__"): path for name, path in names.items()}
    return {name: path for name, path in names.items() if name != "maple_lite"}


def imported(source: str, known: set[str]) -> set[str]:
    """The modules of maple_lite that a source imports, wherever in the file: `known` ones, or the top package."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: write the whole name of the module that you import from."
            submodules = {f"{node.module}.{alias.name}" for alias in node.names} & known
            found |= submodules or {str(node.module)}
    return {name for name in found if name.split(".")[0] == "maple_lite"}


def room(module: str) -> str:
    """The room of a module; the top package, and a file in it that is none of the nine, count as the highest."""
    name = module.removeprefix("maple_lite.").split(".")[0]
    return NINE if name in FILES else name if name in ROOMS else ROOMS[-1]


def runs_upwards(module: str, target: str) -> bool:
    """Whether `module` stands below the room that it imports from."""
    return ROOMS.index(room(module)) < ROOMS.index(room(target))


@pytest.fixture(scope="module")
def imports() -> dict[str, set[str]]:
    """What every module imports."""
    files = modules()
    return {name: imported(path.read_text(encoding="utf-8"), set(files)) for name, path in files.items()}


def test_every_import_is_found():
    known = {"maple_lite.clip", "maple_lite.cli.main"}
    source = "import torch\ndef f():\n    import maple_lite.clip\n    from maple_lite.cli import main\n"
    assert imported(source, known) == known
    assert imported("from maple_lite import seeded", known) == {"maple_lite"}
    assert imported("from maple_lite.clip import FrozenCLIP", known) == {"maple_lite.clip"}


def test_the_top_of_the_package_holds_the_nine_files_alone():
    there = {path.name for path in PACKAGE.iterdir() if path.is_file()}
    assert there - AT_THE_TOP == {*(f"{name}.py" for name in FILES), "__init__.py", "py.typed"}
    rooms = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert rooms == set(ROOMS) - {NINE}


def test_no_module_imports_from_the_top_package(imports):
    """`maple_lite/__init__.py` imports nearly everything: what imports from it has a circle."""
    assert [name for name, targets in imports.items() if "maple_lite" in targets] == []


def test_imports_run_downwards(imports):
    pairs = {(name, target) for name, targets in imports.items() for target in targets}
    assert {pair for pair in pairs if runs_upwards(*pair)} <= UPWARDS


def test_an_import_that_runs_upwards_is_seen():
    assert runs_upwards("maple_lite.support.seeds", "maple_lite.clip")
    assert runs_upwards("maple_lite.learners", "maple_lite.storage.official")
    assert not runs_upwards("maple_lite.cli.main", "maple_lite.course.lab")
    assert not runs_upwards("maple_lite.clip", "maple_lite.tokens")


def test_the_nine_files_import_each_other_and_support_alone(imports):
    targets = {room(target) for name in FILES for target in imports[f"maple_lite.{name}"]}
    assert targets <= {NINE, "support"}


def test_no_modules_import_each_other_in_a_circle(imports):
    """A package counts as the module that its `__init__.py` is."""
    graph = {name: {target for target in targets if (name, target) not in UPWARDS} for name, targets in imports.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"these import each other: {' < '.join(error.args[1])}")
