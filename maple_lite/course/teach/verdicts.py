"""The verdict on a submission: not attempted, error, failed or passed, and the text that says so."""

from __future__ import annotations

import contextlib
import functools
import inspect
import io
import textwrap
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from maple_lite.course.teach.blocking import answers_of, blocked
from maple_lite.course.teach.causes import cause_of_error
from maple_lite.course.teach.exercise import Exercise, Facet, Finding
from maple_lite.course.teach.laws import (
    AGAIN,
    CHANGED_MODULES,
    LAWS,
    MODULES,
    REPEATED,
    Before,
    KeptModules,
    is_used_up,
    modules_kept,
    repeat_breach,
    same_result,
)
from maple_lite.course.teach.stopping import stopped_after
from maple_lite.course.teach.values import cloned, describe, literal
from maple_lite.support.seeds import seeded

NOT_ATTEMPTED, ERROR, FAILED, PASSED = KINDS = ("not attempted", "error", "failed", "passed")  # from worst to best
WIDTH = 100  # columns of a verdict
LABEL = 15  # columns of its labels
PRINTED = 5  # lines at most of what a submission printed
MESSAGE = 300  # characters at most of an exception's message
WRITTEN = 80  # characters at most of a tensor argument's numbers
NOTHING = "Nothing to check yet"
PATIENCE = 10  # seconds that one call of a submission may take
SEEN = 24  # calls at most in which a submission and a known mistake must agree
Row = tuple[str, str]


class Verdict(NamedTuple):
    """One of KINDS, and rows of (label, text)."""

    kind: str
    rows: Sequence[Row]

    def text(self, title: str) -> str:
        """The verdict as it is printed, under its mark and a title, without trailing newline."""
        return "\n".join([f"[{self.kind}] {title}", *(_row(label, text) for label, text in self.rows if text)])


@torch.enable_grad()
def judge(exercise: Exercise, submission: Any) -> Verdict:
    """The verdict on a submission: the facets are tried in their order, up to the first that fails.

    What the submission prints meanwhile is shown with a verdict that is not a pass, and else swallowed. Gradients are
    on, also in a notebook that switched them off.
    """
    if submission is None or submission is Ellipsis:
        return Verdict(NOT_ATTEMPTED, [("", f"{NOTHING}: write your answer into the cell above and run it.")])
    if callable(exercise.reference) and not callable(submission):
        finding = Finding("a function", describe(submission), "pass the function itself, without calling it")
        return Verdict(FAILED, [*_found("a function", finding), ("likely cause", finding.cause)])
    _prepare(exercise)
    tried = _watched(submission, exercise.exempt, answers_of(exercise), MODULES not in exercise.exempt)
    for place, facet in enumerate(exercise.facets):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            error = _failure(facet, tried)
        if error is not None and _is_stub(error, submission):
            todo = "put your code in place of `raise NotImplementedError` in the cell above"
            return Verdict(NOT_ATTEMPTED, [("", f"{NOTHING}: {todo}.")])
        if error is not None:
            kind, rows = _error(error, submission, tried)
            if isinstance(error, Finding):
                kind, rows = _failed(exercise, place, error)
            rows.append(("likely cause", known_cause(exercise, place, error, tried) or _own_cause(error)))
            changed = getattr(tried, "breach", None)
            if changed is not None and changed.expected == CHANGED_MODULES:  # what came may be a consequence of that
                rows.append(("and", f"{changed.came}: {changed.cause}"))
            return Verdict(kind, rows + _about(tried, printed.getvalue()))
    if isinstance(tried, Watched):
        tried.repeat()
    if isinstance(tried, Watched) and tried.breach:
        passed = ", ".join(facet.name for facet in exercise.facets)
        found = [("right so far", passed), *_found("a law of every function", tried.breach)]
        return Verdict(FAILED, [*found, ("likely cause", tried.breach.cause), ("called with", tried.broken)])
    return Verdict(PASSED, [("checked", ", ".join(facet.name for facet in exercise.facets)), ("", exercise.meaning)])


