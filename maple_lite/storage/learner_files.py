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
from maple_lite.support.names import require_name

FORMAT = "maple_lite learner 1"


def save_learner(learner: PromptLearner, path: str | Path, notes: Mapping[str, Any] | None = None) -> None:
    """Writes a learner's parameters with its method, its configuration and the CLIP that they belong to.

    `notes` are yours, of what JSON knows: `learner_notes` gives them back (`maple-lite train` notes the dataset, its
    class names and the model). Raises ValueError for what is no learner, or one of your own whose `config` is not its
    constructor's arguments.

    >>> save_learner(learner, "maple.safetensors")
    """
    if not isinstance(learner, PromptLearner):
        raise ValueError(f"save_learner writes a learner, got {type(learner).__name__}: pass model.learner.")
    method = type(learner)
    try:
        inspect.signature(method).bind_partial(**learner.config)
    except TypeError as error:
        raise ValueError(
            f"{method.__name__} could not be made again ({error}): set self.config to its constructor's arguments."
        ) from error
    about = {
        "format": FORMAT,
        "method": method.__name__,
        "config": json.dumps(learner.config),
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
    known = {method.__name__: method for method in (kind, *METHODS.values()) if method is not None}
    make: Any = known[require_name("method", about["method"], known)]
    config = json.loads(about["config"])
    learner: PromptLearner = make(**config) if about["clip_shape"] == "null" else make(clip, **config)
    learner.load_state_dict(weights)
    return learner.to(clip.device)


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
