"""Notebooks from lessons: `python lessons/build.py notebooks|solutions [NN_name ...] [--check]`.

A lesson is `lessons/NN_name.py`: solved, in jupytext's percent format. From it come
`notebooks/NN_name.ipynb`, unsolved and without outputs, and `solutions/NN_name.ipynb`, solved and
executed. Its grammar is this and nothing else:

- `# %% tags=["exercise"]` marks a code cell with an exercise. In it `# SOLUTION` ...
  `# END SOLUTION` is what the student does not see, `# STUB: text` a line to see instead.
- `solution-only` and `student-only` are cells of one of the two notebooks.
- `check` is a cell that checks an exercise; `nbval-check-output` one whose output nbval compares,
  in solutions only.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import platform
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parent.parent
KINDS = ("notebooks", "solutions")
HIDDEN = {"notebooks": "solution-only", "solutions": "student-only"}
COMPARED = "nbval-check-output"
TAGS = ("exercise", "check", *HIDDEN.values(), COMPARED)
START, END, STUB = "# SOLUTION", "# END SOLUTION", "# STUB:"
NEARLY = re.compile(
    r"\s*#\s*(end[ _]?solution|solution|stub)\b", re.IGNORECASE
)  # a misspelt mark would leak
STAMPED = ("maple-lite", "torch", "open_clip_torch", "matplotlib")
VIEW = "application/vnd.jupyter.widget-view+json"
BAR = "%|"  # in every state of a progress bar
CELL_SECONDS = 600


def build(lesson: Path, kind: str) -> NotebookNode:
    """The notebook of a lesson, "notebooks" (unsolved) or "solutions", without outputs.

    Cell ids are the cells' numbers in the lesson, so that both notebooks of a lesson share them.
    Raises ValueError with the file and the cell for a lesson that breaks the grammar.
    """
    try:
        source = jupytext.reads(lesson.read_text(encoding="utf-8"), fmt="py:percent")
    except nbformat.ValidationError as error:
        raise ValueError(
            f"{lesson.name}: tags must be a list of strings, {error.message}."
        ) from None
    cells = []
    for number, cell in enumerate(source.cells, 1):
        try:
            tags = _tags(cell)
            texts = {kind: _text(cell, tags, solved=kind == "solutions") for kind in KINDS}
        except ValueError as error:
            raise ValueError(f"{lesson.name}, cell {number}: {error}") from None
        if HIDDEN[kind] not in tags:
            kept = [tag for tag in tags if kind == "solutions" or tag != COMPARED]
            make = (
                nbformat.v4.new_code_cell
                if cell.cell_type == "code"
                else nbformat.v4.new_markdown_cell
            )
            metadata = {"tags": kept} if kept else {}
            cells.append(make(texts[kind], id=f"cell-{number:02}", metadata=metadata))
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    about = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return nbformat.v4.new_notebook(cells=cells, metadata=about, nbformat_minor=5)


def _tags(cell: NotebookNode) -> list[str]:
    """The tags of a lesson's cell; ValueError for an unknown one or another option."""
    tags = cell.metadata.get("tags", [])
    unknown = [
        key for key in cell.metadata if key not in ("tags", "lines_to_next_cell")
    ]  # jupytext counts lines
    if unknown:
        raise ValueError(
            f"unknown option {unknown[0]!r} after '# %%': only [markdown] and tags=[...] are known."
        )
    unknown = [tag for tag in tags if tag not in TAGS] if isinstance(tags, list) else [tags]
    if unknown:
        raise ValueError(f"unknown tag {unknown[0]!r}: the tags are {', '.join(TAGS)}.")
    if "exercise" in tags and cell.cell_type != "code":
        raise ValueError("only a code cell can be an exercise.")
    return list(tags)


def _text(cell: NotebookNode, tags: Sequence[str], solved: bool) -> str:
    """The text of a cell in one of the two notebooks; ValueError for marks that do not fit."""
    kept, inside, marks = [], False, 0
    for line in cell.source.splitlines():
        mark = line.strip()
        if mark in (START, END) or mark.startswith(STUB):
            marks += mark == START
            if "exercise" not in tags:
                raise ValueError(f"{mark!r} stands outside a cell tagged 'exercise'.")
            if mark == (START if inside else END):
                raise ValueError(
                    f"{START!r} inside another." if inside else f"{END!r} without {START!r}."
                )
            inside = mark != END if mark in (START, END) else inside
            if mark.startswith(STUB) and not solved:
                indent = line[: line.index(STUB)]
                kept.append((indent + mark.removeprefix(STUB).removeprefix(" ")).rstrip())
        elif cell.cell_type == "code" and NEARLY.match(line):
            raise ValueError(
                f"{mark!r} looks like a mark: write {START!r}, {END!r}, '{STUB} ...' or others."
            )
        elif solved or not inside:
            kept.append(line)
    text = "\n".join(kept).strip("\n")
    if inside:
        raise ValueError(f"{START!r} without {END!r}.")
    if "exercise" in tags:
        _require_exercise(text, marks, "solution" if solved else "student's version")
    return text


