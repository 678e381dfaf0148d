"""The authors' checkpoints (`model.pth.tar-N`), read into our learners and written from them.

The trainers of CoOp and CoCoOp (github.com/KaiyangZhou/CoOp) save their prompt learner alone, those of VPT, deep
language prompting, IVLP and MaPLe (github.com/muzairkhattak/multimodal-prompt-learning) and of PromptSRC
(github.com/muzairkhattak/PromptSRC) the whole model, the frozen CLIP included. Both save the embeddings of the class
names' sentences, too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from maple_lite.clip import FrozenCLIP
from maple_lite.learners import METHODS, PromptLearner
from maple_lite.storage.pickles import read_pickle
from maple_lite.support.files import atomic_write
from maple_lite.support.names import require_name
from maple_lite.support.seeds import seeded
from maple_lite.tokens import tokenizer

OFFICIAL = ("coop", "cocoop", "vpt", "language", "ivlp", "maple", "promptsrc")
TEACHER = "ZS_image_encoder."  # begins the names of the frozen image tower that PromptSRC's prompt learner keeps
WORDS = 4  # the authors start at most so many tokens from words; longer prompts are random, with no words behind them
SIZES = (  # a size of the CLIP, and where a file shows it
    ("text_width", "ctx", -1),
    ("vision_width", "image_encoder.VPT", -1),
    ("vision_width", "proj.weight", 0),
    ("embed_dim", "meta_net.linear1.weight", 1),
    ("embed_dim", "image_encoder.proj", 1),
)


def load_official(
    path: str | Path,
    clip: FrozenCLIP,
    method: str | None = None,
    *,
    init: str | None = "a photo of a",
    position: str = "end",
) -> PromptLearner:
    """The learner, in float32, whose prompts are in a checkpoint of the authors' code, in half or full precision.

    Method and depth are read off the tensors' names. Only CoOp's context with the whole model around it and deep
    language prompting of depth 1 look alike (and are equal): say `method="coop"` or `"language"` there. PromptSRC's
    prompts are IVLP's with the frozen image tower beside them; say `method="promptsrc"` where that is not in the file.
    PromptSRC's losses are not in it either: they matter only if you train on. Two more things
    are not in the file: `init`, the words from which deep language prompting, IVLP and MaPLe started (with n_ctx = 2
    "of a" stays as frozen text; None for no words), and CoOp's `position`. The frozen CLIP is not read; where its
    sizes, its SOS token or its CLS token are in the file, they must be those of `clip`.
    Raises FileNotFoundError for a missing file, ValueError for a damaged one, one that holds other objects than
    tensors and the training state, another CLIP's, another method's, or tensors that the method does not have.

    >>> save_official(learner, "model.pth.tar-5")
    >>> type(load_official("model.pth.tar-5", clip)).__name__
    'MaPLe'
    """
    path = Path(path).expanduser()
    if method is not None:
        require_name("method", method, OFFICIAL)
    file = _read_state(path)
    state = {_bare(key): tensor for key, tensor in file.items()}
    _require_same_clip(path, state, clip)
    method, depth = _recognise(path, file, state, method)
    names = official_names(method, depth)
    _require_known(path, file, method, {*names, *_frozen_names(clip)})
    options = _options(path, method, state[next(iter(names))], depth, init, position)
    make: Any = METHODS[method]
    with seeded(0):  # what it draws is overwritten, and the caller's random numbers stay as they were
        learner: PromptLearner = make(clip, **options)
    _fill(path, learner, {ours: state[theirs] for theirs, ours in names.items()})
    return learner


def save_official(learner: PromptLearner, path: str | Path, epoch: int = 1) -> None:
    """Writes a learner's prompts as a checkpoint that the authors' code of its method loads.

    It holds the learned tensors alone (their code reads checkpoints with strict=False); their folder and file are
    `FOLDER/MultiModalPromptLearner/model.pth.tar-EPOCH` for MaPLe, `VLPromptLearner` for deep language prompting, IVLP
    and PromptSRC, `prompt_learner` for the others. The words of `init` and CoOp's `position` stand in their
    configuration.
    Raises ValueError for a learner that the authors' code does not have.

    >>> save_official(learner, "MultiModalPromptLearner/model.pth.tar-5", epoch=5)
    """
    method = next((name for name in OFFICIAL if type(learner) is METHODS[name]), None)
    if method is None:
        raise ValueError(f"the authors' code has no {type(learner).__name__}: write it with save_learner().")
    weights = learner.state_dict()
    state = {}
    for theirs, ours in official_names(method, learner.config.get("depth", 1)).items():
        alone = method in ("coop", "cocoop") or "_encoder." in theirs
        state[theirs if alone else f"prompt_learner.{theirs}"] = weights[ours].cpu()
    content = dict(state_dict=state, epoch=epoch, optimizer=None, scheduler=None, val_result=None)
    atomic_write(path, lambda file: torch.save(content, file))


def official_names(method: str, depth: int = 1) -> dict[str, str]:
    """The authors' names of a method's tensors, the first prompt's before the others, each with ours.

    >>> official_names("maple", 2)["compound_prompts_text.0"]
    'text.1'
    """
    parts, deep = ("weight", "bias"), range(1, depth)
    block = "{}_encoder.transformer.resblocks.{}.VPT_shallow".format
    text = {"ctx": "text.0", **{block("text", i): f"text.{i}" for i in deep}}
    vision = {"image_encoder.VPT": "vision.0", **{block("image", i): f"vision.{i}" for i in deep}}
    meta = {f"meta_net.linear{i + 1}.{part}": f"meta_net.{2 * i}.{part}" for i in range(2) for part in parts}
    compound = {"ctx": "text.0", **{f"compound_prompts_text.{i - 1}": f"text.{i}" for i in deep}}
    layers = ["proj", *(f"compound_prompt_projections.{i - 1}" for i in deep)]
    couple = {f"{layer}.{part}": f"couple.{i}.{part}" for i, layer in enumerate(layers) for part in parts}
    return {
        "coop": {"ctx": "ctx"},
        "cocoop": {"ctx": "ctx", **meta},
        "vpt": vision,
        "language": text,
        "ivlp": text | vision,
        "maple": compound | couple,
        "promptsrc": text | vision,
    }[method]


def _read_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint under the names in the file; ValueError if it is none."""
    content = read_pickle(path)
    state = content.get("state_dict") if isinstance(content, dict) else None
    if not isinstance(state, dict) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise ValueError(f"{path} is no checkpoint of the authors' code: it holds no 'state_dict' of tensors.")
    return {str(key): tensor for key, tensor in state.items()}


