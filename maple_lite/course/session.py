"""The state of one notebook: checks, hints, predictions, and numbers beside those that we saw."""

from __future__ import annotations

import functools
import importlib
import json
import os
import textwrap
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from torch import Tensor

from maple_lite.course.exercises import LESSONS
from maple_lite.course.progress import progress_file, read_progress, write_progress
from maple_lite.course.teach.exercise import HINTS, Exercise
from maple_lite.course.teach.strict import is_strict
from maple_lite.course.teach.values import agree, is_number, literal, plain
from maple_lite.course.teach.verdicts import KINDS, NOT_ATTEMPTED, PASSED, WIDTH, Verdict, judge
from maple_lite.support.files import data_folder
from maple_lite.support.names import require_count, require_name

GOES_ON = ">>> The notebook goes on with the REFERENCE solution in place of yours. <<<"
NEAR = 0.1  # a predicted number counts as right within this share of what came


class ExerciseError(AssertionError):
    """What strict mode (MAPLE_LITE_STRICT=1) raises for anything but a pass."""


def session(lesson: str) -> Session:
    """The session of a lesson's notebook; ValueError with the close names for an unknown one.

    What was done in the notebook before its kernel was restarted is read from a file beside it.

    >>> ex = session("03_coop")
    """
    found = Session(lesson, exercises_of(lesson), progress_file(lesson))
    found.welcome()
    return found


def exercises_of(lesson: str) -> tuple[Exercise, ...]:
    """The exercises of a lesson in their order, () where it has none; ValueError for an unknown lesson."""
    module = f"maple_lite.course.exercises.lesson_{require_name('lesson', lesson, LESSONS)[:2]}"
    return tuple(importlib.import_module(module).EXERCISES) if find_spec(module) else ()