def _require_exercise(text: str, marks: int, name: str) -> None:
    """ValueError unless an exercise has a solution and both versions are Python."""
    if not marks:
        raise ValueError(f"an exercise without {START!r}.")
    try:
        ast.parse(text)
    except SyntaxError as error:
        raise ValueError(
            f"the {name} is not Python ({error.msg}, line {error.lineno}): add a STUB line."
        ) from None


def execute(notebook: NotebookNode) -> NotebookNode:
    """A solved notebook with outputs, stamped with mode, date and versions.

    Exercises are strict: a check that does not pass stops the build (CellExecutionError).
    """
    defaults = {"MAPLE_LITE_MODE": "fast", "OMP_WAIT_POLICY": "PASSIVE"}
    environment = {**defaults, **os.environ, "MAPLE_LITE_STRICT": "1"}
    folder = {"metadata": {"path": str(ROOT / "solutions")}}  # where the kernel works
    client = NotebookClient(notebook, resources=folder, timeout=CELL_SECONDS)
    client.store_widget_state = False
    client.execute(env=environment)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # times of day
        if cell.cell_type == "code":
            cell.outputs = _clean(cell.outputs)
    notebook.metadata.pop("widgets", None)
    notebook.metadata.language_info = {"name": "python"}
    notebook.metadata["maple_lite"] = {
        "mode": environment["MAPLE_LITE_MODE"],
        "date": datetime.now(UTC).date().isoformat(),
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in STAMPED},
    }
    return notebook


def _clean(outputs: Sequence[NotebookNode]) -> list[NotebookNode]:
    """Outputs without widgets, and of a progress bar the last state, as a line of text."""
    kept = _joined([output for output in outputs if VIEW not in output.get("data", {})])
    for output in kept:
        if output.output_type == "stream":
            lines = output.text.split("\n")
            output.text = "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)
            if BAR in output.text:
                output.update(name="stdout", text=output.text.rstrip("\n") + "\n")
    closing = nbformat.v4.new_output("stream", name="stderr", text="\n")  # what a bar writes last
    return _joined([output for output in kept if output != closing])


def _joined(outputs: Sequence[NotebookNode]) -> list[NotebookNode]:
    """Outputs with neighbouring pieces of the same stream in one."""
    kept: list[NotebookNode] = []
    for output in outputs:
        if kept and output.output_type == "stream" and kept[-1].get("name") == output.name:
            kept[-1].text += output.text
        else:
            kept.append(output)
    return kept


def dumps(notebook: NotebookNode) -> str:
    """The file of a notebook; nbformat's ValidationError if it is not one."""
    nbformat.validate(notebook)
    return json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def sources(notebook: NotebookNode) -> list[dict[str, Any]]:
    """What a lesson decides of a notebook: all of its cells but outputs and their numbers."""
    made = ("outputs", "execution_count")
    return [
        {key: value for key, value in cell.items() if key not in made} for cell in notebook.cells
    ]


def is_current(lesson: Path, kind: str, folder: Path) -> bool:
    """Whether a lesson's notebook in `folder` is what it makes; of solutions the sources alone."""
    path, built = folder / f"{lesson.stem}.ipynb", build(lesson, kind)
    if not path.is_file():
        return False
    text = path.read_text(encoding="utf-8")
    return (
        text == dumps(built)
        if kind == "notebooks"
        else sources(nbformat.reads(text, 4)) == sources(built)
    )


def lessons(names: Sequence[str] = ()) -> list[Path]:
    """The files of the lessons, all or those named; ValueError for a name that is none."""
    found = {path.stem: path for path in sorted((ROOT / "lessons").glob("[0-9][0-9]_*.py"))}
    unknown = [name for name in names if name not in found]
    if unknown:
        raise ValueError(f"unknown lesson {unknown[0]!r}: the lessons are {', '.join(found)}.")
    return [found[name] for name in names or found]


def main() -> int:
    """Writes or checks notebooks; the exit status is the number of those that are not current."""
    parser = argparse.ArgumentParser(description="Build the notebooks of the lessons.")
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("names", nargs="*", help="such as 00_start_here; all lessons without one")
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    arguments = parser.parse_args()
    kind, folder = arguments.kind, ROOT / arguments.kind
    if arguments.check:
        stale = [path for path in lessons(arguments.names) if not is_current(path, kind, folder)]
        for lesson in stale:
            print(f"{kind}/{lesson.stem}.ipynb is stale: make {kind}")
        return len(stale)
    folder.mkdir(exist_ok=True)
    for lesson in lessons(arguments.names):
        built = build(lesson, kind)
        text = dumps(execute(built) if kind == "solutions" else built)
        (folder / f"{lesson.stem}.ipynb").write_text(text, encoding="utf-8")
        print(f"{kind}/{lesson.stem}.ipynb {len(text) / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
