"""A device "strict" without hardware: CPU tensors in disguise that refuse the company of others, as a GPU's do.

A tensor that was forgotten on the CPU raises here as it does on CUDA, so that a machine without a GPU finds it; the
numbers are those of the CPU. Register it in a process of its own: torch keeps the device until the process ends.
Only float32: torch knows no autocast for such a device.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as trees
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

NAME = "strict"
aten = torch.ops.aten
BETWEEN_DEVICES = {aten.copy_.default, aten._to_copy.default}
FROM_LISTS = {torch.tensor, torch.as_tensor, torch.asarray, torch.from_numpy}


def register() -> None:
    """Tell torch of the device, before this process's first backward pass."""
    _setup_privateuseone_for_python_backend(NAME)
    torch.strict.get_amp_supported_dtype = lambda: [torch.bfloat16]
    torch.__future__.set_swap_module_params_on_conversion(True)  # a module's .to() exchanges CPU tensors for others


@contextmanager
def watching() -> Iterator[None]:
    """A block in which `device="strict"` works, in this thread and its backward passes."""
    with _Operations(), _Functions():
        yield


class StrictTensor(Tensor):
    """A tensor that says it is on the device "strict"; its numbers are in `inner`, on the CPU."""

    inner: Tensor

    @staticmethod
    def __new__(cls, inner: Tensor) -> StrictTensor:
        like = {"dtype": inner.dtype, "strides": inner.stride(), "storage_offset": inner.storage_offset()}
        disguised = Tensor._make_wrapper_subclass(cls, inner.size(), **like, device=f"{NAME}:0")
        disguised.inner = inner
        return disguised

    @classmethod
    def __torch_dispatch__(
        cls, operation: Callable, types: Sequence[type], args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        return _run(operation, args, kwargs or {})

    def numpy(self, *args: Any, **kwargs: Any) -> np.ndarray:
        raise TypeError(f"a tensor on {NAME} is no array: call .cpu() first.")

    __array__ = numpy

    def untyped_storage(self) -> torch.UntypedStorage:
        return self.detach().inner.untyped_storage()

    def tolist(self) -> Any:
        return self.detach().inner.tolist()

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if self.dim() == 0 else repr(self)

    def __repr__(self) -> str:
        return f"{self.detach().inner}, on {NAME}"

    def __getitem__(self, index: Any) -> Tensor:
        return super().__getitem__(_moved_index(index))

    def __setitem__(self, index: Any, values: Any) -> None:
        super().__setitem__(_moved_index(index), values)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if id(self) not in memo:
            copy = StrictTensor(self.detach().inner.clone())
            learnable = self.requires_grad
            whole = torch.nn.Parameter(copy, learnable) if isinstance(self, torch.nn.Parameter) else copy
            memo[id(self)] = whole.requires_grad_(learnable)
        return memo[id(self)]

    def __reduce_ex__(self, protocol: int) -> Any:
        return self.detach().inner.__reduce_ex__(protocol)  # files are read back with map_location="cpu"


class _Operations(TorchDispatchMode):
    """Sees every operation, also those that make a tensor of nothing."""

    def __torch_dispatch__(
        self, operation: Callable, types: Sequence[type], args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        return _run(operation, args, kwargs or {})


class _Functions(TorchFunctionMode):
    """Tensors of lists and arrays are made on the CPU and moved: torch makes them below its operations."""

    def __torch_function__(
        self, function: Callable, types: Sequence[type], args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if function not in FROM_LISTS or not _is_strict(kwargs.get("device")):
            return function(*args, **kwargs)
        del kwargs["device"]
        learnable = kwargs.pop("requires_grad", False)
        return function(*args, **kwargs).to(NAME).requires_grad_(learnable)


def _run(operation: Callable, args: tuple, kwargs: dict[str, Any]) -> Any:
    """What an operation makes of its inputs' numbers, on the device of its inputs or on the one asked for.

    RuntimeError where both devices meet (numbers without dimension may), or a CPU generator draws on the other device.
    """
    device = kwargs.get("device")
    tensors = [leaf for leaf in trees.arg_tree_leaves(*args, **kwargs) if isinstance(leaf, Tensor)]
    strict = any(isinstance(tensor, StrictTensor) for tensor in tensors)
    foreign = any(tensor.dim() > 0 for tensor in tensors if not isinstance(tensor, StrictTensor))
    if strict and foreign and operation not in BETWEEN_DEVICES:
        raise RuntimeError(f"{operation}: all tensors must be on the same device, found {NAME}:0 and cpu.")
    if kwargs.get("generator") is not None and (strict or _is_strict(device)):
        raise RuntimeError(f"{operation}: the generator is on the CPU, the numbers are wanted on {NAME}.")
    inner = {**kwargs, "device": torch.device("cpu")} if _is_strict(device) else kwargs
    args_inside, kwargs_inside = trees.tree_map_only(StrictTensor, lambda tensor: tensor.inner, (args, inner))
    made = operation(*args_inside, **kwargs_inside)
    if operation is aten.copy_.default:
        return args[0]
    if operation is aten._to_copy.default and device is not None:
        strict_after = _is_strict(device)
    else:
        strict_after = strict or _is_strict(device)
    if not strict_after:
        return made
    disguised = trees.tree_map_only(Tensor, StrictTensor, made)
    return return_and_correct_aliasing(operation, args, kwargs, disguised) if strict else disguised


def _is_strict(device: Any) -> bool:
    """Whether something given as `device` means this one."""
    return device is not None and torch.device(device).type == NAME


def _moved_index(index: Any) -> Any:
    """An index whose lists, arrays and CPU tensors are on the device, as CUDA allows them to be given."""
    if isinstance(index, tuple):
        return tuple(_moved_index(part) for part in index)
    if isinstance(index, list | range | np.ndarray):
        index = torch.as_tensor(np.asarray(index))
    return index.to(NAME) if isinstance(index, Tensor) else index
