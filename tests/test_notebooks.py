"""Lessons and their notebooks: the grammar, that notebooks are what lessons say, and that they are clean."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import build
import nbformat
import pytest

from maple_lite.course.session import exercises_of

ROOT = Path(__file__).parent.parent
LESSONS = build.lessons()
NOTEBOOKS = [ROOT / kind / f"{lesson.stem}.ipynb" for kind in build.KINDS for lesson in LESSONS]
by_lesson = pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
by_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: f"{path.parent.name}/{path.stem}")

LESSON = """# %% [markdown]
# # A lesson

# %%
print("set up")

# %% tags=["exercise"]
def double(x):
    # STUB: ...  # twice x
    # SOLUTION
    return 2 * x
    # END SOLUTION

# %% tags=["check", "nbval-check-output"]
print(double(2))

# %% [markdown] tags=["student-only"]
# Your turn.

# %% [markdown] tags=["solution-only"]
# Solved.
"""


@pytest.fixture
def write(tmp_path):
    def write(text: str) -> Path:
        path = tmp_path / "00_lesson.py"
        path.write_text(text)
        return path

    return write


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


# The grammar


def test_student_and_solution_are_two_views_of_one_lesson(write):
    student, solution = (build.build(write(LESSON), kind) for kind in build.KINDS)
    assert student.cells[2].source == "def double(x):\n    ...  # twice x"
    assert solution.cells[2].source == "def double(x):\n    return 2 * x"
    assert [cell.source for cell in student.cells[4:]] == ["Your turn."]
    assert [cell.source for cell in solution.cells[4:]] == ["Solved."]
    assert student.cells[3].metadata.tags == ["check"]
    assert solution.cells[3].metadata.tags == ["check", "nbval-check-output"]
    assert [cell.id for cell in student.cells[:4]] == [cell.id for cell in solution.cells[:4]]


def test_two_builds_give_the_same_bytes(write):
    path = write(LESSON)
    for kind in build.KINDS:
        text = build.dumps(build.build(path, kind))
        assert text == build.dumps(build.build(path, kind))
        assert nbformat.reads(text, 4).nbformat_minor == 5


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("    # END SOLUTION\n", "", "cell 3: '# SOLUTION' without '# END SOLUTION'"),
        ("    # SOLUTION\n", "", "cell 3: '# END SOLUTION' without '# SOLUTION'"),
        ("    return", "    # SOLUTION\n    return", "cell 3: '# SOLUTION' inside another"),
        ("# SOLUTION\n", "# Solution:\n", "cell 3: '# Solution:' looks like a mark"),
        ("# STUB:", "# STUB", "cell 3: .* looks like a mark"),
        ("    # STUB: ...  # twice x\n", "", "cell 3: the student's version is not Python .* STUB"),
        ("return 2 * x", "return 2 *", "cell 3: the solution is not Python"),
        (' tags=["exercise"]', "", "cell 3: '# STUB: ...  # twice x' stands outside a cell tagged 'exercise'"),
        ('print("set up")', "# SOLUTION\n# END SOLUTION", "cell 2: '# SOLUTION' stands outside a cell tagged"),
        ('print("set up")', "# STUB: x", "cell 2: '# STUB: x' stands outside"),
        ('["check", "nbval', '["exercise", "nbval', "cell 4: an exercise without '# SOLUTION'"),
        ('["exercise"]', '["exercises"]', "cell 3: unknown tag 'exercises': the tags are exercise, check"),
        ('tags=["exercise"]', 'tag=["exercise"]', "cell 3: unknown option 'tag'"),
        ('[markdown] tags=["student-only"]', '[markdown] tags=["exercise"]', "cell 5: only a code cell can be"),
    ],
)
def test_a_malformed_lesson_is_one_error_with_file_and_cell(write, old, new, message):
    assert LESSON.count(old) == 1 or old == "# SOLUTION\n"
    for kind in build.KINDS:
        with pytest.raises(ValueError, match=f"^00_lesson.py, {message}"):
            build.build(write(LESSON.replace(old, new)), kind)


def test_tags_that_are_no_list_are_refused(write):
    with pytest.raises(ValueError, match=r"^00_lesson.py: tags must be a list .* 'exercise' is not"):
        build.build(write(LESSON.replace('tags=["exercise"]', 'tags="exercise"')), "notebooks")


def test_an_unknown_lesson_is_named():
    with pytest.raises(ValueError, match=r"unknown lesson '99_none': the lessons are 00_start_here"):
        build.lessons(["99_none"])


# Outputs


def test_outputs_lose_widgets_and_all_but_the_last_state_of_a_progress_bar():
    def stream(name, text):
        return nbformat.v4.new_output("stream", name=name, text=text)

    bar = ["\rMaPLe:   0%|   | 0/2", "\rMaPLe:  50%|#  | 1/2", "\rMaPLe: 100%|###| 2/2"]
    view = nbformat.v4.new_output("display_data", data={build.VIEW: {}, "text/plain": "VBox()"})
    outputs = [
        stream("stdout", "a\n"),
        *(stream("stderr", part) for part in bar),
        stream("stdout", "b\n"),
        stream("stderr", "\n"),
        view,
    ]
    assert build._clean(outputs) == [stream("stdout", "a\nMaPLe: 100%|###| 2/2\nb\n")]
    warning = stream("stderr", "careful\n")
    assert build._clean([warning]) == [warning]


def test_a_notebook_is_executed_cleaned_and_stamped(write, monkeypatch):
    monkeypatch.delenv("MAPLE_LITE_MODE", raising=False)
    told = "import os\nprint(os.environ['MAPLE_LITE_MODE'], os.environ['MAPLE_LITE_STRICT'])"
    path = write(LESSON.replace('print("set up")', told))
    notebook = build.execute(build.build(path, "solutions"))
    assert [cell.outputs[0].text for cell in notebook.cells if cell.get("outputs")] == ["fast 1\n", "4\n"]
    stamp = notebook.metadata["maple_lite"]
    assert stamp["mode"] == "fast"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", stamp["date"])
    assert set(build.STAMPED) < set(stamp["versions"])
    assert build.sources(notebook) == build.sources(build.build(path, "solutions"))


# The notebooks of this repository


@by_lesson
@pytest.mark.parametrize("kind", build.KINDS)
def test_the_notebook_is_what_the_lesson_says(lesson, kind):
    assert build.is_current(lesson, kind, ROOT / kind), f"{kind}/{lesson.stem}.ipynb is stale: make {kind}"


@pytest.mark.parametrize("kind", build.KINDS)
def test_every_notebook_has_its_lesson(kind):
    assert {path.stem for path in (ROOT / kind).glob("*.ipynb")} == {path.stem for path in LESSONS}


def solution_lines(lesson: Path) -> list[str]:
    """The lines between SOLUTION and END SOLUTION, found without the generator."""
    blocks = re.findall(r"# SOLUTION\n(.*?)# END SOLUTION", lesson.read_text(), re.DOTALL)
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if len(line) > 3 and not line.startswith("# STUB:")]  # ")" stands anywhere


def leaks(lesson: Path, notebook: nbformat.NotebookNode) -> list[str]:
    """The solution lines of a lesson that a student can read in the cells of a notebook."""
    seen = {line.strip() for cell in notebook.cells for line in cell.source.splitlines()}
    return [line for line in solution_lines(lesson) if line in seen]


@by_lesson
def test_no_solution_line_in_a_student_notebook(lesson):
    assert leaks(lesson, read(ROOT / "notebooks" / f"{lesson.stem}.ipynb")) == []


def test_a_leak_is_found(write):
    path = write(LESSON)
    assert leaks(path, build.build(path, "notebooks")) == []
    assert leaks(path, build.build(path, "solutions")) == ["return 2 * x"]


@by_notebook
def test_the_format_is_valid_and_holds_no_widget_state(path):
    notebook = read(path)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert "widgets" not in notebook.metadata
    assert path.stat().st_size < 1_000_000


@by_notebook
def test_sizes_fit_a_reader(path):
    notebook = read(path)
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    assert len(notebook.cells) <= 60
    assert len(code[0].splitlines()) <= 30  # the set-up
    assert [source for source in code[1:] if len(source.splitlines()) > 25] == []
    assert [line for source in code for line in source.splitlines() if len(line) > 100] == []


@by_notebook
def test_magics_and_commands_stand_in_the_set_up_alone(path):
    code = [cell.source for cell in read(path).cells if cell.cell_type == "code"]
    assert [line for source in code[1:] for line in source.splitlines() if re.match(r"\s*[%!]", line)] == []
    for source in code[1:]:
        ast.parse(source)


@by_notebook
def test_no_paths_and_addresses_of_the_machine_that_built_it(path):
    notebook = read(path)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            for kind in [kind for kind in output.get("data", {}) if kind.startswith("image/")]:
                del output.data[kind]  # letters and digits at random
    text = nbformat.writes(notebook)
    places = (str(ROOT), str(Path.home()), sys.prefix, "site-packages", "127.0.0.1", " at 0x")
    assert [place for place in places if place in text] == []
    assert re.findall(r"(?<![\w.~])/(?:root|home|work|tmp|Users)\b.{0,20}", text) == []


@by_lesson
def test_a_student_notebook_has_no_outputs(lesson):
    code = [cell for cell in read(ROOT / "notebooks" / f"{lesson.stem}.ipynb").cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)


@by_lesson
def test_a_solution_ran_from_top_to_bottom_without_a_warning(lesson):
    notebook = read(ROOT / "solutions" / f"{lesson.stem}.ipynb")
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell.outputs]
    assert [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"] == []
    assert set(notebook.metadata["maple_lite"]) == {"mode", "date", "versions"}


@by_lesson
def test_every_picture_has_an_alt_text(lesson):
    for cell in read(ROOT / "solutions" / f"{lesson.stem}.ipynb").cells:
        for output in cell.get("outputs", []):
            for kind in output.get("data", {}):
                if kind.startswith("image/"):
                    assert len(output.metadata.get(kind, {}).get("alt", "")) > 20, cell.id
        assert "![](" not in cell.source, cell.id


# Exercises, predictions and numbers


def code_of(lesson: Path, kind: str = "notebooks") -> list[nbformat.NotebookNode]:
    return [cell for cell in read(ROOT / kind / f"{lesson.stem}.ipynb").cells if cell.cell_type == "code"]


def calls(lesson: Path, method: str) -> list[tuple[int, str]]:
    """The first argument of every `ex.method("...")` in the code of a lesson, with the number of its cell."""
    pattern = re.compile(rf'\bex\.{method}\(\s*"([^"]+)"')
    return [(place, name) for place, cell in enumerate(code_of(lesson)) for name in pattern.findall(cell.source)]


@by_lesson
def test_every_exercise_is_checked_once_and_every_check_is_of_an_exercise(lesson):
    numbers = [exercise.number for exercise in exercises_of(lesson.stem)]
    checks = [cell.source for cell in code_of(lesson) if "check" in cell.metadata.get("tags", [])]
    assert [re.fullmatch(r'(\w+) = ex\.check\("([^"]+)", \1\)', source)[2] for source in checks] == numbers
    assert [number for _, number in calls(lesson, "check")] == numbers  # and no other cell checks
    assert len(numbers) <= 6
    prose = "\n".join(cell.source for cell in read(ROOT / "notebooks" / f"{lesson.stem}.ipynb").cells)
    assert {number for number in numbers if f'ex.hint("{number}")' not in prose} == set()
    mentioned = re.findall(r'\bex\.(?:hint|solution|check)\("([^"]+)"', prose)
    assert set(mentioned) <= set(numbers)


@by_lesson
def test_a_lesson_with_exercises_opens_its_own_session(lesson):
    names = re.findall(r'\bsession\("([^"]+)"\)', "\n".join(cell.source for cell in code_of(lesson)))
    assert names == [lesson.stem] * bool(exercises_of(lesson.stem))


@by_lesson
def test_a_prediction_comes_before_its_outcome(lesson):
    predicted, known = calls(lesson, "predict"), calls(lesson, "outcome")
    assert [name for _, name in predicted] == [name for _, name in known]
    assert all(guess[0] < outcome[0] for guess, outcome in zip(predicted, known, strict=True))
    assert all(name.startswith(f"{lesson.stem[:2]}.") for _, name in predicted)


@by_lesson
def test_a_solution_passed_every_check_and_its_numbers_have_bands(lesson):
    for cell in code_of(lesson, "solutions"):
        text = "".join(output.get("text", "") for output in cell.outputs)
        if "check" in cell.metadata.get("tags", []):
            assert text.startswith("[passed]"), text
        assert "there is nothing to compare it with" not in text, f"{text}: make its band with lessons/bands.py"


# Running notebooks under pytest: what conftest.py cures


def run(folder: Path) -> str:
    """What pytest prints when it runs the notebooks of a folder."""
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "--nbval-current-env", "-rsf", "--color=no"]
    command += ["-p", "no:cacheprovider", *map(str, sorted(folder.glob("*.ipynb")))]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False).stdout


def test_kernels_keep_20000_lines_and_reach_no_network():
    printed = run(ROOT / "tests" / "notebooks")
    assert re.search(r"(^| )5 passed", printed, re.MULTILINE), printed


def test_cells_after_a_failed_one_are_skipped_and_an_unexecuted_comparison_fails(tmp_path):
    shutil.copy(ROOT / "conftest.py", tmp_path)
    sources = {
        "cascade": ["x = 1", "raise ValueError('the one failure')", "print(x)", "print(x)"],
        "unexecuted": ["x = 1", "print(x)"],
    }
    for name, cells in sources.items():
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        if name == "unexecuted":
            notebook.cells[1].metadata["tags"] = [build.COMPARED]
        nbformat.write(notebook, tmp_path / f"{name}.ipynb")
    printed = run(tmp_path)
    assert re.search(r" 2 failed, 2 passed, 2 skipped", printed), printed
    assert "Cell 1 of this notebook failed before" in printed
    assert "was never executed: make solutions" in printed