class Session:
    """Checks, hints and predictions of one lesson, with their state. `seed` is MAPLE_LITE_SEED (default: 1).

    The state is kept in `file`, if one is given, and is read from there.
    """

    def __init__(self, lesson: str, exercises: tuple[Exercise, ...], file: Path | None = None) -> None:
        self.lesson, self._file = lesson, file
        self.seed = int(os.environ.get("MAPLE_LITE_SEED", "1"))
        self._exercises = {exercise.number: exercise for exercise in exercises}
        self._best = dict.fromkeys(self._exercises, NOT_ATTEMPTED)
        self._hints = dict.fromkeys(self._exercises, 0)
        self._handed: dict[str, Any] = {}  # references that stand in the notebook in place of submissions
        self._guesses: dict[str, Any] = {}
        self._choices: dict[str, tuple[Any, ...]] = {}
        self._outcomes: dict[str, bool] = {}
        self._load()

    def welcome(self) -> None:
        """Prints what was done before the kernel was restarted; nothing at the first start."""
        passed = sum(kind == PASSED for kind in self._best.values())
        if passed or any(self._hints.values()) or self._guesses:
            print(f"Welcome back: {passed} of {len(self._best)} exercises passed. ex.reset() starts anew.")

    def reset(self) -> None:
        """Forgets all verdicts, hints and predictions of this lesson, and deletes their file."""
        if self._file is not None:
            self._file.unlink(missing_ok=True)
        Session.__init__(self, self.lesson, tuple(self._exercises.values()), self._file)
        print(f"Lesson {self.lesson} starts anew.")

    def _load(self) -> None:
        """Takes what the file of progress knows of this lesson's exercises."""
        found = read_progress(self._file)
        for number in self._exercises:
            if (kind := found.get("best", {}).get(number)) in KINDS:
                self._best[number] = kind
            hints = found.get("hints", {}).get(number)
            if isinstance(hints, int) and 0 <= hints <= HINTS:
                self._hints[number] = hints
        self._guesses |= found.get("guesses", {})
        outcomes = {name: value for name, value in found.get("outcomes", {}).items() if isinstance(value, bool)}
        self._outcomes |= {name: value for name, value in outcomes.items() if name in self._guesses}

    def _save(self) -> None:
        write_progress(self._file, best=self._best, hints=self._hints, guesses=self._guesses, outcomes=self._outcomes)

    def check(self, number: str, submission: Any) -> Any:
        """Prints the verdict on a submission and returns it if it passed, else the reference, loudly labelled.

        Raises ValueError with the close numbers for an unknown one; in strict mode ExerciseError unless it passed.
        """
        exercise = self._exercise(number)
        if submission is not None and submission is self._handed.get(number):
            again = "This is the reference, from the check before. Run the cell with your own again, then this one."
            verdict = Verdict(NOT_ATTEMPTED, [("", again)])
        else:
            verdict = judge(exercise, submission)
        self._best[number] = max(self._best[number], verdict.kind, key=KINDS.index)
        self._save()
        text = verdict.text(f"{number} {exercise.title}")
        if verdict.kind == PASSED:
            print(text)
            return submission
        if is_strict():
            raise ExerciseError(text)
        print(text)
        if verdict.kind != NOT_ATTEMPTED:
            print(f'  Stuck? ex.hint("{number}"). Change your cell, run it, and then this one again.')
        print(f"  {GOES_ON}")
        self._handed[number] = _recognisable(exercise.reference)
        return exercise.reference if self._handed[number] is None else self._handed[number]

    def hint(self, number: str, which: int | None = None) -> None:
        """Prints the next of three graded hints, or hint `which` (1 to 3); after the third, the third again.

        Raises ValueError for an unknown number, or a hint that there is not.
        """
        exercise = self._exercise(number)
        place = min(self._hints[number] + 1, HINTS) if which is None else require_count("which", which)
        if place > HINTS:
            raise ValueError(f"there are {HINTS} hints, 1 to {HINTS}, got {place}.")
        self._hints[number] = max(self._hints[number], place)
        self._save()
        print(f"Hint {place} of {HINTS} for {number} {exercise.title}:")
        print(_wrapped(exercise.hints[place - 1]))
        if place == HINTS:
            print(f'That was the last one. The solution: ex.solution("{number}")')

    def solution(self, number: str) -> None:
        """Prints the solved cell of an exercise, or where it stands; ValueError for an unknown number."""
        exercise = self._exercise(number)
        if solved := _solved_cell(self.lesson, number):
            print(f"{number} {exercise.title}, as solutions/{self.lesson}.ipynb has it:\n\n{solved}")
            return
        print(f"{number} {exercise.title} is solved in solutions/{self.lesson}.ipynb.")
        print(f'Open it and look for the check of "{number}": the solution is in the cell above it.')

    def progress(self) -> None:
        """Prints a line per exercise with its best verdict and hints used, and how many predictions came out."""
        if not self._best:
            print(f"Lesson {self.lesson} has nothing to solve.")
            return
        passed = sum(kind == PASSED for kind in self._best.values())
        print(f"Lesson {self.lesson}: {passed} of {len(self._best)} exercises passed")
        for number, exercise in self._exercises.items():
            hints = self._hints[number]
            used = f"  ({hints} hint{'s' * (hints > 1)})" if hints else ""
            print(f"  {f'[{self._best[number]}]':<16}{number}  {exercise.title}{used}")
        if self._guesses:
            right, known = sum(self._outcomes.values()), len(self._outcomes)
            print(f"Predictions: {right} of {known} came out as you said. (The wrong ones teach more.)")
        left = [number for number, kind in self._best.items() if kind != PASSED]
        print(f"Next: {left[0]}" if left else "All done. Well done!")

    def predict(self, name: str, guess: Any, choices: tuple[Any, ...] | None = None) -> None:
        """Notes a guess before the cell that shows the outcome; None is no guess, and fine.

        Once the outcome is known, the guess stays.
        """
        among = f" ({' or '.join(map(literal, choices))})" if choices else " (a number)"
        self._choices.setdefault(name, choices or ())
        if isinstance(guess, str):
            spelt = {str(choice).lower(): choice for choice in choices or ()}
            guess = spelt.get(guess.strip().lower(), guess.strip())
        if name in self._outcomes:
            print(f"Prediction {name}: the outcome is known by now, so it stays {literal(self._guesses[name])}.")
        elif guess is None or guess is Ellipsis:
            self._guesses.pop(name, None)
            print(f"Prediction {name}: none yet. Write one into the cell above{among} before you go on, if you like.")
        elif choices and guess not in choices:
            print(f"Prediction {name}: {literal(guess)} is not among the choices{among}. Write one of them.")
        elif not choices and not is_number(plain(guess)):
            print(f"Prediction {name}: {literal(guess)} is no number. Write digits, without quotes or units.")
        else:
            self._guesses[name], self._choices[name] = plain(guess), choices or ()
            self._save()
            print(f"Prediction {name}: you say {literal(guess)}. Go on and see.")

    def outcome(self, name: str, value: Any) -> None:
        """Prints what came out beside what was predicted; of numbers the difference (right: within a tenth)."""
        if name not in self._guesses:
            print(f"Prediction {name}: it came out {literal(value)}. You made no prediction.")
            return
        guess = self._guesses[name]
        numbers = is_number(guess) and is_number(value) and not self._choices.get(name)
        right = abs(guess - value) <= NEAR * abs(value) if numbers else agree(value, guess, 1e-6)
        self._outcomes[name] = bool(right)
        self._save()
        if numbers:
            gap = f" You are off by {literal(abs(float(guess) - float(value)))}." if guess != value else " Exactly."
            print(f"Prediction {name}: you said {literal(guess)}, it came out {literal(value)}.{gap}")
        elif right:
            print(f"Prediction {name}: {literal(value)}, as you said.")
        else:
            print(f"Prediction {name}: you said {literal(guess)}, it came out {literal(value)}. Why? Read on.")

    def expect(self, name: str, value: float) -> None:
        """Prints a number beside the band in which ours were; in strict mode ExerciseError outside it.

        With MAPLE_LITE_RECORD the number is appended to that file instead, and not judged.
        """
        value = float(value)
        if record := os.environ.get("MAPLE_LITE_RECORD"):
            with Path(record).open("a", encoding="utf-8") as file:
                file.write(json.dumps({"lesson": self.lesson, "seed": self.seed, "name": name, "value": value}) + "\n")
            return
        band = expected_bands().get(self.lesson, {}).get(name)
        if os.environ.get("MAPLE_LITE_MODE", "fast") != "fast" or band is None:
            print(f"{name} {value:.1f} (there is nothing to compare it with)")
        elif band[0] <= value <= band[1]:
            print(f"{name} {value:.1f}, as expected ({band[0]:g} to {band[1]:g})")
        else:
            text = f"{name} {value:.1f} is outside of what we saw with seeds 1 to 3 ({band[0]:g} to {band[1]:g})."
            if is_strict():
                raise ExerciseError(text)
            print(_wrapped(f"{text} If you changed settings above, that may be all. If not, look at the checks above."))

    def _exercise(self, number: str) -> Exercise:
        """An exercise by its number; ValueError with the close ones."""
        return self._exercises[require_name("exercise", number, self._exercises)]


