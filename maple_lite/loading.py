"""Loading a CLIP: any open_clip name and tag, a folder, or the tiny one of this project."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import open_clip
import torch
from torch import nn

from maple_lite.clip import FrozenCLIP
from maple_lite.support.files import data_folder
from maple_lite.support.names import require_name
from maple_lite.support.seeds import seeded

OWN = {"tiny": "tiny-clip", "glyphs": "glyphs/clip"}
"""The folders in `data/` of the CLIPs that this project trained: of emoji, and of symbols."""


def load_clip(
    name: str = "tiny", pretrained: str | Path | None = None, device: str | torch.device | None = None
) -> FrozenCLIP:
    """A frozen CLIP in float32 on `device` (default: the CUDA GPU, if there is one, else the CPU).

    `name` is "tiny" (this project's own, offline), "glyphs" (its first one, of symbols), an open_clip name with the
    tag or the checkpoint file of its weights ("random" for none), "hf-hub:OWNER/NAME", or "local-dir:FOLDER" for a
    folder that open_clip wrote.
    Raises ValueError for an unknown name or tag (with the close ones), a QuickGELU mismatch, a damaged folder or a
    tower that prompts do not fit, FileNotFoundError for a folder that is not there.

    >>> clip = load_clip("ViT-B-16-quickgelu", "openai")  # doctest: +SKIP
    """
    name = str(name)
    if pretrained is not None and (name in OWN or name.startswith("local-dir:")):
        raise ValueError(f"{name} brings its own weights: leave pretrained={pretrained!r} out.")
    if name in OWN:
        name = f"local-dir:{data_folder() / OWN[name]}"
    if name.startswith("local-dir:"):
        model = _from_folder(Path(name.removeprefix("local-dir:")).expanduser())
    elif name.startswith("hf-hub:"):
        model = _created(name, pretrained)
    elif os.sep in name:
        raise ValueError(f"{name} looks like a path: load a folder that open_clip wrote as 'local-dir:{name}'.")
    else:
        require_name("model", name, [*OWN, *open_clip.list_models()])
        model = _from_open_clip(name, pretrained)
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        model = model.to(device)
    except RuntimeError as error:
        raise ValueError(f"the device {device!r} cannot be used here ({error}): try 'cpu'.") from error
    return FrozenCLIP(model)


def _from_folder(folder: Path) -> nn.Module:
    """The CLIP of an open_clip folder; FileNotFoundError or ValueError that says what is missing or damaged."""
    for file in ("open_clip_config.json", "open_clip_model.safetensors"):
        if not (folder / file).is_file():
            raise FileNotFoundError(
                f"no CLIP in {folder}: {file} is missing; restore the folder, or load another model by its name."
            )
    try:
        return _read(f"local-dir:{folder}")
    except Exception as error:  # a truncated file can fail anywhere below: in json, safetensors or load_state_dict
        raise ValueError(f"the CLIP in {folder} is damaged ({error}): restore the folder.") from error


def _from_open_clip(name: str, pretrained: str | Path | None) -> nn.Module:
    """The open_clip model `name`, with the weights of a tag or a file, or random ones if asked for."""
    tags = [*open_clip.list_pretrained_tags_by_model(name), "random"]
    if pretrained is None:
        raise ValueError(f"say which weights of {name} to load: pretrained={' or '.join(map(repr, tags))}, or a file.")
    if pretrained == "random":
        return _quietly_random(name)
    pretrained = str(Path(pretrained).expanduser())
    if os.sep in pretrained and not os.path.isfile(pretrained):
        raise FileNotFoundError(f"no weights of {name} at {pretrained}: correct the path.")
    if not os.path.isfile(pretrained):
        require_name(f"weights of {name}", pretrained, tags)
        _require_quick_gelu(name, pretrained)
    return _created(name, pretrained)


def _created(name: str, pretrained: str | Path | None) -> nn.Module:
    """What open_clip makes of a name and weights; ValueError with its reason if it cannot."""
    try:
        return _read(name, pretrained)
    except Exception as error:  # network, disk or state dict: each raises its own kind
        raise ValueError(f"could not load the weights {pretrained!r} of {name}: {error}") from error


def _read(name: str, pretrained: str | Path | None = None) -> nn.Module:
    """open_clip's model with weights from disk or network; torch's random numbers go on as if nothing had happened.

    open_clip draws every weight before it reads them, so loading would move the caller's seed.
    """
    with seeded(0):
        return open_clip.create_model(name, pretrained)


def _require_quick_gelu(name: str, pretrained: str) -> None:
    """ValueError if the weights were trained with another activation than the architecture has.

    open_clip only warns, and the model would lose accuracy unseen.
    """
    trained = bool((open_clip.get_pretrained_cfg(name, pretrained) or {}).get("quick_gelu", False))
    built = bool((open_clip.get_model_config(name) or {}).get("quick_gelu", False))
    if trained != built:
        other = f"{name}-quickgelu" if trained else name.removesuffix("-quickgelu")
        raise ValueError(f"the weights {pretrained!r} of {name} need another activation: load {other!r} with them.")


def _quietly_random(name: str) -> nn.Module:
    """The open_clip model `name` with random weights, without open_clip's warning: they were asked for."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        return open_clip.create_model(name, pretrained_text=False)
    finally:
        logging.disable(before)
