"""Builders of facets: what a check can look at, and what it says where a submission is wrong.

Every facet calls the submission on copies of its arguments. A facet of a method passes the object as the first
argument. Inputs are made with a generator that is seeded, and small.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from maple_lite.course.teach.cases import Case, Make, size_of
from maple_lite.course.teach.causes import cause_of_shape, cause_of_type, mismatch, wanted_type
from maple_lite.course.teach.exercise import Facet, Finding
from maple_lite.course.teach.values import agree, cloned, describe, is_number, literal, plain

Function = Callable[..., Any]
SIZES = "other sizes"
FACTORS = {  # of the right number
    100: "100 times too large: is it in percent, where a share is asked for?",
    0.01: "100 times too small: is it a share, where percent are asked for?",
    -1: "the sign is wrong: is a difference taken the other way round?",
}


def call(fn: Function, arguments: Sequence[Any]) -> Any:
    """What a submission returns for copies of `arguments`; Finding if it returns None. For tests of one's own."""
    came = fn(*map(cloned, arguments))
    if came is None:
        raise Finding("a return value", "None", cause_of_type(None, Tensor))
    return came


def returns(
    arguments: Sequence[Any],
    shape: Sequence[int] | None = None,
    dtype: torch.dtype | None = None,
    kind: type | tuple[type, ...] = Tensor,
    *,
    letters: str = "",
    name: str = "type and shape",
) -> Facet:
    """What `fn(*arguments)` returns is of `kind`; a tensor has `shape` and `dtype`, on the device of the arguments.

    `letters` name the dimensions in messages ("B, C").

    >>> words, prompt = torch.zeros(3, 9, 48), torch.zeros(4, 48)
    >>> returns((words, prompt), (3, 9, 48), letters="C, L, d")
    """

    def test(fn: Function) -> None:
        came, wanted = fn(*map(cloned, arguments)), wanted_type(kind, shape, letters)
        if not isinstance(came, kind):
            raise Finding(wanted, describe(came), cause_of_type(came, kind), describe(came))
        if not isinstance(came, Tensor):
            return
        if shape is not None and came.shape != torch.Size(shape):
            raise Finding(wanted, describe(came), cause_of_shape(shape, came.shape), tuple(came.shape))
        if dtype is not None and came.dtype != dtype:
            cause = "convert nothing: keep the type of the inputs, and check for .long(), .double() or comparisons"
            raise Finding(f"a tensor of {dtype}", f"one of {came.dtype}", cause, str(came.dtype))
        devices = {value.device for value in arguments if isinstance(value, Tensor)}
        if len(devices) == 1 and came.device not in devices:
            cause = "make new tensors beside the inputs, with device=x.device"
            raise Finding(f"a tensor on {devices.pop()}, where the inputs are", f"one on {came.device}", cause)

    return Facet(name, test)


def equals(
    arguments: Sequence[Any],
    reference: Function,
    atol: float = 1e-5,
    *,
    name: str = "the same values as the reference",
) -> Facet:
    """`fn(*arguments)` is what `reference(*arguments)` is.

    >>> numbers = torch.tensor([3.0, 4.0])
    >>> equals((numbers,), torch.Tensor.norm)
    """

    wanted = cache(lambda: reference(*map(cloned, arguments)))

    def test(fn: Function) -> None:
        came = call(fn, arguments)
        if not agree(wanted(), came, atol):
            raise mismatch(wanted(), came, atol=atol)

    return Facet(name, test)


def any_size(make: Make, reference: Function, atol: float = 1e-5, *, cases: int = 10, name: str = SIZES) -> Facet:
    """`fn` is `reference` for arguments of all sizes: `make(case)` makes those of a `Case`, small ones are tried first.

    A tensor that comes has the dtype of the reference's, which follows that of the inputs. Where several cases fail,
    the message shows the smallest.

    >>> any_size(lambda case: (case.normal(*case.sizes(2)),), lambda x: x.softmax(dim=-1))
    """

    @cache
    def drawn() -> list[tuple[Sequence[Any], Any]]:
        made = sorted((make(Case(number)) for number in range(cases)), key=size_of)
        return [(arguments, reference(*map(cloned, arguments))) for arguments in made]

    def test(fn: Function) -> None:
        found = [_outcome(fn, arguments) for arguments, _ in drawn()]
        for came, (arguments, wanted) in zip(found, drawn(), strict=True):
            finding = came if isinstance(came, Exception) else _difference(wanted, came, atol, arguments)
            if finding is None:
                continue
            _outcome(fn, arguments)  # once more, so that the verdict shows these arguments
            if isinstance(finding, Finding):
                finding.evidence = [repr(each) if isinstance(each, Exception) else each for each in found]
                finding.atol = atol
            raise finding

    return Facet(name, test)


