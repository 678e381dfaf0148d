"""Banks of submissions: `lesson_NN.BANK` maps every exercise of a lesson to right ones."""

from __future__ import annotations

from typing import NamedTuple


class Bank(NamedTuple):
    """Submissions to one exercise as source text, which defines the exercise's own name (or `answer`).

    `right` are those that must pass, by what they do; the lesson's imports are there for them. The wrong ones are the
    exercise's table of mistakes.
    """

    right: dict[str, str]


def indented(body: str) -> str:
    """Lines of source text, moved in by four spaces."""
    return "".join(f"    {line}\n" for line in body.splitlines())
