"""The answer out of reach: while a check runs, a student's function cannot call what it is asked to write."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

from maple_lite.course.teach.exercise import Exercise, Finding

PACKAGE, EXERCISES = "maple_lite.", "maple_lite.course.exercises."


def answers_of(exercise: Exercise) -> list[Callable[..., Any]]:
    """The functions of the package that are an exercise's answer: its reference, if the package has that, and `blocks`.

    A reference that stands among the exercises is out of a student's reach already.
    """
    reference = exercise.reference
    module = getattr(reference, "__module__", "") or ""
    has = inspect.isfunction(reference) and module.startswith(PACKAGE) and not module.startswith(EXERCISES)
    return [reference] * has + list(exercise.blocks)


@contextmanager
def blocked(answers: Sequence[Callable[..., Any]], submission: Any, is_own: Callable[[str], bool]) -> Iterator[None]:
    """A block in which calls of `answers` from a student's code raise Finding; all other code calls them as ever.

    `is_own` says of a file whether its code is the student's.
    """
    with ExitStack() as stack:
        for answer in answers:
            guard = _guard(answer, is_own)
            owner, name = _place(answer)
            stack.enter_context(mock.patch.object(owner, name, guard))
            names = getattr(submission, "__globals__", {})
            held = {key: guard for key, value in names.items() if value is answer}
            stack.enter_context(mock.patch.dict(names, held) if held else ExitStack())
        yield


def _guard(answer: Callable[..., Any], is_own: Callable[[str], bool]) -> Callable[..., Any]:
    """A function that is `answer` for everybody but a student's code."""

    @functools.wraps(answer)
    def guard(*arguments: Any, **named: Any) -> Any:
        if is_own(sys._getframe(1).f_code.co_filename):
            name = answer.__qualname__
            cause = f"{name} is what this exercise asks you to write, so it is blocked while your function is checked"
            raise Finding("code of your own", f"a call of {name}", cause)
        return answer(*arguments, **named)

    return guard


def _place(answer: Callable[..., Any]) -> tuple[Any, str]:
    """The module or class that has a function, and its name there."""
    *path, name = answer.__qualname__.split(".")
    return functools.reduce(getattr, path, sys.modules[answer.__module__]), name