def _outcome(fn: Function, arguments: Sequence[Any]) -> Any:
    """What a submission returns for copies of some arguments, or the error that it raises."""
    try:
        return call(fn, arguments)
    except Exception as error:
        return error


def _difference(wanted: Any, came: Any, atol: float, arguments: Sequence[Any]) -> Finding | None:
    """The finding on what came in place of what was wanted; None if they agree.

    Where no argument holds floating point numbers, any floating point type is right.
    """
    if not agree(wanted, came, atol):
        return mismatch(wanted, came, atol=atol)
    if not isinstance(wanted, Tensor) or not isinstance(came, Tensor):
        return None
    follows = any(isinstance(value, Tensor) and value.is_floating_point() for value in arguments)
    if wanted.dtype != came.dtype and (follows or wanted.is_floating_point() != came.is_floating_point()):
        cause = "keep the type of the inputs: make new tensors with dtype=x.dtype, and convert nothing"
        return Finding(f"a tensor of {wanted.dtype}", f"one of {came.dtype}", cause)
    return None


def by_hand(
    arguments: Sequence[Any],
    expected: Any,
    because: str = "",
    *,
    atol: float = 1e-5,
    name: str = "a case by hand",
) -> Facet:
    """`fn(*arguments)` is `expected`, which is so small that the message writes it out.

    `because` says why, to be read after "expected: [0.5, 0.5], because".

    >>> by_hand((80.0, 40.0), 53.333, "2 * 80 * 40 / (80 + 40) = 53.33", atol=0.01)
    """

    def test(fn: Function) -> None:
        came = call(fn, arguments)
        if not agree(expected, came, atol):
            raise mismatch(expected, came, because=because, atol=atol)

    return Facet(name, test)


def gradient(
    call: Callable[[Function], tuple[Tensor, Mapping[str, Tensor | Iterable[Tensor]]]],
    reaches: Sequence[str] = (),
    spares: Sequence[str] = (),
    *,
    name: str = "gradients",
) -> Facet:
    """The gradient of what the submission makes reaches some tensors, all of each name, and spares others.

    `call(fn)` returns the output, and tensors (or several each, such as parameters) by the names that messages show.

    >>> gradient(lambda fn: (fn(x, ctx), {"ctx": ctx, "the embeddings": x}), reaches=["ctx"])
    """

    def test(fn: Function) -> None:
        output, named = call(fn)
        groups = {key: [value] if isinstance(value, Tensor) else list(value) for key, value in named.items()}
        has = dict(zip(groups, _reached(output, list(groups.values())), strict=True))
        both = [f"a gradient for {' and '.join(reaches)}"] * bool(reaches)
        expected = " and ".join(both + [f"none for {' and '.join(spares)}"] * bool(spares))
        cut = "the path is cut: look for .detach(), .data, .item(), torch.tensor(...) or torch.no_grad()"
        leak = "this must stay frozen: look for requires_grad, or for a tensor that should be a constant"
        for key in reaches:
            if not all(has[key]):
                none = "no gradient" if not any(has[key]) else "a gradient for some parts only"
                raise Finding(expected, f"{none} for {key}", cut, (none, key))
        for key in spares:
            if any(has[key]):
                raise Finding(expected, f"a gradient for {key}", leak, ("a gradient", key))

    return Facet(name, test)


def invariant(name: str, test: Callable[[Function], bool | str], *, expected: str = "", cause: str = "") -> Facet:
    """A law: `test(fn)` is True where it holds, and False, or a sentence on what came, where it is broken.

    `expected` says the law in words (its name by default), `cause` what usually breaks it.

    >>> numbers = torch.tensor([3.0, 4.0])
    >>> law = lambda fn: torch.equal(fn(numbers.flip(0)), fn(numbers).flip(0))
    >>> invariant("order does not matter", law, expected="flipped numbers give flipped results")
    """

    def check(fn: Function) -> None:
        outcome = plain(test(fn))
        if outcome is not True:
            came = outcome if isinstance(outcome, str) else "your function breaks this law"
            raise Finding(
                expected or name, came, cause or "try two small inputs and compare what your function returns"
            )

    return Facet(name, check)