def expected_bands() -> dict[str, dict[str, list[float]]]:
    """The bands [low, high] of every lesson's numbers, which `lessons/bands.py` measured."""
    file = data_folder() / "expected.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


def _solved_cell(lesson: str, number: str) -> str:
    """The source of the cell above the check of an exercise, in the solved notebook; "" if that is not there."""
    places = [
        *(folder / "solutions" for folder in (Path.cwd(), *Path.cwd().parents[:2])),
        data_folder().parent / "solutions",
    ]
    file = next((folder / f"{lesson}.ipynb" for folder in places if (folder / f"{lesson}.ipynb").is_file()), None)
    if file is None:
        return ""
    cells = [cell for cell in json.loads(file.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    sources = ["".join(cell["source"]) for cell in cells]
    place = next((i for i, source in enumerate(sources) if f'ex.check("{number}"' in source), 0)
    return sources[place - 1] if place else ""


def _recognisable(reference: Any) -> Any:
    """A reference as an object that no student's cell makes, by which a check knows it again; None where Python
    keeps one object for all that are equal (small whole numbers, truth values, letters).
    """
    if callable(reference) or isinstance(reference, Tensor):
        return reference
    if type(reference) is str and len(reference) > 1:
        return "".join(list(reference))
    return float(repr(reference)) if type(reference) is float else None


def _wrapped(text: str) -> str:
    """A text wrapped and indented; lines that start with spaces, code, stay as they are."""
    lines = text.splitlines()
    wrap = functools.partial(textwrap.fill, width=WIDTH, initial_indent="  ", subsequent_indent="  ")
    return "\n".join(f"  {line}" if line.startswith(" ") else wrap(line) for line in lines)
