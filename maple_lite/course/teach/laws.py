"""Laws that hold for every right function, whatever the exercise: every check watches each of its calls for them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from maple_lite.course.teach.exercise import Finding
from maple_lite.course.teach.values import agree, cloned, describe
from maple_lite.support.seeds import seeded

INPUTS, MODULES, MODE, RANDOM, AGAIN = LAWS = ("inputs", "modules", "mode", "random numbers", "again")
"""What a call leaves as it was: its inputs, the modules in them, torch's and their mode, the random numbers that others
draw; and that a second call gives the same. An exercise names the laws that do not hold for it."""

CHANGED_MODULES = "modules as they were before the call"
REPEATED = 3  # calls of a check that are made twice
FRAMES = (pd.DataFrame, pd.Series)
COMPARED = (Tensor, np.ndarray, np.generic, list, tuple, dict, set, bool, int, float, str, *FRAMES)


class Before:
    """What there was before a call: `breach` says which law the call broke."""

    def __init__(self, named: Mapping[str, Any]) -> None:
        self.named = dict(named)
        self.values = {name: _copy(value) for name, value in named.items()}
        self.asking = {name: [tensor.requires_grad for tensor in _tensors(value)] for name, value in named.items()}
        self.modules = {name: [Snapshot(module) for module in _modules(value)] for name, value in named.items()}
        self.modes = {name: [_mode(module) for module in _modules(value)] for name, value in named.items()}
        self.torch = _torch_mode()
        self.drawn = random_states()

    def breach(self, exempt: Sequence[str] = ()) -> Finding | None:
        """The first law that was broken since, as a Finding; None if all hold."""
        tests = {INPUTS: self._inputs, MODULES: self._modules, MODE: self._mode, RANDOM: self._random}
        found = (test() for law, test in tests.items() if law not in exempt)
        return next((finding for finding in found if finding), None)

    def _inputs(self) -> Finding | None:
        for name, value in self.named.items():
            if not _same(self.values[name], value):
                copy = "build a new tensor" if isinstance(value, Tensor) else "work on a copy of it"
                cause = f"a line writes into its input ([...] = ..., +=, a method ending in _): {copy}"
                return Finding("inputs as they were before the call", f"{name} was changed", cause)
            if self.asking[name] != [tensor.requires_grad for tensor in _tensors(value)]:
                cause = "a line calls requires_grad_ on its input, or sets requires_grad: detach a copy if you need one"
                return Finding("inputs that ask for gradients as before", f"{name} asks otherwise", cause)
        return None

    def _modules(self) -> Finding | None:
        for name, snapshots in self.modules.items():
            changed = next(filter(None, (snapshot.changed() for snapshot in snapshots)), "")
            if changed:
                cause = (
                    f"a line writes into {name}, or gives it another {changed}: work on copies, and leave it as it is"
                )
                return Finding(CHANGED_MODULES, f"{name} was changed: its {changed}", cause)
        return None

    def _mode(self) -> Finding | None:
        for name, value in self.named.items():
            if self.modes[name] != [_mode(module) for module in _modules(value)]:
                cause = "a line calls .train() or .eval(): put the mode back before you return"
                return Finding("modules in the mode that they were in", f"{name} is in another mode", cause)
        if self.torch != _torch_mode():
            cause = "a line switches gradients or the default type for everybody: use `with torch.no_grad():`"
            return Finding("torch in the mode that it was in", "another mode for all code that follows", cause)
        return None

    def _random(self) -> Finding | None:
        changed = [name for name, state in random_states().items() if state != self.drawn[name]]
        if changed:
            came = f"{changed[0]}'s random numbers go on elsewhere"
            cause = "a line draws from the global generator, or seeds it: take a generator of your own"
            return Finding("random numbers of others as if nothing had been drawn", came, cause)
        return None


HELD = ("_parameters", "_buffers", "_modules")  # where a module keeps what it is made of


class Snapshot:
    """A module as it is: its parts, parameters and buffers; `restore` puts all of it back."""

    def __init__(self, module: nn.Module) -> None:
        self.parts = [
            (name, part, {held: dict(part.__dict__[held]) for held in HELD}) for name, part in module.named_modules()
        ]
        named = [*module.named_parameters(), *module.named_buffers()]
        self.tensors = [(name, tensor, tensor.detach().clone(), tensor.requires_grad) for name, tensor in named]

    def changed(self) -> str:
        """The name of what is not as it was; "" if nothing has changed."""
        for name, part, before in self.parts:
            for held in HELD:
                now = part.__dict__[held]
                for key in {*now, *before[held]}:
                    if now.get(key) is not before[held].get(key):
                        return f"{name}.{key}".lstrip(".")
        for name, tensor, numbers, asked in self.tensors:
            if tensor.requires_grad != asked or not _are_equal(tensor, numbers):
                return name
        return ""

    @torch.no_grad()
    def restore(self) -> None:
        """Puts everything back that has changed."""
        for _, part, before in self.parts:
            for held in HELD:
                part.__dict__[held].clear()
                part.__dict__[held].update(before[held])
        for _, tensor, numbers, asked in self.tensors:
            tensor.requires_grad_(asked)
            if not _are_equal(tensor, numbers):
                tensor.data = numbers.clone()


def _are_equal(tensor: Tensor, before: Tensor) -> bool:
    return tensor.shape == before.shape and tensor.dtype == before.dtype and torch.equal(tensor.detach(), before)


class KeptModules:
    """Modules as they were when they were first met; `restore` puts them back."""

    def __init__(self) -> None:
        self.snapshots: dict[int, Snapshot] = {}

    def remember(self, named: Mapping[str, Any]) -> None:
        """Notes how the modules among some arguments are, those that are met for the first time."""
        for module in (module for value in named.values() for module in _modules(value)):
            if id(module) not in self.snapshots:
                self.snapshots[id(module)] = Snapshot(module)

    def restore(self) -> None:
        """Puts all of them back, and forgets them."""
        for snapshot in self.snapshots.values():
            snapshot.restore()
        self.snapshots.clear()


@contextmanager
def modules_kept(named: Mapping[str, Any]) -> Iterator[None]:
    """A block after which the modules among some arguments are as they were, whatever it did to them."""
    snapshots = [Snapshot(module) for value in named.values() for module in _modules(value)]
    try:
        yield
    finally:
        for snapshot in snapshots:
            snapshot.restore()


def is_used_up(value: Any) -> bool:
    """Whether a value can be gone through only once, so that a call with it cannot be made again."""
    return any(isinstance(each, Iterator) for each in _walk(value))


def repeat_breach(call: Callable[[], Any]) -> Finding | None:
    """The finding on two equal calls that give different things; None if they give the same."""
    came = call()
    if not isinstance(came, COMPARED):
        return None
    again = call()
    if came.equals(again) if isinstance(came, FRAMES) else agree(came, again, 1e-5):
        return None
    cause = "the function remembers its last call: look for a list or dict as a default argument, or a global variable"
    return Finding("the same for a second call with the same inputs", f"{describe(again)} with other values", cause)


def same_result(
    first: Callable[..., Any],
    second: Callable[..., Any],
    arguments: Sequence[Any],
    named: Mapping[str, Any],
    *,
    keeps: bool = True,
) -> bool:
    """Whether two functions return the same for copies of some arguments, or raise the same error.

    Modules among the arguments are put back after each if `keeps` says so.
    """
    given = {f"{place}": value for place, value in enumerate(arguments)} | dict(named) if keeps else {}
    found = []
    for function in (first, second):
        with modules_kept(given):
            found.append(_outcome_of(function, arguments, named))
    one, other = found
    if isinstance(one, Exception) or isinstance(other, Exception):
        return type(one) is type(other) and str(one) == str(other)
    if not isinstance(one, COMPARED):
        return describe(one) == describe(other)
    return one.equals(other) if isinstance(one, FRAMES) else agree(one, other, 1e-5)


def _outcome_of(function: Callable[..., Any], arguments: Sequence[Any], named: Mapping[str, Any]) -> Any:
    """What a function returns for copies of some arguments, or the error that it raises."""
    with seeded(0):
        try:
            return function(*map(cloned, arguments), **cloned(dict(named)))
        except Exception as error:
            return error


def random_states() -> dict[str, bytes]:
    """The states of the global generators of torch, numpy and Python."""
    numpy: Any = np.random.get_state()
    return {
        "torch": torch.get_rng_state().numpy().tobytes(),
        "numpy": np.asarray(numpy[1]).tobytes() + str(numpy[2:]).encode(),
        "Python": str(random.getstate()).encode(),
    }


def _copy(value: Any) -> Any:
    return value.copy() if isinstance(value, FRAMES) else cloned(value)


def _same(before: Any, now: Any) -> bool:
    return before.equals(now) if isinstance(before, FRAMES) else agree(before, now, 0, 0)


def _torch_mode() -> tuple[bool, bool, torch.dtype]:
    return torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.get_default_dtype()


def _walk(value: Any) -> Iterator[Any]:
    """A value and, where it is a list, tuple or dict, all that it holds."""
    yield value
    held = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    for each in held:
        yield from _walk(each)


def _tensors(value: Any) -> list[Tensor]:
    return [each for each in _walk(value) if isinstance(each, Tensor)]


def _modules(value: Any) -> list[nn.Module]:
    return [each for each in _walk(value) if isinstance(each, nn.Module)]


def _mode(module: nn.Module) -> list[bool]:
    return [part.training for part in module.modules()]
