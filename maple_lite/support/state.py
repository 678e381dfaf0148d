"""The whole state of a module: its parameters, its buffers, and what it keeps in plain attributes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

OWN = frozenset(vars(nn.Module()))  # attributes that every module has


class ModuleState:
    """A module as a checkpoint keeps it. Whatever the module accumulated in a run is there again afterwards.

    Plain attributes are tensors, numbers, texts, None, and lists, tuples and dicts of those.
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = module

    def state_dict(self) -> dict[str, Any]:
        """{"tensors": ..., "buffers": ..., "attributes": ...}, of the module and all its parts."""
        parts = dict(self.module.named_modules())
        buffers = {name: dict(part._buffers) for name, part in parts.items()}  # those outside state_dict(), too
        attributes = {name: plain_attributes(part) for name, part in parts.items()}
        return {"tensors": self.module.state_dict(), "buffers": buffers, "attributes": attributes}

    def load_state_dict(self, state_dict: dict[str, Any], /) -> None:
        """Puts everything back. Parameters stay the same tensors, because an optimiser refers to them."""
        for name, part in self.module.named_modules():
            part._buffers.update(state_dict["buffers"].get(name, {}))
            for attribute, value in state_dict["attributes"].get(name, {}).items():
                setattr(part, attribute, value)
        load_tensors(self.module, state_dict["tensors"])


def load_tensors(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Loads a `state_dict()`; a buffer that is None in `module` takes what the state has for it."""
    for name, part in module.named_modules():
        for buffer, value in part._buffers.items():
            full = f"{name}.{buffer}" if name else buffer
            if value is None and full in tensors:
                part._buffers[buffer] = tensors[full].clone()
    module.load_state_dict(tensors)


def plain_attributes(module: nn.Module) -> dict[str, Any]:
    """The attributes {name: value} of a module, without its parts, that are plain."""
    return {name: value for name, value in vars(module).items() if name not in OWN and is_plain(value)}


def is_plain(value: Any) -> bool:
    """Whether a value is of tensors, numbers, texts and None, alone or in lists, tuples and dicts.

    >>> is_plain({"mean": [0.5, None]}), is_plain(object())
    (True, False)
    """
    if isinstance(value, dict):
        return type(value) is dict and all(map(is_plain, [*value, *value.values()]))
    if isinstance(value, list | tuple):
        return type(value) in (list, tuple) and all(map(is_plain, value))
    return value is None or type(value) in (bool, int, float, complex, str, Tensor, torch.Size)
