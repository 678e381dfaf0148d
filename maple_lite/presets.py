"""The authors' settings of every method and task, and their zero-shot template of every dataset."""

from __future__ import annotations

from typing import Any

import pandas as pd

from maple_lite.clip import FrozenCLIP
from maple_lite.learners import METHODS, prompt_depth
from maple_lite.support.files import data_folder
from maple_lite.support.names import require_count, require_name

TASKS = ("base-to-novel", "few-shot", "cross-dataset", "domain-generalisation")
LARGE = ("imagenet", "objects", "glyphs:objects")  # the source of transfer among the datasets, and its miniatures
SHOTS = 16  # of the published base-to-novel settings
OWN_TRANSFER = ("maple", "promptsrc")  # the methods with published settings of their own for transfer
OWN_FEW_SHOT = ("coop", "promptsrc")  # and for few-shot learning
LATE = ("stanford_cars", "oxford_flowers", "fgvc_aircraft", "dtd", "eurosat")  # where PromptSRC's average is a late one


def preset(
    method: str,
    task: str = "base-to-novel",
    shots: int = SHOTS,
    source: str | None = None,
    clip: FrozenCLIP | None = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """(learner_kwargs, fit_kwargs) of a method on a task, trained with `shots` images per class of dataset `source`.

    From `data/paper/presets.csv`. The prompt depth is the paper's share of the layers of `clip` (of ViT-B/16 without
    one). Settings that nobody published are derived, and `is_published` says so: few-shot takes base-to-novel's
    with epochs x 16 / shots, transfer takes base-to-novel's. MaPLe with PromptSRC's losses has MaPLe's prompts and
    learning rate, and PromptSRC's epochs and average. Zero-shot CLIP has nothing to set.
    Raises ValueError for an unknown method or task, or shots < 1.

    >>> learner_kwargs, fit_kwargs = preset("maple", clip=clip)
    >>> fit(PromptedCLIP(clip, MaPLe(clip, **learner_kwargs), class_names), train_set, **fit_kwargs)
    """
    require_name("method", method, METHODS)
    require_name("task", task, TASKS)
    shots, source = require_count("shots", shots), source and source.lower()
    if method == "zeroshot":
        return {}, {}
    if method == "maple-src":
        return _maple_src(task, shots, source, clip)
    row = _row(method, _setting(method, task, shots, source))
    epochs = int(row.epochs)
    if task == "few-shot" and method not in OWN_FEW_SHOT:
        epochs = max(1, round(epochs * SHOTS / shots))
    return _learner_kwargs(method, row, clip), dict(epochs=epochs, lr=float(row.lr), batch_size=int(row.batch_size))


def is_published(method: str, task: str, shots: int = SHOTS) -> bool:
    """Whether the authors published settings of `method` for `task` and `shots`; otherwise `preset` derives them."""
    require_name("method", method, METHODS)
    require_name("task", task, TASKS)
    if method == "zeroshot":
        return True
    if method == "maple-src":
        return False
    if task == "few-shot":
        return method in OWN_FEW_SHOT and shots in (1, 2, 4, 8, 16)
    return shots == SHOTS and (task == "base-to-novel" or method in ("coop", "cocoop", *OWN_TRANSFER))


def template(dataset: str) -> str:
    """The paper's zero-shot sentence of a dataset, with `{}` for the class name; ValueError with the close names.

    >>> template("eurosat")
    'a centered satellite photo of {}.'
    """
    table = pd.read_csv(data_folder() / "paper" / "datasets.csv", index_col="name")
    return str(table.loc[require_name("dataset", dataset, list(table.index)), "template"])


def _setting(method: str, task: str, shots: int, source: str | None) -> str:
    """The name of the row of presets.csv that a task follows."""
    transfer = task in ("cross-dataset", "domain-generalisation")
    if method in OWN_TRANSFER and transfer:
        return "cross-dataset and domain generalisation"
    if method == "promptsrc" and task == "few-shot":
        return "few-shot of Cars, Flowers, Aircraft, DTD and EuroSAT" if source in LATE else "few-shot"
    if method != "coop":
        return "base-to-novel"
    if task != "few-shot":
        return "base-to-novel ImageNet" if transfer or source in LARGE else "base-to-novel"
    if shots == 1 or source in LARGE:
        return "few-shot (1 shot) and ImageNet"
    return "few-shot (2 or 4 shots)" if shots <= 4 else "few-shot (8 or 16 shots)"


def _row(method: str, setting: str) -> pd.Series:
    """One row of presets.csv."""
    table = pd.read_csv(data_folder() / "paper" / "presets.csv")
    return table[(table.method == METHODS[method].__name__) & (table.setting == setting)].iloc[0]


def _learner_kwargs(method: str, row: pd.Series, clip: FrozenCLIP | None) -> dict[str, Any]:
    """The constructor's arguments that a row sets."""
    kwargs: dict[str, Any] = {"n_ctx": int(row.n_ctx)}
    if method != "vpt":
        kwargs["init"] = None if row.init == "random" else row.init
    if method not in ("coop", "cocoop", "kgcoop"):
        depth = int(row.depth)
        kwargs["depth"] = prompt_depth(clip, None, depth, METHODS[method].towers) if clip else depth
    return kwargs | ({} if pd.isna(row["mean"]) else {"mean": float(row["mean"]), "std": float(row["std"])})


def _maple_src(
    task: str, shots: int, source: str | None, clip: FrozenCLIP | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """MaPLe's prompts and learning rate with PromptSRC's epochs, batches and average."""
    learner_kwargs, fit_kwargs = preset("maple", task, shots, source, clip)
    average, run = preset("promptsrc", task, shots, source, clip)
    gaussian = {name: average[name] for name in ("mean", "std")}
    return learner_kwargs | gaussian, run | {"lr": fit_kwargs["lr"]}
