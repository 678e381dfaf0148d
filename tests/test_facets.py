"""What checks look at, and what they say: facets, causes, and values in words."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from maple_lite.clip import write_prompt
from maple_lite.course.teach import facets
from maple_lite.course.teach.causes import cause_of_error, cause_of_shape
from maple_lite.course.teach.exercise import Finding
from maple_lite.course.teach.facets import by_hand, choice, equals, gradient, invariant, number, returns, unchanged
from maple_lite.course.teach.values import agree, cloned, describe, literal

GENERATOR = torch.Generator().manual_seed(0)
X, PROMPT = torch.randn(3, 9, 8, generator=GENERATOR), torch.randn(4, 8, generator=GENERATOR)


def insert(x: Tensor, prompt: Tensor) -> Tensor:
    return torch.cat([x[:, :1], prompt.expand(len(x), -1, -1), x[:, 1:]], dim=1)


def over_sos(x: Tensor, prompt: Tensor) -> Tensor:
    return torch.cat([prompt.expand(len(x), -1, -1), x[:, len(prompt) :]], dim=1)


def in_place(x: Tensor, prompt: Tensor) -> Tensor:
    x[:, 1 : 1 + len(prompt)] = prompt
    return x


def finding(facet: facets.Facet, submission: object) -> Finding:
    with pytest.raises(Finding) as caught:
        facet.test(submission)
    return caught.value


# Type and shape

SHAPED = returns((X, PROMPT), (3, 9, 8), letters="C, L, d", dtype=torch.float32)


@pytest.mark.parametrize(
    "wrong, came, cause",
    [
        (insert, "a tensor [3, 13, 8]", "dimension 1 is 13"),
        (lambda x, p: None, "None", "did you forget it?"),
        (lambda x, p: x.numpy(), "a numpy array [3, 9, 8]", "stay with torch"),
        (lambda x, p: list(x), "a list of 3: a tensor [9, 8], ...", "torch.stack or torch.cat"),
        (lambda x, p: (x, p), "a tuple of 2: a tensor [3, 9, 8], ...", "return the tensor alone"),
        (lambda x, p: write_prompt, "the function write_prompt", "call it"),
        (lambda x, p: nn.Linear(2, 2), "a Linear", "return the tensor itself"),
        (lambda x, p: 3, "3", "return the tensor itself"),
        (lambda x, p: x.transpose(0, 1), "a tensor [9, 3, 8]", "wrong order: is a transpose missing"),
        (lambda x, p: x[None], "a tensor [1, 3, 9, 8]", "a dimension of size 1 is too many"),
        (lambda x, p: x.mean(), "a tensor []", "say over which one, with dim="),
        (lambda x, p: x.mean(0), "a tensor [9, 8]", "1 dimension too few"),
        (lambda x, p: x[:, :7], "a tensor [3, 7, 8]", "dimension 1 is 7, 2 fewer than it should be"),
    ],
)
def test_returns_names_both_shapes_and_a_cause(wrong, came, cause):
    SHAPED.test(write_prompt)
    found = finding(SHAPED, wrong)
    assert (found.expected, found.came) == ("a tensor [C, L, d] = [3, 9, 8]", came)
    assert cause in found.cause


def test_returns_looks_at_type_and_device():
    assert finding(SHAPED, lambda x, p: x.double()).came == "one of torch.float64"
    found = finding(SHAPED, lambda x, p: x.to("meta"))
    assert (found.expected, found.came) == ("a tensor on cpu, where the inputs are", "one on meta")
    assert "device=x.device" in found.cause
    returns((X.to("meta"),), (3, 9, 8)).test(lambda x: x)


def test_returns_other_kinds_than_tensors():
    returns((1,), kind=float).test(float)
    returns((1,), kind=(list, tuple)).test(lambda x: [x])
    found = finding(returns((1.0,), kind=float), torch.tensor)
    assert (found.expected, found.came) == ("a float", "a tensor []")
    assert ".item()" in found.cause
    assert finding(returns((1,), kind=(list, tuple)), str).expected == "a list or a tuple"
    assert "the line with return" in finding(returns((1,), kind=int), str).cause


def test_a_missing_dimension_of_size_one_is_named():
    assert "missing: use [:, None] or keepdim" in cause_of_shape((3, 1), (3,))
    assert "2 dimensions too many" in cause_of_shape((3, 2), (3, 2, 4, 4))


# Values

SAME = equals((X, PROMPT), write_prompt)


def test_equals_takes_any_right_way():
    SAME.test(write_prompt)
    SAME.test(in_place)
    assert finding(SAME, over_sos).evidence is not None


@pytest.mark.parametrize(
    "wrong, cause",
    [
        (lambda x: 100 * x, "yours is 100 times what is expected"),
        (lambda x: -x, "yours is -1 times what is expected"),
        (lambda x: x + 2, "yours is +2 off everywhere"),
        (lambda x: x.T, "yours is the transpose of it"),
        (lambda x: x / 0, "NaN or infinity"),
        (lambda x: x[:3], "dimension 0 is 3, 2 fewer"),
        (lambda x: x**2, "no number is right: go through the steps"),
        (lambda x: torch.cat([x[:1], 9 * x[1:]]), "20 of 25 numbers are wrong, all of them at 1 to 4 of dimension 0"),
        (lambda x: x * torch.tensor([1, 1, 1, 1, 9]), "5 of 25 numbers are wrong, all of them at 4 of dimension 1"),
        (lambda x: x * (1 + torch.eye(5)), "5 of 25 numbers are wrong"),
        (lambda x: "words", "return the tensor itself"),
    ],
)
def test_equals_guesses_where_no_misconception_fits(wrong, cause):
    square = torch.rand(5, 5, generator=GENERATOR) + 1
    assert cause in finding(equals((square,), lambda x: x.clone()), wrong).cause


def test_values_of_large_tensors_stand_where_they_differ_most():
    found = finding(SAME, lambda x, p: write_prompt(x, p).index_fill(1, torch.tensor(8), 50.0))
    assert found.expected.startswith("a tensor [3, 9, 8] with ")
    assert found.came.startswith("a tensor [3, 9, 8] with 50 at [")
    assert found.expected.split(" at ")[1] == found.came.split(" at ")[1]


def test_equals_takes_numbers_words_and_lists():
    equals((3.0,), lambda x: 2 * x).test(lambda x: torch.tensor(2 * x))
    equals((2,), lambda n: (list(range(n)), [n])).test(lambda n: [torch.arange(n), (n,)])
    found = finding(equals((3,), lambda n: list(range(n))), lambda n: [0, 1, 5])
    assert (found.expected, found.came, found.cause) == (
        "[0, 1, 2]",
        "[0, 1, 5]",
        "1 of 3 numbers are wrong, all of them at 2 of dimension 0",
    )
    names = equals((), lambda: ["base", "novel"])
    assert finding(names, lambda: ["base", "all"]).cause == "entry 1 is 'all' where 'novel' is expected"
    assert finding(names, lambda: ["base"]).cause == "yours has 1 entries, 2 are expected"
    assert "letter by letter" in finding(equals((), lambda: "a b"), lambda: "a  b").cause


def test_by_hand_writes_the_case_out():
    mean = by_hand((80.0, 40.0), 53.333, "2 * 80 * 40 / 120 = 53.33", atol=0.01)
    mean.test(lambda a, b: 2 * a * b / (a + b))
    found = finding(mean, lambda a, b: (a + b) / 2)
    assert (found.expected, found.came) == ("53.33, because 2 * 80 * 40 / 120 = 53.33", "60")
    tensor = by_hand((torch.tensor([3.0, 4.0]),), [0.6, 0.8])
    tensor.test(lambda x: x / x.norm())
    assert finding(tensor, lambda x: x).came == "[3, 4]"
    assert "did you forget it?" in finding(tensor, lambda x: None).cause


# Gradients, laws, inputs


def test_gradient_reaches_and_spares():
    learned, frozen = nn.Parameter(torch.ones(2, 3)), nn.Linear(3, 4).requires_grad_(False)
    call = lambda fn: (fn(learned, frozen), {"the context": learned, "CLIP": frozen.parameters()})  # noqa: E731
    facet = gradient(call, reaches=["the context"], spares=["CLIP"])
    facet.test(lambda x, clip: clip(x).softmax(-1))  # whose plain sum is constant
    found = finding(facet, lambda x, clip: clip(x.detach()))
    assert found.expected == "a gradient for the context and none for CLIP"
    assert (found.came, found.cause[:15]) == ("no gradient for the context", "the path is cut")
    assert finding(facet, lambda x, clip: 0 * clip(x)).came == "no gradient for the context"
    found = finding(facet, lambda x, clip: clip.requires_grad_()(x))
    assert (found.came, found.cause[:22]) == ("a gradient for CLIP", "this must stay frozen:")
    assert learned.grad is None


def test_gradient_wants_all_tensors_of_a_name():
    prompts = [nn.Parameter(torch.ones(2)) for _ in range(3)]
    facet = gradient(lambda fn: (fn(prompts), {"the prompts": prompts}), ["the prompts"])
    facet.test(lambda p: p[0] * p[1] * p[2])
    assert finding(facet, lambda p: p[0] * p[1]).came == "a gradient for some parts only for the prompts"


def test_an_invariant_is_a_law_in_words():
    law = invariant("order", lambda fn: fn([2, 1]) == fn([1, 2]), expected="the order is nothing", cause="no sum")
    law.test(sum)
    found = finding(law, list)
    assert (found.expected, found.came, found.cause) == (
        "the order is nothing",
        "your function breaks this law",
        "no sum",
    )
    found = finding(invariant("order", lambda fn: "two orders, two results"), list)
    assert (found.expected, found.came) == ("order", "two orders, two results")


def test_inputs_stay_as_they_are():
    unchanged((X, PROMPT)).test(write_prompt)
    before = X.clone()
    found = finding(unchanged((X, PROMPT)), in_place)
    assert found.came == "x was changed"
    assert finding(unchanged(([1],)), lambda *lists: lists[0].append(2)).came == "argument 1 was changed"
    for facet in (SHAPED, SAME):
        facet.test(in_place)  # on copies
    assert torch.equal(X, before)


# Choices and numbers


def test_a_choice_is_right_wrong_for_a_reason_or_none_of_the_choices():
    facet = choice("CoOp", ["VPT", "all"])
    for right in ("CoOp", " coop\n"):
        facet.test(right)
    found = finding(facet, "vpt")
    assert (found.expected, found.came, found.cause) == ("another choice", "'vpt'", "compare it with the other choices")
    for nonsense in ("cop", 3, None, torch.ones(2), [], write_prompt):
        found = finding(facet, nonsense)
        assert (found.expected, found.came) == ("one of 'CoOp', 'VPT', 'all'", describe(nonsense))


def test_truth_values_and_lists_are_choices():
    facet = choice(1, [True])
    facet.test(1)
    assert finding(facet, True).expected == "another choice"
    choice((3, 9), []).test([3, 9])
    choice((3, 9), []).test(torch.tensor([3, 9]))


@pytest.mark.parametrize(
    "answer, expected, cause",
    [
        (60, "a smaller number", "too large: go through"),
        (5333.3, "a smaller number", "is it in percent"),
        (0.5333, "a larger number", "is it a share"),
        (-53.33, "a larger number", "the sign is wrong"),
        (0.57, "a larger number", "too small: go through"),
        (99, "a smaller number", "too large"),
        (torch.tensor(1.0), "a larger number", "too small"),
        ("53.33", "a number", "without quotes"),
        (True, "a number", "write digits"),
        (float("nan"), "a number", "write digits"),
        (Fraction(1, 2), "a larger number", "too small"),
    ],
)
def test_a_number_is_near_or_far_for_a_reason(answer, expected, cause):
    facet = number(53.33, 0.05)
    for right in (53.33, 53.3, torch.tensor([53.33]), np.float32(53.33)):
        facet.test(right)
    found = finding(facet, answer)
    assert found.expected == expected
    assert cause in found.cause


# Values in words


def test_values_are_described_and_written_out():
    assert describe(torch.ones(2, 3)) == "a tensor [2, 3]"
    assert describe(torch.ones(2, dtype=torch.long, device="meta")) == "a tensor [2] of int64 on meta"
    assert describe({"x": torch.ones(2)}) == "{'x': a tensor [2]}"
    assert describe(list(range(99))).endswith(" ...")
    assert describe(nn.Linear) == "the class Linear"
    assert describe(...) == "..."
    assert literal(torch.tensor([[1.0, 0.33333333]])) == "[[1, 0.3333]]"
    assert literal(torch.ones(17)) == "a tensor [17]"
    assert literal(({"a": 0.5}, [True], (1,))) == "({'a': 0.5}, [True], (1,))"


def test_copies_hold_the_same_modules_and_other_tensors():
    module, tensor = nn.Linear(2, 2), torch.ones(2, requires_grad=True)
    first, (second, third), fourth = cloned((module, [tensor, 1], {"x": tensor}))
    assert first is module
    assert (third, second is tensor, fourth["x"] is tensor) == (1, False, False)
    second.sum().backward()
    assert tensor.grad.tolist() == [1, 1]


def test_agreement():
    assert agree(0.5, torch.tensor(0.5), 1e-6)
    assert agree({"a": [1.0, "b"]}, {"a": (1.0 + 1e-7, "b")}, 1e-6)
    assert not agree(1, True, 1e-6)
    assert not agree(torch.ones(2), torch.ones(1), 1e-6)
    assert not agree(torch.ones(2), torch.ones(2, device="meta"), 1e-6)
    assert not agree(torch.ones(2), None, 1e-6)
    assert not agree([1], 1, 1e-6)
    assert not agree(1.0, 1.001, 1e-6)


@pytest.mark.parametrize(
    "code, cause",
    [
        ("torch.ones(2, 3) @ torch.ones(2, 3)", "is a transpose (.T) missing?"),
        ("torch.cat([torch.ones(2), torch.ones(2, 2)])", "one of them lacks a dimension"),
        ("torch.cat([torch.ones(2, 2), torch.ones(2, 3)])", "only in the dimension that is joined"),
        ("torch.ones(2) + torch.ones(3)", "two shapes do not fit"),
        ("torch.ones(2).view(3)", "more or fewer numbers than the tensor"),
        ("torch.ones(2)[3]", "beyond the end"),
        ("torch.ones(2)[0, 0]", "fewer dimensions than you index"),
        ("torch.ones(2, requires_grad=True).add_(1)", "build a new tensor"),
        ("None.shape", "returned None: is a return missing?"),
        ("[None][0][0]", "returned None: is a return missing?"),
        ("torch.ones(2)(0)", "square brackets index"),
        ("undefined", "is misspelt, or the cell that makes it has not run yet"),
        ("1 / 0", "can be 0"),
    ],
)
def test_what_python_and_torch_raise_has_a_likely_cause(code, cause):
    with pytest.raises(Exception) as caught:  # noqa: PT011
        eval(code)
    assert cause in cause_of_error(caught.value)


def test_an_unknown_exception_has_none():
    assert cause_of_error(KeyError("x")) == ""
