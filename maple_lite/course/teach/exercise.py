"""What an exercise is: a reference, facets that check a submission, its mistakes, hints, and a sentence for a pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from maple_lite.course.teach.mistakes import Mistakes
from maple_lite.course.teach.values import RELATIVE, agree

HINTS = 3


class Finding(Exception):
    """What a facet found: what was expected, what came instead, and the likely cause, each a phrase or sentence.

    `evidence` is what came, for comparing. The check runs the mistakes of the exercise's table through the same facet,
    and the first that leads to the same evidence names the cause in place of this one. Numbers agree to `atol`, and to
    `rtol` of them. Without evidence, the cause of the facet stands.
    """

    def __init__(
        self, expected: str, came: str, cause: str, evidence: Any = None, atol: float = 0.0, rtol: float = RELATIVE
    ) -> None:
        super().__init__(f"expected {expected}; got {came}; likely cause: {cause}")
        self.expected, self.came, self.cause = expected, came, cause
        self.evidence, self.atol, self.rtol = evidence, atol, rtol

    def alike(self, other: Finding) -> bool:
        """Whether another finding of the same facet has the same evidence; False without any."""
        return self.evidence is not None and agree(self.evidence, other.evidence, self.atol, self.rtol)


class Facet(NamedTuple):
    """One thing that a check looks at: `test` takes the submission and raises Finding where it is wrong."""

    name: str
    test: Callable[[Any], None]


@dataclass(frozen=True)
class Exercise:
    """An exercise of a lesson. Raises ValueError for one without facets, or with other than three hints.

    `reference` is the function, class or value that a check returns in place of a submission that does not pass.
    `facets` stand in teaching order: the check stops at the first that fails. `hints` are graded: a pointer to the
    idea, how to go about it, nearly the code. `meaning` is the sentence that is printed for a pass. `mistakes` are the
    known ones, which name the cause where a submission fails as they do. `exempt` are those of `laws.LAWS` that do not
    hold for this exercise: a training loop changes its model, and what draws numbers draws others each time. `blocks`
    are functions of the package, beside the reference, that would be the answer: a submission cannot call them.
    `outcomes` are what the mistakes led to at the facets so far, up to the first that they fail. `prepared` has an
    entry once the facets were tried on the reference.
    """

    number: str
    title: str
    reference: Any
    facets: tuple[Facet, ...]
    hints: tuple[str, str, str]
    meaning: str
    mistakes: Mistakes = field(default_factory=Mistakes)
    exempt: tuple[str, ...] = ()
    blocks: tuple[Callable[..., Any], ...] = ()
    outcomes: dict[str, list[Exception | None]] = field(default_factory=dict, init=False, repr=False, compare=False)
    prepared: list[bool] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.facets or len(self.hints) != HINTS:
            counts = f"{len(self.facets)} facets and {len(self.hints)} hints"
            raise ValueError(f"exercise {self.number} needs facets and {HINTS} hints, got {counts}.")
