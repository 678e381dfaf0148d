"""The mistakes of an exercise, written once: one table for its check, its tests and the teachers' page."""

from __future__ import annotations

import ast
import inspect
import linecache
import re
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Mistake:
    """A row of the table: what the check answers, and what a wrong submission has in place of the reference's lines.

    `cause` is the sentence that the check answers, word for word. Where a submission fails, the check runs the wrong
    function, too, and names its cause if both fail in the same way.
    A mistake whose cause a facet finds by itself (a wrong shape, no gradient, an error) has `words` instead of a
    cause: they must stand in the verdict. The check never runs such a mistake. A mistake that leaves traces behind,
    such as one that thaws CLIP's weights, must be of this kind.

    What differs is said in one of three ways. `patch` maps pieces of the reference to what stands there instead, all
    at once, so that two lines may change places. Every occurrence is replaced. A piece may be several lines. More
    lines that come instead are indented like the first. `body` is all that stands below the first line of the
    reference. `value` is a wrong answer to a question.

    >>> unmasked = Mistake("every token sees those after it: pass the mask", {"attn_mask=mask": "attn_mask=None"})
    >>> nothing = Mistake(words="did you forget", patch={"return x": "x"})
    >>> mean = Mistake("this is the arithmetic mean", body="return (base + novel) / 2")
    >>> eleven = Mistake("J counts the first layer, too: 12 prompts, and not 11", value=11 * 4 * 512)
    """

    cause: str = ""
    patch: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    value: Any = None
    words: str = ""


class Mistakes:
    r"""The table of an exercise: its mistakes by what the student did, in the order in which the check tries them.

    `reference` is the short source that patches change: a text, or the exercise's own function, whose source it then
    is. `names` are what the source uses, such as `{"torch": torch}`; those of a function's module are known. Questions
    need neither. Raises ValueError for a patch that does not fit, and for a mistake that says nothing, or two things at
    once.

    >>> table = Mistakes({"adds": Mistake("multiply them", {"2 * x": "2 + x"})}, "def twice(x):\n    return 2 * x")
    >>> table.submission("adds")(5)
    7
    """

    def __init__(
        self,
        rows: Mapping[str, Mistake] | None = None,
        reference: str | Callable[..., Any] = "",
        names: Mapping[str, Any] | None = None,
    ) -> None:
        known = {} if isinstance(reference, str) else reference.__globals__
        self.rows, self.names = dict(rows or {}), names or known
        self.reference = _text(reference if isinstance(reference, str) else inspect.getsource(reference))
        self._made: dict[str, Any] = {}
        for name, row in self.rows.items():
            _require_whole(name, row)
            if row.value is None:
                self.source(name)

    def causes(self) -> dict[str, str]:
        """The causes of the mistakes that the check runs, by their names."""
        return {name: row.cause for name, row in self.rows.items() if row.cause}

    def source(self, name: str) -> str:
        """The source of a wrong function; ValueError for a patch that does not fit the reference."""
        row = self.rows[name]
        if row.body:
            return _head(self.reference) + textwrap.indent(_text(row.body), "    ") + "\n"
        try:
            return patched(self.reference, row.patch)
        except ValueError as error:
            raise ValueError(f"the mistake {name!r}: {error}") from None

    def submission(self, name: str, names: Mapping[str, Any] | None = None) -> Any:
        """What a student hands in who made a mistake: a wrong value, or a function, compiled when it is first needed.

        `names` stand for the table's own, as in a notebook with imports of its own.
        """
        if self.rows[name].value is not None:
            return self.rows[name].value
        if names is not None:
            return self.made(self.source(name), names)
        if name not in self._made:
            self._made[name] = self.made(self.source(name), self.names)
        return self._made[name]

    def made(self, source: str, names: Mapping[str, Any]) -> Any:
        """The function, or class, of the reference's name that a source makes."""
        name = _definition(self.reference).name
        return compiled(source, names, f"<ipython-input {name}>")[name]


def compiled(source: str, names: Mapping[str, Any], file: str) -> dict[str, Any]:
    """The names that a source makes, beside those it may use; its lines are known to tracebacks under `file`."""
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    namespace = dict(names)
    exec(compile(source, file, "exec"), namespace)
    return namespace


def patched(reference: str, patch: Mapping[str, str]) -> str:
    r"""A source with some of its pieces replaced, all at once; ValueError for a piece that it does not hold.

    >>> patched("def f(x):\n    y = 2 * x\n    return y", {"y = 2 * x": "y = x\ny = 2 * y"})
    'def f(x):\n    y = x\n    y = 2 * y\n    return y'
    """
    found = {old: re.compile(r"\n *".join(map(re.escape, map(str.strip, old.split("\n"))))) for old in patch}
    for old, pattern in found.items():
        if not old.strip() or not pattern.search(reference):
            raise ValueError(f"{old!r} is to be replaced, and the reference does not hold it.")
    places = sorted((hit.span(), old) for old, pattern in found.items() for hit in pattern.finditer(reference))
    text, end = "", 0
    for (start, stop), old in places:
        if start < end:
            raise ValueError(f"{old!r} overlaps with another piece that is to be replaced.")
        line = reference[reference.rfind("\n", 0, start) + 1 : start]
        indent = line[: len(line) - len(line.lstrip())]
        text += reference[end:start] + patch[old].replace("\n", "\n" + indent)
        end = stop
    return text + reference[end:]


def _require_whole(name: str, row: Mistake) -> None:
    """ValueError unless a row says one thing of what the check answers, and one of what differs."""
    if sum([bool(row.patch), bool(row.body), row.value is not None]) != 1:
        raise ValueError(f"the mistake {name!r} needs a patch, a body or a value, and only one of them.")
    if bool(row.cause) == bool(row.words):
        raise ValueError(f"the mistake {name!r} needs a cause or words, and only one of them.")


def _text(source: str) -> str:
    """A source without the indentation of its place, and without empty lines around it."""
    return textwrap.dedent(source.strip("\n")).rstrip()


def _head(reference: str) -> str:
    """The lines of a reference before the first line of the function's or class's body."""
    return "".join(line + "\n" for line in reference.splitlines()[: _definition(reference).body[0].lineno - 1])


def _definition(reference: str) -> ast.FunctionDef | ast.ClassDef:
    """The first function or class that a source defines."""
    return next(node for node in ast.parse(reference).body if isinstance(node, ast.FunctionDef | ast.ClassDef))