def _bare(key: str) -> str:
    """A tensor's name without the prefixes that several GPUs and the whole model put before it."""
    return key.removeprefix("module.").removeprefix("prompt_learner.")


def _recognise(path: Path, file: dict[str, Tensor], state: dict[str, Tensor], method: str | None) -> tuple[str, int]:
    """The method, and the depth, whose names account for most of the tensors; ValueError if it is not `method`."""
    deepest = 1 + sum("VPT_shallow" in key or key.startswith("compound_prompts_text.") for key in state)
    found: dict[str, int] = {}
    for name in OFFICIAL:
        fitting = [depth for depth in range(1, deepest + 1) if official_names(name, depth).keys() <= state.keys()]
        found |= {name: fitting[-1]} if fitting else {}
    counts = {name: len(official_names(name, depth)) for name, depth in found.items()}
    best = [name for name, count in counts.items() if count == max(counts.values())]
    if method is None and {"ivlp", "promptsrc"} <= set(best):  # the same tensors, but for PromptSRC's teacher
        best = ["promptsrc" if any(key.startswith(TEACHER) for key in state) else "ivlp"]
    if not best:
        raise ValueError(f"{path} holds no prompts of the seven methods, but {next(iter(file), 'nothing')!r}.")
    if method is None and len(best) > 1:
        alone = not any("prompt_learner." in key for key in file)  # CoOp's trainer saves its prompt learner alone
        if not alone and state["ctx"].ndim == 2:
            options = " or ".join(f"method={name!r}" for name in best)
            raise ValueError(f"{path} could be CoOp's or, of depth 1, DeepLanguage's: say {options}.")
    if method not in (None, *best):
        wanted = METHODS[str(method)].__name__
        raise ValueError(f"{path} holds prompts of {METHODS[best[0]].__name__}, not of {wanted}: read it as that.")
    method = method or best[0]
    return method, found[method]


