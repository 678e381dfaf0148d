"""Tables of mistakes: how a wrong function comes from a reference, and when a check names its cause."""

from __future__ import annotations

import pytest
import torch

from maple_lite.course.teach.exercise import Exercise, Facet, Finding
from maple_lite.course.teach.facets import by_hand, choice, equals, number, returns
from maple_lite.course.teach.mistakes import Mistake, Mistakes, patched
from maple_lite.course.teach.verdicts import ERROR, FAILED, PASSED, Verdict, judge

SOURCE = """
def scaled(x, factor):
    if factor != 1:
        x = factor * x
    y = x + 1
    return y
"""


def scaled(x: torch.Tensor, factor: float) -> torch.Tensor:
    """The reference itself."""
    y = factor * x
    return y + 1


def exercise(mistakes: Mistakes, *facets: Facet, reference: object = scaled) -> Exercise:
    return Exercise("99.9", "A test", reference, facets, ("one", "two", "three"), "You passed.", mistakes)


def cause(found: Verdict) -> str:
    return dict(found.rows)["likely cause"]


# Sources


def test_lines_change_places_and_new_lines_are_indented_like_the_first():
    twice = {"if factor != 1:\n    x = factor * x": "y = x + 1", "y = x + 1": "if factor:\n    x = factor * x"}
    wrong = "def scaled(x, factor):\n    y = x + 1\n    if factor:\n        x = factor * x\n    return y\n"
    assert patched(SOURCE.lstrip(), twice) == wrong


def test_every_occurrence_is_replaced():
    assert patched("a + a\nb", {"a": "c\nd"}) == "c\nd + c\nd\nb"
    assert patched("  a + b", {"b": "c\nd"}) == "  a + c\n  d"


@pytest.mark.parametrize(
    "row, error",
    [
        (Mistake("it is gone", {"x = 3 * x": ""}), "'off': 'x = 3 . x' is to be replaced"),
        (Mistake("it is gone", {"": "x"}), "is to be replaced"),
        (Mistake("both", {"y = x": "y = z", "= x + 1": "= 2"}), "overlaps with another piece"),
        (Mistake("nothing differs"), "'off' needs a patch, a body or a value"),
        (Mistake("two things differ", {"+ 1": "+ 2"}, value=3), "and only one of them"),
        (Mistake(patch={"+ 1": "+ 2"}), "needs a cause or words"),
        (Mistake("a cause", {"+ 1": "+ 2"}, words="and words"), "and only one of them"),
    ],
)
def test_a_row_that_does_not_fit_is_an_error_when_the_table_is_made(row, error):
    with pytest.raises(ValueError, match=error):
        Mistakes({"off": row}, SOURCE)


def test_a_body_stands_below_the_first_line_of_the_reference():
    table = Mistakes({"off": Mistake("two more", body="\n        y = factor * x\n        return y + 2\n")}, SOURCE)
    assert table.source("off") == "def scaled(x, factor):\n    y = factor * x\n    return y + 2\n"


def test_the_source_of_a_function_is_a_reference_with_the_names_of_its_module():
    table = Mistakes({"off": Mistake("no one", {"y + 1": "torch.ones(3) * y"})}, scaled)
    assert table.submission("off")(2.0, 3.0).tolist() == [6, 6, 6]
    assert table.submission("off") is table.submission("off")
    with pytest.raises(NameError):
        table.submission("off", {"F": torch.nn.functional})(2.0, 3.0)


# Causes

HAND = by_hand((torch.tensor([1.0, 2.0]), 3.0), torch.tensor([4.0, 7.0]))
TABLE = Mistakes(
    {
        "no one": Mistake("the one is missing", {"x + 1": "x"}),
        "no factor": Mistake("the factor is missing", {"x = factor * x": "pass"}),
        "summed": Mistake("one number came", {"return y": "return y.sum()"}),
        "three wanted": Mistake("there may be two of them", {"return y": "return y[2]"}),
        "loud": Mistake("it prints and draws", {"return y": "print(y)\nreturn torch.rand(2)"}),
    },
    SOURCE,
    {"torch": torch},
)
SHAPED = returns((torch.tensor([1.0, 2.0]), 3.0), (2,))


