"""Values in words, copies of them, and whether two agree: what checks need of tensors and other values."""

from __future__ import annotations

from numbers import Real
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor

SHOWN = 16  # numbers at most that are written out
LONGEST = 80  # characters of a text or a list that is written out
RELATIVE = 1e-4  # of the expected value: float32 in another order of summing stays far below
PLAIN = (str, bytes, Real, list, tuple, dict, set, range, type(None))


def describe(value: Any) -> str:
    """A value in a few words: a tensor by its shape, a short value as it is written, another by its type.

    >>> describe(torch.ones(3, 9)), describe([torch.ones(2), torch.ones(2)]), describe(None)
    ('a tensor [3, 9]', 'a list of 2: a tensor [2], ...', 'None')
    """
    if isinstance(value, Tensor):
        kind = "" if value.dtype == torch.float32 else f" of {str(value.dtype).removeprefix('torch.')}"
        place = "" if value.device.type == "cpu" else f" on {value.device}"
        return f"a tensor {list(value.shape)}{kind}{place}"
    if isinstance(value, np.ndarray):
        return f"a numpy array {list(value.shape)}"
    if not isinstance(value, PLAIN):
        return _by_type(value)
    if isinstance(value, list | tuple | set) and value and _holds_objects(value):
        rest = ", ..." if len(value) > 1 else ""
        return f"a {type(value).__name__} of {len(value)}: {describe(next(iter(value)))}{rest}"
    if isinstance(value, dict) and _holds_objects(value):
        return "{" + ", ".join(f"{key!r}: {describe(entry)}" for key, entry in value.items()) + "}"
    return _short(literal(value))


def literal(value: Any) -> str:
    """A value as it would be written, numbers to four digits; a tensor of more than 16 numbers by its shape.

    >>> literal(torch.tensor([0.6, 0.8]))
    '[0.6, 0.8]'
    """
    if isinstance(value, Tensor | np.ndarray):
        numbers = as_tensor(value)
        return describe(value) if numbers is None or numbers.numel() > SHOWN else literal(value.tolist())
    if isinstance(value, float | np.floating):
        return f"{float(value):.4g}"
    if isinstance(value, list):
        return f"[{', '.join(map(literal, value))}]"
    if isinstance(value, tuple):
        return f"({', '.join(map(literal, value))}{',' * (len(value) == 1)})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {literal(entry)}" for key, entry in value.items()) + "}"
    return repr(value) if isinstance(value, PLAIN) else describe(value)


def cloned(value: Any) -> Any:
    """A value with its tensors copied, in lists, tuples and dicts too; gradients still flow to the originals.

    A SimpleNamespace, which stands for a small object, is copied with its values. Modules and other objects stay the
    same objects.
    """
    if isinstance(value, SimpleNamespace):
        return type(value)(**{name: cloned(entry) for name, entry in vars(value).items()})
    if isinstance(value, Tensor):
        return value.clone()
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(cloned, value))
    if type(value) in (list, tuple):
        return type(value)(map(cloned, value))
    return {key: cloned(entry) for key, entry in value.items()} if type(value) is dict else value


def agree(expected: Any, came: Any, atol: float, rtol: float = RELATIVE) -> bool:
    """Whether two values are the same: numbers and tensors to `atol` (and `rtol` of the expected), the rest equal.

    A list of numbers agrees with a tensor of the same, a tuple or a range with a list, and a number with one of numpy's
    or a tensor of one number; a truth value is no number.
    """
    expected, came = plain(expected), plain(came)
    if isinstance(expected, list | tuple) and isinstance(came, list | tuple):
        return len(expected) == len(came) and all(agree(*pair, atol, rtol) for pair in zip(expected, came, strict=True))
    if isinstance(expected, SimpleNamespace) and isinstance(came, SimpleNamespace):
        expected, came = vars(expected), vars(came)
    if isinstance(expected, dict) and isinstance(came, dict):
        return expected.keys() == came.keys() and all(agree(expected[key], came[key], atol, rtol) for key in expected)
    if any(isinstance(value, Tensor | np.ndarray) or is_number(value) for value in (expected, came)):
        wanted, got = as_tensor(expected), as_tensor(came)
        truths = isinstance(expected, bool) + isinstance(came, bool)
        if wanted is None or got is None or (truths == 1 and (is_number(expected) or is_number(came))):
            return False
        return wanted.shape == got.shape and torch.allclose(got, wanted, rtol=rtol, atol=atol, equal_nan=True)
    return bool(expected == came)


def plain(value: Any) -> Any:
    """A scalar of numpy or torch as Python's own, a range as a list; another value as it is.

    >>> plain(np.True_), plain(torch.tensor(2.5)), plain(range(3))
    (True, 2.5, [0, 1, 2])
    """
    if isinstance(value, np.generic) or (isinstance(value, Tensor | np.ndarray) and value.ndim == 0):
        return value.item() if not isinstance(value, Tensor) or value.device.type != "meta" else value
    return list(value) if isinstance(value, range) else value


def is_number(value: Any) -> bool:
    """Whether a value is a plain number, and not a truth value."""
    return isinstance(value, Real) and not isinstance(value, bool)


def as_tensor(value: Any) -> Tensor | None:
    """A value as a tensor of float64 on the CPU; None for what holds no numbers."""
    try:
        return torch.as_tensor(value).detach().to("cpu", torch.float64)
    except (TypeError, ValueError, RuntimeError, NotImplementedError):  # words, ragged lists, the meta device
        return None


def _holds_objects(value: Any) -> bool:
    """Whether a container holds what cannot be written out, such as tensors."""
    entries = value.values() if isinstance(value, dict) else value
    containers = (list, tuple, set, dict)
    return any(
        _holds_objects(entry) if isinstance(entry, containers) else not isinstance(entry, PLAIN) for entry in entries
    )


def _by_type(value: Any) -> str:
    """An object by the name of its type, functions and classes by their own."""
    if value is Ellipsis:
        return "..."
    if callable(value) and hasattr(value, "__name__"):
        return f"the {'class' if isinstance(value, type) else 'function'} {value.__name__}"
    name = type(value).__name__
    return f"{'an' if name[0] in 'AEIOUaeiou' else 'a'} {name}"


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 4] + " ..."