def _options(path: Path, method: str, first: Tensor, depth: int, init: str | None, position: str) -> dict[str, Any]:
    """The constructor's arguments, from the first prompt [n, d], or [C, n, d] for CoOp alone."""
    if first.ndim != 2 and not (method == "coop" and first.ndim == 3):
        raise ValueError(f"the first prompt in {path} has the shape {list(first.shape)}, expected [n_ctx, width].")
    if method != "coop" and position != "end":
        raise ValueError(f"position={position!r} is CoOp's alone, {path} holds {METHODS[method].__name__}: leave it.")
    n_ctx = first.shape[-2]
    if method == "coop":
        return dict(n_ctx=n_ctx, n_classes=len(first) if first.ndim == 3 else None, position=position)
    if method == "cocoop":
        return dict(n_ctx=n_ctx, init=None)  # the authors of CoOp and CoCoOp learn all the words of their init
    if method == "vpt":
        return dict(n_ctx=n_ctx, depth=depth)
    return dict(n_ctx=n_ctx, depth=depth, init=init if n_ctx <= WORDS else None)


def _fill(path: Path, learner: PromptLearner, weights: dict[str, Tensor]) -> None:
    """Copies `weights` under our names into a learner; ValueError with both shapes where one does not fit."""
    for name, ours in learner.state_dict().items():
        if weights[name].shape != ours.shape:
            shapes = f"{list(weights[name].shape)} in {path}, {list(ours.shape)} in {type(learner).__name__}"
            raise ValueError(f"{name} has the shape {shapes}: the file's prompts differ in length, or it is damaged.")
    learner.load_state_dict(weights)


def _require_known(path: Path, file: dict[str, Tensor], method: str, known: set[str]) -> None:
    """ValueError that names the first tensor of the file that is neither the method's nor the frozen CLIP's."""
    for key in file:
        if _bare(key) not in known:
            raise ValueError(
                f"{path} holds {key!r}, which {METHODS[method].__name__} does not have: is it of another method?"
            )


def _frozen_names(clip: FrozenCLIP) -> set[str]:
    """The authors' names of all that is not learned. Their encoders' tensors have open_clip's names."""
    towers = {"image_encoder": clip.visual, "text_encoder": clip.text}
    tensors = {f"{tower}.{key}" for tower, module in towers.items() for key in module.state_dict()}
    teacher = {f"{TEACHER}{key}" for key in clip.visual.state_dict()}
    return {"token_prefix", "token_suffix", "logit_scale", *tensors, *teacher}


def _require_same_clip(path: Path, state: dict[str, Tensor], clip: FrozenCLIP) -> None:
    """ValueError where the file shows another size of CLIP, or another SOS embedding or CLS token."""
    sizes = [(size, state[key].shape[axis]) for size, key, axis in SIZES if key in state and state[key].ndim > 1]
    for tower, size in (("text", "text_layers"), ("image", "vision_layers")):
        count = sum(key.startswith(f"{tower}_encoder.") and key.endswith(".ln_1.weight") for key in state)
        sizes += [(size, count)] if count else []
    for size, count in sizes:
        if count != clip.shape[size]:
            raise ValueError(f"{path} belongs to a CLIP of {size} {count}, this one has {clip.shape[size]}: load that.")
    start = clip.text.token_embedding.weight[tokenizer().sot_token_id]
    for key, ours in (("token_prefix", start), ("image_encoder.class_embedding", clip.visual.class_embedding)):
        theirs = state.get(key, ours).flatten()[: len(ours)].float().to(ours.device)
        if theirs.shape != ours.shape or not torch.allclose(theirs, ours, rtol=1e-2, atol=1e-4):  # half: 1e-3
            raise ValueError(f"{path} belongs to a CLIP of the same sizes with other weights ({key}): load that CLIP.")
