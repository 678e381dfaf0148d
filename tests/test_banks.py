"""Exercises against their banks: right submissions pass, wrong ones are told what is wrong, stubs are not attempted."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
from functools import cache
from pathlib import Path

import build
import pytest
from banks import Bank
from nbformat import NotebookNode

from maple_lite.course.session import exercises_of
from maple_lite.course.teach.mistakes import compiled
from maple_lite.course.teach.verdicts import ERROR, FAILED, NOT_ATTEMPTED, PASSED, Verdict, judge

ROOT = Path(__file__).parent.parent
CHECK = re.compile(r'^(\w+) = ex\.check\("([^"]+)", (\w+)\)$', re.MULTILINE)
BARE = ("values differ", "numbers are wrong", "no number is right")  # says where, but not why
MESSAGE = ("not yet", "expected", "got", "likely cause", "raised")  # the rows of a verdict that make its message


def bank_of(lesson: str) -> dict[str, Bank]:
    """The bank of a lesson, empty without one."""
    module = f"banks.lesson_{lesson[:2]}"
    return importlib.import_module(module).BANK if importlib.util.find_spec(module) else {}


LESSONS = {path.stem: path for path in build.lessons()}
EXERCISES = {exercise.number: (lesson, exercise) for lesson in LESSONS for exercise in exercises_of(lesson)}
BANKS = {number: bank for lesson in LESSONS for number, bank in bank_of(lesson).items() if number in EXERCISES}


def wrong(number: str) -> dict[str, tuple[str, str]]:
    """(cause, words) of the wrong submissions to an exercise, by their names."""
    return {name: (row.cause, row.words) for name, row in EXERCISES[number][1].mistakes.rows.items()}


RIGHT = [(number, about) for number, bank in BANKS.items() for about in bank.right]
WRONG = [(number, about) for number in BANKS for about in wrong(number)]
TABLES = [number for number, (_, exercise) in EXERCISES.items() if exercise.mistakes.reference]


@cache
def cells(lesson: str) -> list[NotebookNode]:
    """The code cells of a lesson's student notebook."""
    return [cell for cell in build.build(LESSONS[lesson], "notebooks").cells if cell.cell_type == "code"]


@cache
def imported(lesson: str) -> dict[str, object]:
    """What a lesson imports, by its names: what every submission may use."""
    nodes = [node for cell in cells(lesson) for node in ast.parse(cell.source).body]
    namespace: dict[str, object] = {}
    for node in nodes:
        if isinstance(node, ast.Import | ast.ImportFrom):
            exec(ast.unparse(node), namespace)
    return namespace


def known(number: str) -> dict[str, object]:
    """What a submission may use: what the lesson imports, and what the table of mistakes names beside it."""
    lesson, exercise = EXERCISES[number]
    return {**exercise.mistakes.names, **imported(lesson)}


def checked_name(number: str) -> str:
    """The name under which a lesson checks an exercise, "answer" where it does not."""
    names = {found: name for cell in cells(EXERCISES[number][0]) for name, found, _ in CHECK.findall(cell.source)}
    return names.get(number, "answer")


def submission(number: str, about: str, source: str) -> object:
    """What a student has who wrote `source` into the exercise's cell, with the lines known to tracebacks."""
    name = checked_name(number)
    namespace = compiled(source, known(number), f"<ipython-input bank {number} {about}>")
    made = [key for key in (name, "answer") if key in namespace]
    assert made, f"the submission {about!r} to {number} defines neither {name} nor answer"
    return namespace[made[0]]


def mistaken(number: str, about: str) -> object:
    """The wrong submission of a name, made with what the notebook imports."""
    return EXERCISES[number][1].mistakes.submission(about, known(number))


@cache
def verdict_on(number: str, about: str) -> Verdict:
    """What a check says of the wrong submission of a name."""
    return judge(EXERCISES[number][1], mistaken(number, about))


def verdict(number: str, about: str, source: str) -> Verdict:
    """What a check says of a submission."""
    return judge(EXERCISES[number][1], submission(number, about, source))


def message(found: Verdict) -> str:
    return "\n".join(text for label, text in found.rows if label.startswith(MESSAGE))


@pytest.mark.parametrize("lesson", LESSONS)
def test_every_exercise_has_a_bank_and_every_bank_its_exercise(lesson):
    assert sorted(bank_of(lesson)) == sorted(exercise.number for exercise in exercises_of(lesson))


def test_every_module_of_exercises_or_banks_belongs_to_a_lesson():
    modules = [
        *(ROOT / "maple_lite" / "exercises").glob("lesson_*.py"),
        *(ROOT / "tests" / "banks").glob("lesson_*.py"),
    ]
    assert {path.stem[-2:] for path in modules} <= {lesson[:2] for lesson in LESSONS}


@pytest.mark.parametrize("number", EXERCISES)
def test_the_reference_passes_its_own_facets(number):
    exercise = EXERCISES[number][1]
    found = judge(exercise, exercise.reference)
    assert found.kind == PASSED, found.text(number)
    assert number.startswith(EXERCISES[number][0][:2] + ".")


@pytest.mark.parametrize("number", EXERCISES)
def test_the_stub_is_not_attempted(number):
    lesson, exercise = EXERCISES[number]
    name = checked_name(number)
    exercise_cells = [cell.source for cell in cells(lesson) if "exercise" in cell.metadata.get("tags", [])]
    stubs = [
        source for source in exercise_cells if re.search(rf"^(def|class) {name}\b|^{name} = ", source, re.MULTILINE)
    ]
    assert len(stubs) == 1, f"{name} is made in {len(stubs)} exercise cells of {lesson}"
    found = verdict(number, "stub", stubs[0])
    assert found.kind == NOT_ATTEMPTED, found.text(exercise.title)


@pytest.mark.parametrize("number, about", RIGHT)
def test_a_right_submission_passes(number, about):
    found = verdict(number, about, BANKS[number].right[about])
    assert found.kind == PASSED, found.text(number)


@pytest.mark.parametrize("number, about", WRONG)
def test_a_wrong_submission_is_told_what_is_wrong(number, about):
    cause, words = wrong(number)[about]
    found = verdict_on(number, about)
    assert found.kind in (FAILED, ERROR), found.text(number)
    if cause:
        assert dict(found.rows)["likely cause"] == cause, found.text(number)
    else:
        assert len(words) > 5
        assert words in " ".join(found.text(number).split()), found.text(number)
    assert not any(bare in message(found) for bare in BARE), found.text(number)


@pytest.mark.parametrize("number", TABLES)
def test_the_reference_that_mistakes_are_patches_of_is_right(number):
    exercise = EXERCISES[number][1]
    right = exercise.mistakes.made(exercise.mistakes.reference, known(number))
    found = judge(exercise, right)
    assert found.kind == PASSED, found.text(number)


@pytest.mark.parametrize("number", BANKS)
def test_the_messages_of_wrong_submissions_differ(number):
    found = {about: message(verdict_on(number, about)) for about in wrong(number)}
    assert len(set(found.values())) == len(found), found


@pytest.mark.parametrize("number", BANKS)
def test_a_bank_is_large_enough(number):
    exercise, bank = EXERCISES[number][1], BANKS[number]
    if callable(exercise.reference):
        assert len(bank.right) >= 2
        assert len(wrong(number)) >= 4
    else:
        options = dict(judge(exercise, "none of the choices").rows)["expected"]
        others = options.removeprefix("one of ").count(", ") if options.startswith("one of ") else 3
        assert bank.right
        assert len(wrong(number)) >= min(3, others)