def unchanged(arguments: Sequence[Any], *, name: str = "inputs stay as they are") -> Facet:
    """The submission changes none of its arguments in place."""

    def test(fn: Function) -> None:
        given = list(map(cloned, arguments))
        getattr(fn, "on_originals", fn)(*given)
        for name, before, after in zip(_names(fn, len(given)), arguments, given, strict=True):
            if not agree(before, after, 0):
                cause = "a line writes into its input ([...] = ..., +=, a method ending in _): build a new tensor"
                raise Finding("inputs as they were before the call", f"{name} was changed", cause)

    return Facet(name, test)


def choice(right: Any, others: Iterable[Any], *, name: str = "the answer") -> Facet:
    """For exercises of choice: the submission is `right`, and none of `others`.

    Why each of the others is wrong, the exercise's table of mistakes says.

    >>> choice("novel", ["base", "both"])
    """
    others = list(others)

    def test(answer: Any) -> None:
        said = _plain(answer)
        if said == _plain(right):
            return
        if said in map(_plain, others):
            raise Finding("another choice", describe(answer), "compare it with the other choices", said)
        options = ", ".join(map(literal, sorted([right, *others], key=str)))
        raise Finding(f"one of {options}", describe(answer), "this is none of the choices: copy one as it stands there")

    return Facet(name, test)


def number(right: float, atol: float, *, name: str = "the number") -> Facet:
    """For exercises with a number: the submission is within `atol` of `right`.

    What makes wrong numbers, the exercise's table of mistakes says: a known one is recognised to `atol`,
    and to 2% of it, so that small ones are told apart.

    >>> number(53.33, 0.05)
    """

    def test(answer: Any) -> None:
        value = answer.item() if isinstance(answer, Tensor) and answer.numel() == 1 else plain(answer)
        if not is_number(value) or math.isnan(value):
            raise Finding("a number", describe(answer), "write digits, without quotes, units or brackets")
        value = value if isinstance(value, int | float) else float(value)
        if agree(right, value, atol):
            return
        side = "smaller" if value > right else "larger"
        near = [cause for factor, cause in FACTORS.items() if agree(right * factor, value, atol * abs(factor))]
        steps = f"this is too {'large' if value > right else 'small'}: go through the steps once more"
        raise Finding(
            f"a {side} number", literal(value), near[0] if near else steps, value, min(atol, abs(value) / 50), 0.0
        )

    return Facet(name, test)


def _reached(output: Tensor, groups: Sequence[Sequence[Tensor]]) -> list[list[bool]]:
    """Whether each tensor of each group gets a gradient, other than zero, from a mixed sum of the output."""
    asking = [tensor for group in groups for tensor in group if tensor.requires_grad]
    reached: set[int] = set()
    if isinstance(output, Tensor) and output.requires_grad and asking:
        weights = torch.arange(1.0, 1 + output.numel(), device=output.device).cos()  # a plain sum may be constant
        gradients = torch.autograd.grad((output.flatten() * weights).sum(), asking, allow_unused=True)
        pairs = zip(asking, gradients, strict=True)
        reached = {id(tensor) for tensor, gradient in pairs if gradient is not None and gradient.any()}
    return [[id(tensor) in reached for tensor in group] for group in groups]


def _plain(answer: Any) -> Any:
    """An answer for comparing: texts without case, lists as tuples, truth values apart from 0 and 1."""
    answer = answer.tolist() if isinstance(answer, Tensor | np.ndarray) else plain(answer)
    if isinstance(answer, list | tuple):
        return tuple(map(_plain, answer))
    return answer.strip().lower() if isinstance(answer, str) else repr(answer) if isinstance(answer, bool) else answer


def _names(fn: Function, count: int) -> list[str]:
    """The names of the first parameters of a function, or their places."""
    parameters = inspect.signature(fn).parameters.values()
    names = [each.name for each in parameters if each.kind is not inspect.Parameter.VAR_POSITIONAL]
    return names[:count] + [f"argument {place}" for place in range(len(names) + 1, count + 1)]
