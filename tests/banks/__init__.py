"""Banks of submissions: `lesson_NN.BANK` maps every exercise of a lesson to right and wrong ones."""

from __future__ import annotations

from typing import NamedTuple


class Bank(NamedTuple):
    """Submissions to one exercise as source text, which defines the exercise's own name (or `answer`).

    `right` are those that must pass, by what they do. The wrong ones are the exercise's table of mistakes, or stand in
    `wrong`, by the misconception behind them: (source, words that the message must hold). The lesson's imports are
    there for all of them.
    """

    right: dict[str, str]
    wrong: dict[str, tuple[str, str]] = {}  # noqa: RUF012


def indented(body: str) -> str:
    """Lines of source text, moved in by four spaces."""
    return "".join(f"    {line}\n" for line in body.splitlines())