@pytest.mark.parametrize(
    "wrong, kind, said",
    [
        (lambda x, factor: factor * x + 1, PASSED, ""),
        (lambda x, factor: factor * x, FAILED, "the one is missing"),
        (lambda x, factor: x + 1, FAILED, "the factor is missing"),
        (lambda x, factor: (factor * x + 1).sum(), FAILED, "one number came"),
        (lambda x, factor: (factor * x).mean(), FAILED, "all dimensions were summed or averaged away"),
        (lambda x, factor: x[2], ERROR, "there may be two of them"),
        (lambda x, factor: x[3], ERROR, "the index is beyond the end"),
        (lambda x, factor: factor * x - 1, FAILED, "yours is -2 off everywhere"),
    ],
)
def test_a_cause_is_named_where_a_known_mistake_fails_in_the_same_way(wrong, kind, said):
    found = judge(exercise(TABLE, SHAPED, HAND), wrong)
    assert found.kind == kind
    assert kind == PASSED or cause(found).startswith(said)


def test_a_known_mistake_that_fails_an_earlier_facet_names_nothing():
    def by_one(x: torch.Tensor, factor: float) -> torch.Tensor:
        return factor * x + (1 if factor == 1 else 0)

    first = by_hand((torch.tensor([1.0]), 1.0), torch.tensor([2.0]), name="a factor of 1")
    assert cause(judge(exercise(TABLE, HAND), by_one)) == "the one is missing"
    assert cause(judge(exercise(TABLE, first, HAND), by_one)) == "yours is -1 off everywhere"


def test_known_mistakes_are_silent_and_leave_random_numbers_alone(capsys):
    torch.manual_seed(0)
    after = torch.rand(1)
    torch.manual_seed(0)
    judge(exercise(TABLE, HAND), lambda x, factor: factor * x - 5)
    assert torch.equal(torch.rand(1), after)
    assert capsys.readouterr().out == ""


def test_a_mistake_with_words_is_never_run():
    calls: list[int] = []
    table = Mistakes({"off": Mistake(words="5 times", body="calls.append(1)")}, SOURCE, {"calls": calls})
    assert judge(exercise(table, HAND), lambda x, factor: 5 * (factor * x + 1)).kind == FAILED
    assert not calls
    table.submission("off")(1, 2)
    assert calls


def test_a_known_mistake_runs_once_through_a_facet():
    calls: list[int] = []
    body = "calls.append(1)\nreturn factor * x + 2"
    table = Mistakes({"off": Mistake("one, not two", body=body)}, SOURCE, {"calls": calls})
    checked = exercise(table, returns((torch.ones(2), 3.0), (2,)), HAND)
    wrong = [lambda x, factor: x[0], lambda x, factor: factor * x - 5, lambda x, factor: factor * x + 2]
    assert [cause(judge(checked, each)) == "one, not two" for each in wrong] == [False, False, True]
    assert len(calls) == 4  # two facets, and their two inputs once more as a proof


def test_a_right_submission_compiles_nothing():
    table = Mistakes({"off": Mistake("no Python", body="this is no Python")}, SOURCE)
    assert judge(exercise(table, HAND), scaled).kind == PASSED
    with pytest.raises(SyntaxError):
        judge(exercise(table, HAND), lambda x, factor: x)


def test_a_finding_without_evidence_keeps_its_own_cause():
    def test(fn: object) -> None:
        raise Finding("this", "that", "the facet says why")

    assert cause(judge(exercise(TABLE, Facet("a facet", test)), scaled)) == "the facet says why"


def test_wrong_answers_to_questions_have_causes():
    counted = Mistakes({"a half": Mistake("that is a half", value=50_000), "near": Mistake("rounded", value=50_002)})
    asked = exercise(counted, number(100_000, 0.5), reference=100_000)
    assert [cause(judge(asked, answer)) for answer in (50_000, 50_002)] == ["that is a half", "rounded"]
    assert "too small" in cause(judge(asked, 50_001))
    small = Mistakes({"the inverse": Mistake("turn it over", value=0.02), "a tenth": Mistake("a tenth", value=0.1)})
    asked = exercise(small, number(44, 0.3), reference=44)
    assert [cause(judge(asked, answer)) for answer in (0.0203, 0.1)] == ["turn it over", "a tenth"]
    chosen = exercise(Mistakes({"B": Mistake("B is not", value="B")}), choice("A", "BC"), reference="A")
    assert cause(judge(chosen, " b")) == "B is not"
    assert dict(judge(chosen, "D").rows)["expected"] == "one of 'A', 'B', 'C'"


def test_equals_asks_its_reference_once():
    calls = []
    facet = equals((torch.ones(2), 3.0), lambda x, factor: calls.append(1) or scaled(x, factor))
    judge(exercise(TABLE, facet), lambda x, factor: factor * x - 5)
    assert len(calls) == 1
