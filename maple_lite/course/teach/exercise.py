"""What an exercise is: a reference, facets that check a submission, hints, and a sentence for the one who passes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

HINTS = 3


class Finding(Exception):
    """What a facet found: what was expected, what came instead, and the likely cause, each a phrase or sentence."""

    def __init__(self, expected: str, came: str, cause: str) -> None:
        super().__init__(f"expected {expected}; got {came}; likely cause: {cause}")
        self.expected, self.came, self.cause = expected, came, cause


class Facet(NamedTuple):
    """One thing that a check looks at: `test` takes the submission and raises Finding where it is wrong."""

    name: str
    test: Callable[[Any], None]


@dataclass(frozen=True)
class Exercise:
    """An exercise of a lesson. Raises ValueError for one without facets, or with other than three hints.

    `reference` is the function, class or value that a check returns in place of a submission that does not pass.
    `facets` stand in teaching order: the check stops at the first that fails. `hints` are graded: a pointer to the
    idea, how to go about it, nearly the code. `meaning` is the sentence that is printed for a pass.
    """

    number: str
    title: str
    reference: Any
    facets: tuple[Facet, ...]
    hints: tuple[str, str, str]
    meaning: str

    def __post_init__(self) -> None:
        if not self.facets or len(self.hints) != HINTS:
            counts = f"{len(self.facets)} facets and {len(self.hints)} hints"
            raise ValueError(f"exercise {self.number} needs facets and {HINTS} hints, got {counts}.")
