"""Learners as small safetensors files that carry their configuration."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from maple_lite.clip import FrozenCLIP
from maple_lite.learners import METHODS, PromptLearner
from maple_lite.support.files import atomic_write
from maple_lite.support.state import load_tensors

FORMAT = "maple_lite learner 1"
EMPTY = inspect.Parameter.empty


def save_learner(learner: PromptLearner, path: str | Path, notes: Mapping[str, Any] | None = None) -> None:
    """Writes a learner's parameters with its method, its configuration and the CLIP that they belong to.

    The learner may be of a class of your own. `notes` are yours, of what JSON knows: `learner_notes` gives them back
    (`maple-lite train` notes the dataset, its class names and the model). Raises ValueError for what is no learner,
    and for one whose `config` is not its constructor's arguments or holds what JSON does not know.

    >>> save_learner(learner, "maple.safetensors")
    """
    if not isinstance(learner, PromptLearner):
        raise ValueError(f"save_learner writes a learner, got {type(learner).__name__}: pass model.learner.")
    about = {
        "format": FORMAT,
        "method": type(learner).__name__,
        "config": _written_config(learner),
        "clip_shape": json.dumps(learner.clip_shape),
        "clip_weights": json.dumps(learner.clip_weights),
        "notes": json.dumps(dict(notes or {})),
    }
    weights = {name: weight.detach().cpu().contiguous() for name, weight in learner.state_dict().items()}
    atomic_write(path, lambda file: save_file(weights, file, metadata=about))


def load_learner(path: str | Path, clip: FrozenCLIP, kind: type[PromptLearner] | None = None) -> PromptLearner:
    """The learner in a file of `save_learner`, for any class names (class-specific contexts fit their own only).

    `kind` is the class that is expected: one of the seven, or your own (None takes what the file says of the seven).
    Raises FileNotFoundError for a missing file, ValueError for a damaged one, one of another method or another CLIP.

    >>> learner = load_learner("maple.safetensors", clip)
    """
    path = Path(path).expanduser()
    if kind is not None and not (isinstance(kind, type) and issubclass(kind, PromptLearner)):
        raise ValueError(f"kind must be a class of learners such as MaPLe, got {kind!r}.")
    about = _about(path)
    weights = load_file(path)
    _require_same_clip(path, about, clip)
    if kind is not None and about["method"] != kind.__name__:
        raise ValueError(f"{path} holds a learner of {about['method']}, not of {kind.__name__}: load it as that.")
    known = {method.__name__: method for method in (kind, PromptLearner, *METHODS.values()) if method is not None}
    if about["method"] not in known:
        raise ValueError(
            f"{path} holds a learner of {about['method']}, a class of its author: pass that class, "
            f"load_learner(path, clip, {about['method']})."
        )
    learner = _made(known[about["method"]], clip, json.loads(about["config"]))
    load_tensors(learner, weights)
    return learner.to(clip.device)


def _written_config(learner: PromptLearner) -> str:
    """A learner's config as JSON; ValueError unless it makes the learner again."""
    kind = type(learner)
    try:
        inspect.signature(kind.__init__).bind_partial(learner, **learner.config)
        return json.dumps(learner.config)
    except TypeError as error:
        raise ValueError(
            f"{kind.__name__} could not be made again ({error}): set self.config to its constructor's arguments, as "
            "numbers, texts and lists of them."
        ) from error


def _made(kind: type[PromptLearner], clip: FrozenCLIP, config: dict[str, Any]) -> PromptLearner:
    """A learner of a class, with `clip` for the parameter that the config leaves open."""
    parameters = list(inspect.signature(kind).parameters.values())
    make: Any = kind
    if any(parameter.kind is inspect.Parameter.VAR_POSITIONAL for parameter in parameters):
        return make(clip, **config)
    named = [parameter for parameter in parameters if parameter.kind is not inspect.Parameter.VAR_KEYWORD]
    opened = [parameter.name for parameter in named if parameter.name not in config and parameter.default is EMPTY]
    return make(**dict.fromkeys(opened, clip), **config)


def learner_notes(path: str | Path) -> dict[str, Any]:
    """The notes of a file of `save_learner`, with its "method"; raises as `load_learner`.

    >>> learner_notes("maple.safetensors")["method"]
    'MaPLe'
    """
    about = _about(Path(path).expanduser())
    return json.loads(about.get("notes", "{}")) | {"method": about["method"]}


def _about(path: Path) -> dict[str, str]:
    """What a file of `save_learner` says of itself."""
    if not path.is_file():
        raise FileNotFoundError(f"no learner at {path}: train one and write it with save_learner().")
    try:
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
    except SafetensorError as error:
        raise ValueError(f"the learner in {path} is damaged ({error}): train it again or restore it.") from error
    if about.get("format") != FORMAT:
        raise ValueError(f"{path} was not written by save_learner(): it is {about.get('format')!r}, not {FORMAT!r}.")
    return about


def _require_same_clip(path: Path, about: dict[str, str], clip: FrozenCLIP) -> None:
    """ValueError if the file belongs to a CLIP of other sizes or other weights; zero-shot belongs to all."""
    shape, weights = json.loads(about["clip_shape"]), json.loads(about["clip_weights"])
    if shape not in (None, clip.shape):
        raise ValueError(f"{path} belongs to a CLIP of {shape}, this one has {clip.shape}: load that CLIP.")
    if weights not in (None, clip.fingerprint):
        raise ValueError(
            f"{path} belongs to a CLIP of the same sizes with other weights ({weights}, here {clip.fingerprint}): load "
            "that CLIP."
        )