def _prepare(exercise: Exercise) -> None:
    """Tries the facets on the reference, once: what they keep for later checks is made before a submission runs.

    Otherwise a submission that changes a module could spoil an expected value that a facet computes only then.
    """
    if exercise.prepared:
        return
    exercise.prepared.append(True)
    with seeded(0), contextlib.redirect_stdout(io.StringIO()):
        for facet in exercise.facets:
            _failure(facet, _watched(exercise.reference, LAWS, (), MODULES not in exercise.exempt))


def known_cause(exercise: Exercise, place: int, error: Exception, tried: Any = None) -> str:
    """The cause of the first known mistake that fails facet `place` as a submission did; "" for none.

    It must pass the facets before, as the submission did. Two findings are alike if their evidence agrees, two other
    errors if their kinds and messages are equal. That could be a coincidence: so the wrong function and the one that
    was `tried` must also return the same on every input that the facets have. What the functions print is swallowed,
    and torch's random numbers go on as if they had not run.
    """
    if isinstance(error, Finding) and error.evidence is None:
        return ""
    with seeded(0), contextlib.redirect_stdout(io.StringIO()):
        for name, cause in exercise.mistakes.causes().items():
            if _alike(error, _outcome(exercise, name, place)) and _is_proved(exercise, name, tried):
                return cause
    return ""


def _is_proved(exercise: Exercise, name: str, tried: Any) -> bool:
    """Whether a submission returns what a known mistake does on all inputs of the facets, as far as that can be seen.

    A function that changes its inputs for good, or that draws numbers, cannot be compared in this way.
    """
    if not isinstance(tried, Watched) or AGAIN in exercise.exempt:
        return True
    mistake = exercise.mistakes.submission(name)
    keeps = MODULES not in exercise.exempt
    return all(same_result(tried.function, mistake, *call, keeps=keeps) for call in tried.all_calls(exercise.facets))


def _outcome(exercise: Exercise, name: str, place: int) -> Exception | None:
    """What facet `place` raises for a known mistake; None if it passes, or fails a facet before. It is found once."""
    outcomes = exercise.outcomes.setdefault(name, [])
    while len(outcomes) <= place and not any(outcomes):
        wrong = _watched(exercise.mistakes.submission(name), LAWS, (), MODULES not in exercise.exempt)
        error = _failure(exercise.facets[len(outcomes)], wrong)
        outcomes.append(error and error.with_traceback(None))  # a traceback would keep the tensors of its frames
    return outcomes[place] if place < len(outcomes) else None


def _failure(facet: Facet, tried: Any) -> Exception | None:
    """What a facet raises for a submission: a Finding, or whatever a student's code may raise; None for a pass."""
    try:
        facet.test(tried)
    except Exception as error:
        return error
    finally:
        if isinstance(tried, Watched):
            tried.kept_modules.restore()
    return None


def _alike(error: Exception, other: Exception | None) -> bool:
    """Whether two submissions fail a facet in the same way."""
    if isinstance(error, Finding):
        return isinstance(other, Finding) and error.alike(other)
    return type(error) is type(other) and str(error) == str(other)


def _own_cause(error: Exception) -> str:
    """The cause that a facet names, or what usually makes an error like this one."""
    return error.cause if isinstance(error, Finding) else cause_of_error(error)


