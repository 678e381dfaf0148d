"""The laws that every check watches for: each has a submission that it alone catches."""

from __future__ import annotations

import random
import textwrap

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from maple_lite.course.exercises import LESSONS
from maple_lite.course.session import exercises_of
from maple_lite.course.teach.exercise import Exercise, Facet
from maple_lite.course.teach.facets import SIZES, any_size, by_hand, equals, gradient, invariant
from maple_lite.course.teach.laws import AGAIN, INPUTS, LAWS, MODE, MODULES, RANDOM
from maple_lite.course.teach.mistakes import Mistake, Mistakes
from maple_lite.course.teach.verdicts import ERROR, FAILED, PASSED, judge

X = torch.tensor([[3.0, 4.0], [0.6, 0.8]])


class Layer(nn.Module):
    """A weight and a buffer, the same in training and evaluation."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.eye(2))
        self.register_buffer("count", torch.tensor(3.0))

    def forward(self, x):
        return x @ self.weight


def layer() -> nn.Module:
    return Layer().eval()


LAYER = layer()


def scaled(x, module, words):
    return F.normalize(module(x), dim=-1)


EXERCISE = Exercise(
    "99.1",
    "Scale",
    scaled,
    (equals((X, LAYER, ["a"]), scaled), equals((X[:1], LAYER, []), scaled)),
    ("one", "two", "three"),
    "Well.",
)


def in_place(x, module, words):
    found = F.normalize(module(x), dim=-1)
    x /= 2
    return found


def list_grows(x, module, words):
    words.append("b")
    return F.normalize(module(x), dim=-1)


def asks_for_gradients(x, module, words):
    return F.normalize(module(x.requires_grad_()), dim=-1).detach()


def weight_written(x, module, words):
    found = F.normalize(module(x), dim=-1)
    module.weight.data.mul_(1.000001)
    return found


def buffer_written(x, module, words):
    found = F.normalize(module(x), dim=-1)
    module.count.add_(1)
    return found


def frozen(x, module, words):
    module.weight.requires_grad_(False)
    return F.normalize(module(x), dim=-1)


def trains(x, module, words):
    found = F.normalize(module(x), dim=-1)
    module.train()
    return found


def gradients_off(x, module, words):
    found = F.normalize(module(x), dim=-1)
    torch.set_grad_enabled(False)
    return found


def seeds_torch(x, module, words):
    torch.manual_seed(0)
    return F.normalize(module(x), dim=-1)


def draws_numpy(x, module, words):
    np.random.rand()
    return F.normalize(module(x), dim=-1)


def draws_python(x, module, words):
    random.random()
    return F.normalize(module(x), dim=-1)


def make_forgetful():
    calls = []

    def remembers(x, module, words):
        calls.append(1)
        return F.normalize(module(x), dim=-1) if len(calls) <= 3 else module(x)

    return remembers


CAUGHT = {
    "in place": (INPUTS, in_place, "x was changed"),
    "a list grows": (INPUTS, list_grows, "words was changed"),
    "asks for gradients": (INPUTS, asks_for_gradients, "x asks otherwise"),
    "a weight written": (MODULES, weight_written, "module was changed"),
    "a buffer written": (MODULES, buffer_written, "module was changed"),
    "frozen": (MODULES, frozen, "module was changed"),
    "trains": (MODE, trains, "module is in another mode"),
    "gradients off": (MODE, gradients_off, "another mode for all code that follows"),
    "seeds torch": (RANDOM, seeds_torch, "torch's random numbers go on elsewhere"),
    "draws from numpy": (RANDOM, draws_numpy, "numpy's random numbers go on elsewhere"),
    "draws from Python": (RANDOM, draws_python, "Python's random numbers go on elsewhere"),
    "remembers": (AGAIN, make_forgetful(), "a tensor [2, 2] with other values"),
}


@pytest.fixture(autouse=True)
def _as_before():
    yield
    torch.set_grad_enabled(True)
    LAYER.load_state_dict(layer().state_dict())
    LAYER.eval().requires_grad_()


@pytest.mark.parametrize("name", CAUGHT)
def test_a_law_catches_a_submission_that_nothing_else_catches(name):
    law, submission, came = CAUGHT[name]
    verdict = judge(EXERCISE, submission)
    text = verdict.text("99.1")
    assert verdict.kind == FAILED, text
    assert came in text
    assert "a law of every function" in text
    assert "right so far" in text
    _reset()
    torch.set_grad_enabled(True)
    if law != AGAIN:  # what it remembers, it still does
        without = Exercise("99.1", "Scale", scaled, EXERCISE.facets, EXERCISE.hints, "Well.", exempt=(law,))
        assert judge(without, submission).kind == PASSED


def _reset() -> None:
    LAYER.load_state_dict(layer().state_dict())
    LAYER.eval().requires_grad_()


def test_every_law_has_a_submission():
    assert {law for law, _, _ in CAUGHT.values()} == set(LAWS)


def test_a_right_submission_passes_and_is_called_again():
    calls = []

    def counted(x, module, words):
        calls.append(x.shape)
        return F.normalize(module(x), dim=-1)

    assert judge(EXERCISE, counted).kind == PASSED
    assert len(calls) == 2 + 2 * 2  # a call of each facet, and two more of each


def test_frames_and_iterators_are_inputs_like_others():
    frame = pd.DataFrame({"a": [1, 2], "b": [3.0, 4.0]})

    def total(table, numbers):
        return float(table.a.sum() + sum(numbers))

    def drops(table, numbers):
        found = total(table, numbers)
        del table["b"]
        return found

    def test(fn):
        assert fn(frame.copy(), iter([1, 2])) == 6.0

    exercise = Exercise("99.2", "Add", total, (Facet("a sum", test),), ("1", "2", "3"), "Well.")
    assert judge(exercise, total).kind == PASSED
    assert "table was changed" in judge(exercise, drops).text("99.2")


@pytest.mark.parametrize(
    "made",
    [float, np.float64, np.float32, torch.tensor, lambda value: torch.tensor(value, dtype=torch.float64), np.array],
)
def test_a_right_number_of_another_kind_is_right(made):
    exercise = Exercise(
        "99.3", "Halve", lambda x: x / 2,
        (by_hand((5.0,), 2.5, atol=1e-6), invariant("a law", lambda fn: fn(2.0) == 1)), ("1", "2", "3"), "Well.",
    )  # fmt: skip
    assert judge(exercise, lambda x: made(x / 2)).kind == PASSED
    assert judge(exercise, lambda x: made(x / 2 + 1)).kind == FAILED


@pytest.mark.parametrize("made", [bool, np.bool_, torch.tensor])
def test_a_right_truth_value_of_another_kind_is_right_and_a_number_is_none(made):
    exercise = Exercise("99.4", "Above", lambda x: x > 1, (by_hand((2.0,), True),), ("1", "2", "3"), "Well.")
    assert judge(exercise, lambda x: made(x > 1)).kind == PASSED
    assert judge(exercise, lambda x: made(x < 1)).kind == FAILED
    assert judge(exercise, lambda x: 1.0).kind == FAILED


@pytest.mark.parametrize("made", [list, tuple, lambda values: values])
def test_a_range_or_tuple_is_as_good_as_a_list(made):
    exercise = Exercise(
        "99.5", "Count", lambda n: list(range(n)), (by_hand((3,), [0, 1, 2]),), ("1", "2", "3"), "Well."
    )
    assert judge(exercise, lambda n: made(range(n))).kind == PASSED
    assert judge(exercise, lambda n: made(range(n + 1))).kind == FAILED


def test_a_cause_is_named_only_where_the_mistake_gives_the_same_on_other_inputs_too():
    table = Mistakes(
        {"doubled": Mistake("that is twice the number", {"x * x": "2 * x"})}, "def square(x):\n    return x * x"
    )
    facets = by_hand((3.0,), 9.0), by_hand((5.0,), 25.0)
    exercise = Exercise("99.6", "Square", lambda x: x * x, facets, ("1", "2", "3"), "Well.", table)
    assert "that is twice the number" in judge(exercise, lambda x: x + x).text("99.6")
    by_chance = judge(exercise, lambda x: x + 3)  # 6 for 3, as if doubled, but 8 for 5
    assert by_chance.kind == FAILED
    assert "that is twice the number" not in by_chance.text("99.6")


def test_a_notebook_that_switched_gradients_off_is_checked_with_them():
    facet = gradient(lambda fn: (fn(leaf := X.clone().requires_grad_()), {"x": leaf}), reaches=["x"])
    exercise = Exercise("99.2", "Twice", lambda x: 2 * x, (facet,), ("one", "two", "three"), "Well.")
    with torch.no_grad():
        assert judge(exercise, lambda x: x + x).kind == PASSED
        assert judge(exercise, lambda x: (x + x).detach()).kind == FAILED
        assert not torch.is_grad_enabled()


def row_means(x):
    return x.mean(dim=-1)


SIZED = Exercise(
    "99.3",
    "Means of rows",
    row_means,
    (
        equals((torch.arange(6.0).view(2, 3),), row_means),
        any_size(lambda case: (case.normal(*case.sizes(2)),), row_means),
    ),
    ("one", "two", "three"),
    "Well.",
    Mistakes(
        {
            "columns for squares": Mistake(
                "rows and columns", body="return x.mean(-1) if x.shape[0] - x.shape[1] else x.mean(0)"
            )
        },
        row_means,
    ),
)


@pytest.mark.parametrize(
    "wrong, words",
    [
        (lambda x: x.sum(dim=-1) / 3, "yours is 0.3333 times what is expected"),
        (lambda x: x.mean(dim=-1).squeeze(), ""),
        (lambda x: x.mean(-1) if x.shape[0] != x.shape[1] else x.mean(0), "rows and columns"),
        (lambda x: x.mean(dim=-1).float(), "one of torch.float32"),
        (lambda x: torch.stack([x[0].mean(), x[1].mean()]), "beyond the end"),
    ],
)
def test_what_holds_for_one_size_alone_is_caught_by_others(wrong, words):
    assert judge(SIZED, row_means).kind == PASSED
    equal = Exercise("99.4", "Means", row_means, SIZED.facets[:1], ("one", "two", "three"), "Well.")
    assert judge(equal, wrong).kind == PASSED
    found = judge(SIZED, wrong)
    assert found.kind in (FAILED, ERROR)
    assert words in found.text("")


def test_the_smallest_case_that_fails_is_shown():
    found = dict(judge(SIZED, lambda x: x.sum(dim=-1) / 3).rows)
    assert "x = a tensor [1, 1]: [[" in found["called with"]


REFITTED = ("01", "02", "03", "04")


@pytest.mark.parametrize(
    "exercise",
    [each for lesson in LESSONS if lesson[:2] in REFITTED for each in exercises_of(lesson) if callable(each.reference)],
    ids=lambda exercise: exercise.number,
)
def test_every_function_is_checked_in_other_sizes(exercise):
    assert SIZES in exercise.exempt or any(facet.name == SIZES for facet in exercise.facets)


def test_a_module_that_was_changed_is_put_back_and_said():
    """One submission cannot spoil what the next one is checked with."""
    exercise = {each.number: each for each in exercises_of("03_coop")}["03.2"]
    source = exercise.mistakes.reference.replace(
        "x = text.token_embedding(tokens)",
        "text.attn_mask = text.attn_mask[:length, :length]\n    x = text.token_embedding(tokens)",
    )
    wrong = exercise.mistakes.made(source, exercise.mistakes.names)
    found = judge(exercise, wrong)
    assert found.kind != PASSED
    assert "attn_mask" in dict(found.rows)["and"]
    assert judge(exercise, exercise.reference).kind == PASSED
    writes = exercise.mistakes.made(
        exercise.mistakes.reference.replace("x = x + text", "text.ln_final.weight.data += 1\n    x = x + text"),
        exercise.mistakes.names,
    )
    assert judge(exercise, writes).kind != PASSED
    assert judge(exercise, exercise.reference).kind == PASSED


def test_a_submission_that_moves_a_parameter_spoils_no_expected_value():
    """The very first check of an exercise is of a wrong submission, and a right one passes after it."""
    known = {each.number: each for each in exercises_of("04_cocoop")}["04.2"]
    exercise = Exercise(
        known.number, known.title, known.reference, known.facets, known.hints, known.meaning, known.mistakes
    )
    lines = "shift = self.meta_net(image_features)\n{}return [self.ctx + shift[:, None, None]]"
    head = "def text_prompts(self, image_features=None):\n"
    wrong, right = (
        exercise.mistakes.made(head + textwrap.indent(lines.format(line), "    "), {})
        for line in ("self.ctx.data += shift.mean(0)\n", "")
    )
    assert judge(exercise, wrong).kind == FAILED
    assert judge(exercise, right).kind == PASSED
