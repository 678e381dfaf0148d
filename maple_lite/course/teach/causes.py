"""Guesses at what went wrong, from what was expected and what came."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from maple_lite.course.teach.exercise import Finding
from maple_lite.course.teach.values import agree, as_tensor, describe, literal

RTOL, ATOL = 1e-3, 1e-6  # for guesses
ERRORS: tuple[tuple[type[Exception], str, str], ...] = (  # a kind, words of its message, and what usually makes it
    (NameError, "not associated", "it is used before a line gives it a value"),
    (NameError, "", "a name is misspelt, or the cell that makes it has not run yet"),
    (RuntimeError, "cannot be multiplied", "the inner sizes of a matrix product differ: is a transpose (.T) missing?"),
    (RuntimeError, "same number of dimensions", "one of them lacks a dimension: add it with [None] or .expand(...)"),
    (RuntimeError, "Sizes of tensors must match", "they may differ only in the dimension that is joined: check dim="),
    (RuntimeError, "must match the size", "two shapes do not fit: print both before this line"),
    (RuntimeError, "same device", "a new tensor was made on the CPU: make it with device=x.device"),
    (RuntimeError, "in-place operation", "build a new tensor instead of writing into one that is learned"),
    (
        RuntimeError,
        "does not require grad",
        "the path to what learns is cut: look for .detach() or .data",
    ),
    (RuntimeError, "attn_mask", "the mask is made for 77 tokens: cut it to the length, mask[:length, :length]"),
    (AssertionError, "attn_mask", "the mask is made for 77 tokens: cut it to the length, mask[:length, :length]"),
    (AttributeError, "logit_scale", "the logit scale belongs to CLIP: self.clip.logit_scale"),
    (
        AttributeError,
        "'list' object has no attribute",
        "a list stands where a tensor is wanted: tokenize it",
    ),
    (
        AttributeError,
        "'str' object has no attribute",
        "a text stands where a tensor is wanted: tokenize it",
    ),
    (RuntimeError, "is invalid for input of size", "the new shape holds more or fewer numbers than the tensor"),
    (IndexError, "too many indices", "the tensor has fewer dimensions than you index: print its shape"),
    (IndexError, "", "the index is beyond the end: print the shape, and remember that counting starts at 0"),
    (AttributeError, "NoneType", "something before it returned None: is a return missing?"),
    (TypeError, "NoneType", "something before it returned None: is a return missing?"),
    (TypeError, "not callable", "square brackets index, round ones call: which did you mean?"),
    (ZeroDivisionError, "", "what stands below the line can be 0: treat that case first"),
)


def wanted_type(kind: type | tuple[type, ...], shape: Sequence[int] | None = None, letters: str = "") -> str:
    """What a function must return, in words: "a tensor [C, D] = [3, 32]", or the names of types."""
    if kind is not Tensor:
        kinds = kind if isinstance(kind, tuple) else (kind,)
        return " or ".join(f"{'an' if each.__name__[0] in 'aeiou' else 'a'} {each.__name__}" for each in kinds)
    named = f"[{letters}]" if letters else ""
    sizes = str(list(shape)) if shape is not None else ""
    return f"a tensor {' = '.join(filter(None, [named, sizes]))}".rstrip()


def cause_of_type(came: Any, kind: type | tuple[type, ...]) -> str:
    """Why something else than `kind` came."""
    if came is None:
        return "the function ends without return: did you forget it?"
    if kind is not Tensor and isinstance(came, Tensor):
        return "a tensor is returned: .item() takes the number out of it, .tolist() the numbers"
    if kind is not Tensor:
        return "something else is returned: look at the line with return"
    if isinstance(came, np.ndarray):
        return "stay with torch: a numpy array has no gradient and no device"
    if isinstance(came, tuple):
        return "several things are returned: return the tensor alone (a comma at the end of a line makes a tuple)"
    if isinstance(came, list):
        return "a list is returned: torch.stack or torch.cat makes one tensor of its entries"
    return "a function is returned: call it" if inspect.isroutine(came) else "return the tensor itself"


def cause_of_shape(wanted: Sequence[int], came: Sequence[int]) -> str:
    """Why a tensor has the shape `came` and not `wanted`."""
    wanted, came = tuple(wanted), tuple(came)
    if not came:
        return "all dimensions were summed or averaged away: say over which one, with dim="
    if sorted(wanted) == sorted(came):
        return "the right sizes in the wrong order: is a transpose missing, or one too many?"
    if [size for size in wanted if size != 1] == [size for size in came if size != 1]:
        more = len(came) - len(wanted)
        what = "too many: squeeze it, or leave out keepdim" if more > 0 else "missing: use [:, None] or keepdim=True"
        return f"a dimension of size 1 is {what}"
    if len(wanted) == len(came):
        place = next(i for i, pair in enumerate(zip(wanted, came, strict=True)) if pair[0] != pair[1])
        gap = came[place] - wanted[place]
        return f"dimension {place} is {came[place]}, {abs(gap)} {'more' if gap > 0 else 'fewer'} than it should be"
    more = len(came) - len(wanted)
    count = f"{abs(more)} dimension{'s' * (abs(more) > 1)} too {'many' if more > 0 else 'few'}"
    return f"{count}: print the shape after every line"


def mismatch(expected: Any, came: Any, cause: str = "", because: str = "", atol: float = 1e-5) -> Finding:
    """The Finding of a value that came instead of another: written out where small, with `cause` or a guess at it.

    What came is its evidence. Numbers of it agree with those of a known mistake to `atol`.
    """
    wanted, got = literal(expected), literal(came)
    if wanted == got:  # large tensors by their shapes
        wanted, got = _where_most(expected, came)
    because = f", because {because}" if because else ""
    return Finding(wanted + because, got, cause or _guess(expected, came), came, atol)


def cause_of_error(error: Exception) -> str:
    """What usually makes an exception like this one; "" for one that is not known."""
    message = str(error)
    found = (cause for kind, words, cause in ERRORS if isinstance(error, kind) and words in message)
    return next(found, "")


def _guess(expected: Any, came: Any) -> str:
    """A likely cause where none of the known ones fits: by type, by shape, or where the values differ."""
    wanted, got = as_tensor(expected), as_tensor(came)
    if wanted is None or got is None:
        return _guess_of_entries(expected, came)
    if wanted.shape != got.shape:
        return cause_of_shape(wanted.shape, got.shape)
    if not wanted.numel():
        return "nothing is left in it"
    if not got.isfinite().all() and wanted.isfinite().all():
        return "yours holds NaN or infinity: look for a division by zero, or a logarithm of it"
    return _pattern(wanted, got)


def _guess_of_entries(expected: Any, came: Any) -> str:
    """Where two lists, dicts or texts differ first."""
    lists = isinstance(expected, list | tuple) and isinstance(came, list | tuple)
    if not lists:
        alike = isinstance(came, type(expected))
        return "compare the two, letter by letter" if alike else cause_of_type(came, type(expected))
    if len(expected) != len(came):
        return f"yours has {len(came)} entries, {len(expected)} are expected"
    place = next((i for i, pair in enumerate(zip(expected, came, strict=True)) if not agree(*pair, 1e-5)), 0)
    return f"entry {place} is {literal(came[place])} where {literal(expected[place])} is expected"


def _where_most(expected: Any, came: Any) -> tuple[str, str]:
    """Two tensors of one shape in words, each with its number where they differ most."""
    wanted, got = as_tensor(expected), as_tensor(came)
    if wanted is None or got is None or wanted.shape != got.shape or not wanted.numel():
        return literal(expected), literal(came)
    place = [int(i) for i in torch.unravel_index((wanted - got).abs().nan_to_num(torch.inf).argmax(), wanted.shape)]
    pairs = ((expected, wanted), (came, got))
    first, second = (f"{describe(value)} with {numbers[tuple(place)]:.4g} at {place}" for value, numbers in pairs)
    return first, second


def _pattern(wanted: Tensor, got: Tensor) -> str:
    """What a difference looks like: a transpose, a factor, an offset, or some places only."""
    if wanted.ndim == 2 and wanted.shape[0] == wanted.shape[1] and _near(got, wanted.T).all():
        return "yours is the transpose of it"
    factor = float((got * wanted).sum() / (wanted * wanted).sum()) if wanted.any() else 0.0
    if abs(factor) > ATOL and _near(got, factor * wanted).all():
        return f"yours is {factor:.4g} times what is expected"
    offset = (got - wanted).mean()
    if wanted.numel() > 1 and _near(got - wanted, offset.expand_as(got)).all():
        return f"yours is {float(offset):+.4g} off everywhere"
    wrong = ~_near(got, wanted)  # [...]
    if wrong.all() or not wrong.any():
        return "no number is right: go through the steps from the first, with shapes and a few numbers of each"
    rows = [_rows(wrong.movedim(dim, -1).reshape(-1, size).any(0), dim) for dim, size in enumerate(wrong.shape)]
    places = " and ".join(filter(None, rows))
    return f"{int(wrong.sum())} of {wrong.numel()} numbers are wrong{', all of them at ' if places else ''}{places}"


def _rows(wrong: Tensor, dim: int) -> str:
    """Which indices of a dimension are wrong, by a mask [size]; "" for all."""
    indices = wrong.nonzero().flatten().tolist()
    if len(indices) == len(wrong):
        return ""
    run = indices == list(range(indices[0], indices[-1] + 1)) and len(indices) > 2
    named = f"{indices[0]} to {indices[-1]}" if run else ", ".join(map(str, indices[:6])) + ", ..." * (len(indices) > 6)
    return f"{named} of dimension {dim}"


def _near(first: Tensor, second: Tensor) -> Tensor:
    return torch.isclose(first, second, rtol=RTOL, atol=ATOL)