class Watched:
    """A submitted function that remembers its last call; it gets copies of its arguments, and may be a method.

    Every call is watched for the laws that are not `exempt`; `breach` is the first that was broken, in the call whose
    arguments `broken` has in words. `answers` are what the function cannot call. Modules among the arguments are put
    back after every facet if `keeps` says so: what one submission changes, the next one does not meet.
    """

    def __init__(
        self,
        function: Any,
        exempt: Sequence[str] = (),
        answers: Sequence[Callable[..., Any]] = (),
        keeps: bool = True,
    ) -> None:
        functools.update_wrapper(self, function)
        self.keeps, self.kept_modules = keeps, KeptModules()
        self.function, self.call, self.result = function, "", ""
        self.exempt, self.answers, self.broken = tuple(exempt), answers, ""
        self.calls: list[tuple[str, Sequence[Any], dict[str, Any]]] = []
        self.kept = REPEATED
        self.seen: list[Any] | None = None
        self.breach: Finding | None = None

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self.on_originals(*map(cloned, arguments), **cloned(named))

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def on_originals(self, *arguments: Any, **named: Any) -> Any:
        """A call with the arguments themselves; Finding where the function does not take so many."""
        self.call, self.result = _call(self.function, arguments, named), ""
        if len(self.calls) < self.kept:
            self.calls.append((self.call, cloned(arguments), cloned(named)))
        given = _bound(self.function, arguments, named)
        if self.keeps:
            self.kept_modules.remember(given)
        if self.breach or set(LAWS) <= set(self.exempt):
            return self._run(arguments, named)
        before = Before(given)
        try:
            return self._run(arguments, named)
        finally:
            self.breach = before.breach(self.exempt)
            self.broken = self.call if self.breach else ""

    def all_calls(self, facets: Sequence[Facet]) -> list[Any]:
        """The arguments of the calls that all facets make, whether they pass or fail; at most SEEN, found once."""
        if self.seen is None:
            other = Watched(self.function, LAWS, self.answers, self.keeps)
            other.kept = SEEN
            for facet in facets:
                _failure(facet, other)
            self.seen = [
                (arguments, named)
                for _, arguments, named in other.calls
                if not any(map(is_used_up, [*arguments, *named.values()]))
            ]
        return self.seen

    def repeat(self) -> None:
        """Makes the first calls of the check again, twice each, and notes where the two differ."""
        for words, arguments, named in self.calls:
            if self.breach or AGAIN in self.exempt or any(map(is_used_up, [*arguments, *named.values()])):
                return
            self.breach = repeat_breach(partial(self._quietly, arguments, named))
            self.broken = words if self.breach else ""

    def _run(self, arguments: Sequence[Any], named: dict[str, Any]) -> Any:
        """What the function returns, remembered in words; it cannot call what it is asked to be."""
        with blocked(self.answers, self.function, partial(_is_own, submission=self.function)), stopped_after(PATIENCE):
            result = self.function(*arguments, **named)
        self.result = describe(result)
        return result

    def _quietly(self, arguments: Sequence[Any], named: dict[str, Any]) -> Any:
        """What the function returns for copies of these arguments; its prints are swallowed."""
        given = _bound(self.function, arguments, named) if self.keeps else {}
        with contextlib.redirect_stdout(io.StringIO()), modules_kept(given):
            return self.function(*cloned(arguments), **cloned(named))


def _watched(
    submission: Any, exempt: Sequence[str], answers: Sequence[Callable[..., Any]] = (), keeps: bool = True
) -> Any:
    """A function under watch; classes, modules and values as they are."""
    is_function = callable(submission) and not isinstance(submission, type | nn.Module)
    return Watched(submission, exempt, answers, keeps) if is_function else submission


def _bound(function: Any, arguments: Sequence[Any], named: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a call by their names, or by their places where a function does not tell."""
    try:
        return dict(inspect.signature(function).bind(*arguments, **named).arguments)
    except (TypeError, ValueError):
        return {f"argument {place}": value for place, value in enumerate(arguments, start=1)} | named


def _call(function: Any, arguments: Sequence[Any], named: dict[str, Any]) -> str:
    """The arguments of a call in words, by their names; Finding where the function does not take them."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some functions written in C have none
        return "\n".join(map(_argument, arguments))
    try:
        bound = signature.bind(*arguments, **named).arguments
    except TypeError as error:
        given = ", ".join([*map(describe, arguments), *(f"{name}={describe(value)}" for name, value in named.items())])
        name = getattr(function, "__name__", "your function")
        cause = f"the parameters have changed ({error}): put back those of the cell's first line"
        raise Finding(f"{name} can be called with ({given})", f"def {name}{signature}", cause) from None
    return "\n".join(f"{name} = {_argument(value)}" for name, value in bound.items())


def _argument(value: Any) -> str:
    """An argument in words, a tensor of few digits with its numbers."""
    words, written = describe(value), literal(value)
    shown = isinstance(value, Tensor) and written != words and len(written) <= WRITTEN
    return f"{words}: {written}" if shown else words


def _failed(exercise: Exercise, place: int, finding: Finding) -> tuple[str, list[Row]]:
    """The kind and the rows of a verdict on a submission that fails facet `place`."""
    passed = ", ".join(facet.name for facet in exercise.facets[:place])
    return FAILED, [("right so far", passed), *_found(exercise.facets[place].name, finding)]


def _found(name: str, finding: Finding) -> list[Row]:
    """The rows of what a facet found."""
    return [("not yet", name), ("expected", finding.expected), ("got", finding.came)]


def _about(tried: Any, printed: str) -> list[Row]:
    """The rows on the last call of a submission."""
    return [("called with", getattr(tried, "call", "")), ("you printed", _few_lines(printed))]


def _error(error: Exception, submission: Any, tried: Any) -> tuple[str, list[Row]]:
    """The kind and the rows of a verdict on a submission that raised."""
    own = _own_frames(error, submission)
    message = " ".join(str(error).split())
    message = message if len(message) <= MESSAGE else message[:MESSAGE] + " ..."
    rows: list[Row] = [("raised", f"{type(error).__name__}: {message}".rstrip(": "))]
    if own:
        inside = "" if own[-1].name == getattr(submission, "__name__", "") else f"   (in {own[-1].name})"
        rows.append((f"your line {own[-1].lineno}", f"{own[-1].line or '?'}{inside}"))
    elif getattr(tried, "result", ""):
        rows.append(("your function", f"returned {tried.result}, with which the check could not go on"))
    return ERROR, rows


def _is_stub(error: Exception, submission: Any) -> bool:
    """Whether a submission raised NotImplementedError itself, as what a student has not written yet does."""
    own = _own_frames(error, submission)
    frames = traceback.extract_tb(error.__traceback__)
    raised = own and frames[-1] == own[-1] and "raise" in (own[-1].line or "raise")  # torch's C++ has no frames
    return isinstance(error, NotImplementedError) and bool(raised)


def _own_frames(error: Exception, submission: Any) -> list[traceback.FrameSummary]:
    """The places in the student's code through which an error came."""
    return [frame for frame in traceback.extract_tb(error.__traceback__) if _is_own(frame.filename, submission)]


def _is_own(filename: str, submission: Any) -> bool:
    """Whether code in a file is the student's: a cell of a notebook, or the file of the submission."""
    if "ipykernel_" in filename or filename.startswith("<ipython-input"):
        return True
    parts = [submission, *vars(submission if isinstance(submission, type) else type(submission)).values()]
    return filename in {part.__code__.co_filename for part in parts if inspect.isfunction(part)}


def _few_lines(printed: str) -> str:
    """The first lines of what was printed."""
    lines = [line[:WIDTH] for line in printed.splitlines()]
    return "\n".join(lines[:PRINTED] + ["..."] * (len(lines) > PRINTED))


def _row(label: str, text: str) -> str:
    """A row of a verdict: the label in a column of its own, the text wrapped beside it."""
    width = LABEL if label else 0
    lines = [part for line in text.splitlines() for part in _lines(line, WIDTH - width - 2)]
    return "\n".join(f"  {label + ':' if label and not i else '':<{width}}{line}" for i, line in enumerate(lines))


def _lines(line: str, width: int) -> list[str]:
    return textwrap.wrap(line, width, break_on_hyphens=False) or [""]
