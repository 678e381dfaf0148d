"""The exercises of lesson 09, ablations: paired differences, two couplings, prompts that are added, and a reading."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from maple_lite.course.exercises.shared import draw, small_clip
from maple_lite.course.teach.causes import cause_of_type
from maple_lite.course.teach.exercise import Exercise, Facet, Finding
from maple_lite.course.teach.facets import Function, by_hand, choice, equals, gradient, returns, unchanged
from maple_lite.course.teach.laws import AGAIN, RANDOM
from maple_lite.course.teach.mistakes import Mistake, Mistakes
from maple_lite.course.teach.values import agree, as_tensor, describe
from maple_lite.experiments.ablations import PRESET, SharedCoupling
from maple_lite.learners import IVLP, MaPLe
from maple_lite.support.seeds import seeded

DEPTH, N_CTX = 3, 2
WIDTH, VISION = 48, 64  # d_t and d_v of the small CLIP


def runs(**accuracies: dict[tuple[str, int], float]) -> pd.DataFrame:
    """A tidy frame (variant, dataset, seed, accuracy) of {(dataset, seed): percent} by variant."""
    rows = [(name, *run, value) for name, found in accuracies.items() for run, value in found.items()]
    return pd.DataFrame(rows, columns=["variant", "dataset", "seed", "accuracy"])


# 09.1: paired differences


def paired(results: pd.DataFrame, variant: str) -> tuple[float, float]:
    """(mean, standard error) of `variant` minus the preset in points, over the (dataset, seed) that both have."""
    table = results.pivot(index=["dataset", "seed"], columns="variant", values="accuracy")
    gaps = (table[variant] - table["preset"]).dropna()
    return gaps.mean(), gaps.std() / len(gaps) ** 0.5


HAND = runs(
    preset={("zodiac", 1): 80, ("zodiac", 2): 84, ("chess", 1): 60, ("chess", 2): 62},
    other={("zodiac", 1): 82, ("zodiac", 2): 85, ("chess", 1): 63, ("chess", 2): 64},
)
HAND_GAPS = (2, 1, 3, 2)
THIRD = runs(third={("zodiac", 1): 10, ("zodiac", 2): 30, ("chess", 1): 90, ("chess", 2): 20})
LACKING = HAND[~((HAND.variant == "other") & (HAND.dataset == "chess") & (HAND.seed == 2))]
GAPS = (-3.1, 0.4, -1.2, -2.0, 0.1, -0.7, -5.5, 0.9, -0.2)  # of nine runs, most of them below 0
NINE = {("abc"[i // 3], 1 + i % 3): 60.0 + 5 * (i // 3) + i for i in range(len(GAPS))}
LARGE = runs(preset=NINE, other={run: value + gap for (run, value), gap in zip(NINE.items(), GAPS, strict=True)})
MORE = HAND[~((HAND.variant == PRESET) & (HAND.dataset == "zodiac") & (HAND.seed == 1))]


TABLE_OF_RUNS = 'table = results.pivot(index=["dataset", "seed"], columns="variant", values="accuracy")'
OWN, ITS, MEAN, SPREAD = "table[variant]", 'table["preset"]', "gaps.mean()", "gaps.std()"
ROOT, ERROR = " / len(gaps) ** 0.5", "gaps.std() / len(gaps) ** 0.5"


def _merged(by: str) -> dict[str, str]:
    """A patch: runs are paired if one column agrees."""
    return {
        TABLE_OF_RUNS: 'mine, its = (results[results.variant == name] for name in (variant, "preset"))\n'
        f"both = mine.merge(its, on={by!r})",
        f"({OWN} - {ITS}).dropna()": "both.accuracy_x - both.accuracy_y",
    }


PAIRED_MISTAKES = Mistakes(
    {
        "sign": Mistake(
            "the sign is wrong: variant minus preset, so that better is positive", {f"{OWN} - {ITS}": f"{ITS} - {OWN}"}
        ),
        "standard deviation": Mistake(
            "that is the standard deviation of single differences: a mean of n of them wobbles less, so divide by the "
            "square root of n",
            {ROOT: ""},
        ),
        "n below": Mistake(
            "you divided by n inside the standard deviation, as numpy does: for a sample divide by n - 1, as pandas' "
            ".std() does",
            {SPREAD: "gaps.std(ddof=0)"},
        ),
        "n below, single": Mistake(
            "that is the standard deviation of single differences, with n in place of n - 1: take pandas' own .std(), "
            "and divide it by the square root of n",
            {ERROR: "gaps.std(ddof=0)"},
        ),
        "n - 1 twice": Mistake(
            "n - 1 belongs inside the standard deviation, where pandas has it; divide by the square root of n",
            {"len(gaps)": "(len(gaps) - 1)"},
        ),
        "divided by n": Mistake("you divided by n: it is the square root of n", {" ** 0.5": ""}),
        "variance": Mistake("that is a variance: its square root is missing", {ERROR: "gaps.var() / len(gaps)"}),
        "not paired": Mistake(
            "the two are not paired: this is the spread of the ACCURACIES, which differ between datasets for reasons "
            "of their own. Subtract first, run by run, then take the spread",
            {ERROR: "(table.var().sum() / len(table)) ** 0.5"},
        ),
        "spreads subtracted": Mistake(
            "you subtracted two spreads: subtract accuracies first, run by run, then take one spread",
            {SPREAD: f"abs({OWN}.std() - {ITS}.std())"},
        ),
        "the variant alone": Mistake(
            "these are the variant's own accuracies: subtract the preset's", {f"({OWN} - {ITS})": OWN}
        ),
        "exchanged": Mistake(
            "the two numbers are exchanged: first the mean, then its standard error",
            {f"{MEAN}, {ERROR}": f"{ERROR}, {MEAN}"},
        ),
        "datasets first": Mistake(
            "the seeds of a dataset were averaged first, which is another question: here every run is a pair",
            {"dropna()": 'dropna().groupby("dataset").mean()'},
        ),
        "by seed alone": Mistake(
            "every run was compared with all datasets of its seed: a pair shares dataset AND seed", _merged("seed")
        ),
        "by dataset alone": Mistake(
            "every run was compared with all seeds of its dataset: a pair shares dataset AND seed", _merged("dataset")
        ),
        "no sign": Mistake(
            "a mean below 0 says that the variant is worse: keep its sign, no abs()", {MEAN: f"abs({MEAN})"}
        ),
        "no signs": Mistake(
            "signs were dropped before the mean: runs that got better and worse then add up",
            {"dropna()": "dropna().abs()"},
        ),
        "median": Mistake("that is the median: the mean is asked for", {MEAN: "gaps.median()"}),
        "four runs built in": Mistake(words="datasets or seeds built in", patch={"dropna()": "dropna()[:4]"}),
        "by place": Mistake(
            words="paired by their place",
            patch={
                f"{OWN} - {ITS}": "results[results.variant == variant].accuracy.reset_index(drop=True)\n"
                '- results[results.variant == "preset"].accuracy.reset_index(drop=True)'
            },
        ),
        "all others": Mistake(
            words="a third variant of the frame got in", patch={ITS: "table.drop(columns=variant).mean(axis=1)"}
        ),
        "n of the table": Mistake(
            "the run that is missing was counted: n is the number of pairs that there are, after dropna()",
            {"len(gaps)": "len(table)"},
        ),
        "missing as NaN": Mistake(
            "a missing run made NaN of it: leave out the differences that are NaN, dropna()",
            {"dropna()": "to_numpy()", SPREAD: "gaps.std(ddof=1)"},
        ),
        "missing as 0": Mistake(
            "the run that is missing counts as a difference of 0: leave it out", {"dropna()": "fillna(0)"}
        ),
        "means of columns": Mistake(
            "the means are over different runs: the preset has one more, from another dataset. Subtract run by run",
            {MEAN: f"{OWN}.mean() - {ITS}.mean()"},
        ),
        "the preset's gaps as 0": Mistake(words="the preset that lacks a run", patch={ITS: f"{ITS}.fillna({OWN})"}),
        "a new column": Mistake(
            words="changes the table that was passed", patch={TABLE_OF_RUNS: f'results["done"] = True\n{TABLE_OF_RUNS}'}
        ),
        "all columns": Mistake(
            words="other columns got in",
            patch={'["dataset", "seed"]': '[name for name in results if name not in ("variant", "accuracy")]'},
        ),
        "mean alone": Mistake(words="one number does not say", patch={f", {ERROR}": ""}),
        "the column": Mistake(words="still a column", patch={f"{MEAN}, {ERROR}": "gaps"}),
        "a text": Mistake(
            words="return both, separated by a comma", patch={f"{MEAN}, {ERROR}": 'f"{gaps.mean()} ± {gaps.std()}"'}
        ),
        "no return": Mistake(words="did you forget", patch={"return": "mean, error ="}),
    },
    paired,
)


def _pair_of(fn: Function, results: pd.DataFrame, variant: str = "other") -> tuple[float, float]:
    """The (mean, standard error) that a submission returns; Finding for something else than two numbers."""
    came = fn(results.copy(), variant)
    numbers = None if came is None or isinstance(came, str) else as_tensor(came)
    if numbers is None or numbers.shape != (2,):
        cause = "return both, separated by a comma: the mean, and its standard error"
        if came is None:
            cause = cause_of_type(None, tuple)
        elif numbers is not None and not numbers.ndim:
            cause = "one number does not say how sure it is: return the standard error, too"
        elif isinstance(came, pd.Series | pd.DataFrame):
            cause = "that is still a column or a table: take .mean() of it, and .std()"
        raise Finding("two numbers (mean, standard error)", describe(came), cause)
    mean, error = numbers.tolist()
    return mean, error


def _two_numbers(fn: Function) -> None:
    """Two numbers."""
    _pair_of(fn, HAND)


def _pairs(name: str, results: pd.DataFrame, gaps: Sequence[float], cause: str, why: str = "") -> Facet:
    """A facet of what comes of `results`, whose differences are `gaps`; `why` tells what is special about them."""

    def test(fn: Function) -> None:
        wanted, came = paired(results, "other"), _pair_of(fn, results)
        if not agree(wanted, came, 1e-6):
            signed = ", ".join(f"{gap:+g}" for gap in gaps)
            expected = f"({wanted[0]:.3f}, {wanted[1]:.3f}), from the differences {signed}{why}"
            raise Finding(expected, f"({came[0]:.3f}, {came[1]:.3f})", cause, came, 1e-6)

    return Facet(name, test)


def _more_columns(fn: Function) -> None:
    """Columns that are of no use here change nothing."""
    results = HAND.assign(shots=range(len(HAND)), config=[f"run {i}" for i in range(len(HAND))])
    cause = "other columns got in: pair runs by dataset and seed alone, and take the column accuracy"
    came: Any = None
    try:
        came = _pair_of(fn, results)
    except Exception as error:
        came = f"{type(error).__name__}: {error}"
    if not agree(paired(HAND, "other"), came, 1e-6):
        raise Finding("the same with more columns in the frame", describe(came), cause)


def _frame_stays(fn: Function) -> None:
    """The frame is only read."""
    results = HAND.copy()
    fn(results, "other")
    if not results.equals(HAND):
        cause = "a line changes the table that was passed (a new column, inplace=True): make a new one"
        raise Finding("the frame as it was before the call", "another one", cause)


PAIRED = Exercise(
    number="09.1",
    title="Paired differences",
    reference=paired,
    facets=(
        Facet("two numbers", _two_numbers),
        _pairs(
            "four runs by hand", HAND, HAND_GAPS, "print the differences first: one number for each dataset and seed"
        ),
        _pairs(
            "nine runs, most of them worse",
            LARGE,
            GAPS,
            "is the number of runs, datasets or seeds built in? There are three datasets with three seeds here",
        ),
        _pairs(
            "rows in any order",
            HAND.sample(frac=1, random_state=1, ignore_index=True),
            HAND_GAPS,
            "rows were paired by their place in the frame: pair those of the same dataset and seed (pivot, or merge)",
            ", in whatever order the rows stand",
        ),
        _pairs(
            "other variants do not matter",
            pd.concat([THIRD, HAND], ignore_index=True),
            HAND_GAPS,
            "a third variant of the frame got in: take the rows of `variant`, and those of 'preset'",
            ", with a third variant in the frame",
        ),
        _pairs(
            "only pairs count",
            LACKING,
            HAND_GAPS[:3],
            "a run without its partner is no pair: leave it out (dropna), and count only pairs",
            ": the fourth run is missing",
        ),
        _pairs(
            "the preset may lack a run, too",
            MORE,
            HAND_GAPS[1:],
            "here it is the preset that lacks a run: leave out what either of the two lacks",
            ": the preset lacks the first run",
        ),
        Facet("further columns do not matter", _more_columns),
        Facet("the frame stays as it is", _frame_stays),
    ),
    hints=(
        "One difference for every (dataset, seed): the variant's accuracy minus the preset's of the same run. Only "
        "then comes a mean, and a spread.",
        'results.pivot(index=["dataset", "seed"], columns="variant", values="accuracy") has a row per run and a column '
        "per variant. Subtract two columns, dropna(). The standard error is .std() over the square root of how many "
        "differences there are.",
        'table = results.pivot(...); gaps = (table[variant] - table["preset"]).dropna(); then the mean of gaps, and '
        "gaps.std() / len(gaps) ** 0.5.",
    ),
    meaning="What is common to both (an easy dataset, a lucky sample) is gone before the spread is taken.",
    mistakes=PAIRED_MISTAKES,
)


# 09.2: one coupling for all layers

SHARED_SOURCE = """
class Shared(MaPLe):
    def __init__(self, clip, **kwargs):
        super().__init__(clip, **kwargs)
        self.couple = self.couple[0]

    def vision_prompts(self):
        return [self.couple(prompt) for prompt in self.text]
"""
FIRST, MADE = "self.couple = self.couple[0]", "[self.couple(prompt) for prompt in self.text]"
ZIPPED = "[couple(prompt) for couple, prompt in zip(self.couple, self.text)]"
SHARED_MISTAKES = Mistakes(
    {
        "the others kept": Mistake(
            "the other couplings are still parameters of it, although nothing uses them: put one layer in the place "
            "of self.couple, or the same one everywhere",
            {FIRST: "pass", MADE: MADE.replace("couple", "couple[0]")},
        ),
        "a new one beside them": Mistake(
            "a coupling was added and the old ones kept: put it in the place of self.couple",
            {FIRST: "self.one = copy.deepcopy(self.couple[0])", MADE: MADE.replace("couple", "one")},
        ),
        "one kept beside it": Mistake(
            "there are two couplings: one is for all layers, the first one too",
            {FIRST: "self.couple = self.couple[:2]", MADE: MADE.replace("couple", "couple[0]")},
        ),
        "no bias": Mistake(
            "the coupling lost its bias: only the number of couplings should change",
            {FIRST: f"{FIRST}\nself.couple.bias = None"},
        ),
        "a plain list": Mistake(
            "the coupling is no parameter of it, and will not learn: keep it in an attribute, as a module",
            {FIRST: "self.one = [self.couple[0]]\ndel self.couple", MADE: MADE.replace("couple", "one[0]")},
        ),
        "the deep one": Mistake(
            "that is the coupling of the deeper layers: take that of the first, self.couple[0], as we did",
            {"couple[0]": "couple[-1]"},
        ),
        "a new one": Mistake(
            words="a new function was drawn",
            patch={"self.couple[0]": "torch.nn.Linear(clip.text_width, clip.vision_width)"},
        ),
        "copies": Mistake(
            words="copies are equal at the start and learn apart",
            patch={
                "self.couple[0]": "torch.nn.ModuleList([copy.deepcopy(self.couple[0]) for _ in self.text])",
                MADE: ZIPPED,
            },
        ),
        "two couplings": Mistake(
            words="layer 1 goes through another function",
            patch={
                "couple[0]": "couple[:2]",
                MADE: "[self.couple[min(i, 1)](prompt) for i, prompt in enumerate(self.text)]",
            },
        ),
        "the first text prompt": Mistake(
            words="each has a text prompt of its own", patch={"(prompt)": "(self.text[0])"}
        ),
        "detached": Mistake(words="the way back to the text prompts is cut", patch={"(prompt)": "(prompt.detach())"}),
        "one prompt": Mistake(words="go through self.text", patch={MADE: "[self.couple(self.text[0])]"}),
        "a tensor": Mistake(
            words="still one prompt per layer", patch={MADE: "self.couple(torch.stack(list(self.text)))"}
        ),
        "text prompts": Mistake(words="the coupling's output", patch={MADE: "list(self.text)"}),
        "other text": Mistake(
            words="leave the text prompts alone",
            patch={FIRST: f"{FIRST}\nfor prompt in self.text:\n    prompt.data.mul_(2)"},
        ),
        "not a MaPLe": Mistake(words="keep its first line", patch={"(MaPLe)": "(IVLP)"}),
        "an object": Mistake(words="pass the class itself", value=lambda clip, **kwargs: MaPLe(clip, **kwargs)),
        "the list called": Mistake(words="NotImplementedError", patch={FIRST: "pass"}),
        "no return": Mistake(words="did you forget", patch={"return": "found ="}),
    },
    SHARED_SOURCE,
    {"MaPLe": MaPLe, "IVLP": IVLP, "torch": torch, "copy": copy},
)


def _built(kind: Any, depth: int = DEPTH, seed: int = 1) -> Any:
    with seeded(seed):
        return kind(small_clip(), n_ctx=N_CTX, depth=depth, init="a photo of a")


def _a_maple(kind: Any) -> None:
    """A subclass of MaPLe that can be made."""
    expected = "a class that is made as MaPLe is, Shared(clip, n_ctx=2, depth=3, init=...)"
    if not isinstance(kind, type):
        raise Finding(expected, describe(kind), "pass the class itself, without brackets behind its name")
    if not issubclass(kind, MaPLe):
        raise Finding(expected, f"the class {kind.__name__}", "keep its first line, class Shared(MaPLe)")
    learner = _built(kind)
    if not hasattr(learner, "text") or len(learner.text) != DEPTH:
        cause = "keep super().__init__(clip, **kwargs): it makes the text prompts and draws the couplings"
        raise Finding(f"{DEPTH} text prompts, as in MaPLe", "others", cause)


def _its_prompts(kind: Any) -> None:
    """A vision prompt [n, d_v] for each of the J layers."""
    for depth in (DEPTH, 1):
        came = _built(kind, depth).vision_prompts()
        expected = f"vision_prompts() returns a list of {depth} tensor{'s' * (depth > 1)} [{N_CTX}, {VISION}]"
        if not isinstance(came, list | tuple):
            cause = "one coupling, but still one prompt per layer: a list"
            raise Finding(expected, describe(came), cause_of_type(None, list) if came is None else cause)
        if len(came) != depth:
            cause = f"each of the {depth} text prompts makes a vision prompt: go through self.text"
            raise Finding(expected, f"a list of {len(came)}", cause)
        for prompt in came:
            if not isinstance(prompt, Tensor) or prompt.shape != (N_CTX, VISION):
                cause = "every entry is the coupling's output for one text prompt"
                raise Finding(expected, f"a list with {describe(prompt)}", cause)


def _own_text(kind: Any) -> None:
    """Vision prompt i depends on text prompt i, and no other."""
    learner = _built(kind)
    made = learner.vision_prompts()
    for layer, prompt in enumerate(made):
        texts = list(learner.text) if prompt.requires_grad else []
        slopes = torch.autograd.grad(prompt.sum(), texts, allow_unused=True, retain_graph=True) if texts else ()
        heard = [i for i, slope in enumerate(slopes) if slope is not None and slope.any()]
        if heard != [layer]:
            cause = "one function for all layers, but each has a text prompt of its own: entry i is of self.text[i]"
            if not heard:
                cause = "the way back to the text prompts is cut: no .detach(), .data or torch.no_grad()"
            listed = ", ".join(map(str, heard)) or "none"
            raise Finding(
                f"vision prompt {layer} computed from text prompt {layer}", f"from text prompts: {listed}", cause
            )


def _one_function(kind: Any) -> None:
    """The layers share a function, also after a step of training."""
    learner = _built(kind)
    expected = "one linear function for all layers, before training and after"
    for when in ("at the start", "after a step of training"):
        with torch.no_grad():
            for prompt in learner.text:
                prompt.copy_(draw(N_CTX, WIDTH))  # the same text in every layer
        made = learner.vision_prompts()
        if not all(agree(made[0], prompt, 1e-5) for prompt in made[1:]):
            cause = "layer 1 goes through another function than layer 0: take the one of layer 0 for all"
            if when != "at the start":
                cause = "copies are equal at the start and learn apart: use the SAME layer again, without deepcopy"
            raise Finding(expected, f"equal texts give different vision prompts {when}", cause)
        loss = torch.stack([(i + 1.0) * prompt.square().sum() for i, prompt in enumerate(made)]).sum()
        weights = [weight for name, weight in learner.named_parameters() if not name.startswith("text")]
        slopes = torch.autograd.grad(loss, weights, allow_unused=True) if weights else ()
        with torch.no_grad():
            for weight, slope in zip(weights, slopes, strict=True):
                weight -= 0.01 * (torch.zeros_like(weight) if slope is None else slope)


def _how_many(kind: Any) -> None:
    """As many numbers as the text prompts and one coupling have."""
    one, text = WIDTH * VISION + VISION, DEPTH * N_CTX * WIDTH
    came = sum(weight.numel() for weight in _built(kind).parameters())
    if came == text + one:
        return
    cause = "it learns text prompts and one linear function with its bias, and no more"
    raise Finding(f"{text} + {one} = {text + one} numbers that learn", f"{came:,}", cause, came)


def _same_start(kind: Any) -> None:
    """It starts where MaPLe does: its text prompts, and the coupling of its first layer."""
    mine, its = _built(kind), _built(MaPLe)
    expected = "the preset's start: its text prompts, and its coupling of the first layer"
    if not all(torch.equal(*pair) for pair in zip(mine.text, its.text, strict=True)):
        raise Finding(expected, "other text prompts", "leave the text prompts alone: change one thing at a time")
    wanted, came = (learner.vision_prompts()[0].detach() for learner in (its, mine))
    if not agree(wanted, came, 1e-5):
        cause = "a new function was drawn: take self.couple[0], which super().__init__ made, to change one thing only"
        raise Finding(expected, "another coupling", cause, came, 1e-5)


SHARED = Exercise(
    number="09.2",
    title="One coupling for all layers",
    reference=SharedCoupling,
    facets=(
        Facet("a kind of MaPLe", _a_maple),
        Facet("a prompt per layer", _its_prompts),
        Facet("each from its own text prompt", _own_text),
        Facet("one function, which stays one", _one_function),
        Facet("nothing else learns", _how_many),
        Facet("the preset's start", _same_start),
    ),
    hints=(
        "After super().__init__ the learner is a MaPLe: self.couple holds J couplings. Which of them should stay, and "
        "what must become of the others?",
        "self.couple = ... puts something else in their place; what is replaced is no parameter any more. "
        "vision_prompts then calls the one function on every text prompt of self.text.",
        "In __init__: self.couple = self.couple[0]. In vision_prompts: a list with self.couple(prompt) for every "
        "prompt of self.text.",
    ),
    meaning="One factor changed: how many functions couple the towers. Text prompts, start and schedule are as before.",
    mistakes=SHARED_MISTAKES,
)


# 09.3: a network of as many weights

REAL = SimpleNamespace(text_width=512, vision_width=768, device=torch.device("cpu"))  # ViT-B/16's widths
EVEN = SimpleNamespace(text_width=128, vision_width=192, device=torch.device("cpu"))  # h is 76.8 before rounding


def small_network(clip: Any) -> nn.Sequential:
    """A network d_t -> h -> d_v (linear, ReLU, linear) with about as many weights as a linear layer d_t -> d_v."""
    a, b = clip.text_width, clip.vision_width
    h = round(a * b / (a + b))
    return torch.nn.Sequential(torch.nn.Linear(a, h), torch.nn.ReLU(), torch.nn.Linear(h, b))


HIDDEN = "round(a * b / (a + b))"
BEFORE, BEND, LAST = "torch.nn.Linear(a, h), ", "torch.nn.ReLU(), ", "torch.nn.Linear(h, b)"
NET = f"torch.nn.Sequential({BEFORE}{BEND}{LAST})"
TOO_FEW = "one too few: round to the nearest whole number, which need not be the one below"
FIXED = "the width in the middle is a fixed number: compute it from clip.text_width and clip.vision_width"
NETWORK_MISTAKES = Mistakes(
    {
        "as wide as text": Mistake(
            "as wide in the middle as a text prompt: the first of its two matrices alone has d_t * d_t weights",
            {HIDDEN: "a"},
        ),
        "as wide as vision": Mistake(
            "as wide in the middle as a vision prompt: two matrices then have far more weights than one", {HIDDEN: "b"}
        ),
        "mean width": Mistake(
            "that is the mean of the widths; the number of WEIGHTS is to be that of the linear one",
            {HIDDEN: "(a + b) // 2"},
        ),
        "rounded up": Mistake("rounded up: the nearest whole number is below", {HIDDEN: "-(-a * b // (a + b))"}),
        "twice": Mistake(
            "half of it: there are TWO matrices, h * d_t and h * d_v, which share the weights",
            {HIDDEN: f"2 * {HIDDEN}"},
        ),
        "bottleneck": Mistake(
            "that is CoCoOp's bottleneck, far smaller than a linear coupling: this is no fair rival",
            {HIDDEN: "a // 16"},
        ),
        "one too few": Mistake(TOO_FEW, {HIDDEN: f"{HIDDEN} - 1"}),
        "rounded down": Mistake(TOO_FEW, {HIDDEN: "a * b // (a + b)"}),
        "the small CLIP's number": Mistake(FIXED, {HIDDEN: "27"}),
        "ViT-B/16's number": Mistake(FIXED, {HIDDEN: "307"}),
        "four times": Mistake(words="solve h * d_t", patch={HIDDEN: "4 * a"}),
        "not rounded": Mistake(words="TypeError", patch={HIDDEN: "a * b / (a + b)"}),
        "reversed": Mistake(
            "the direction is reversed: text prompts go in, vision prompts come out",
            {"clip.text_width, clip.vision_width": "clip.vision_width, clip.text_width"},
        ),
        "text to text": Mistake(words="clip.text_width wide, and writes", patch={"Linear(h, b)": "Linear(h, a)"}),
        "a gap in the middle": Mistake(words="what the second takes in", patch={"Linear(h, b)": "Linear(h + 1, b)"}),
        "no bend": Mistake(
            "two linear layers without a bend between them are one linear function again: put a ReLU there", {BEND: ""}
        ),
        "bend at the end": Mistake(
            "a ReLU at the end lets no negative number out, and prompts need them: it stands in the middle",
            {BEND + LAST: f"{LAST}, torch.nn.ReLU()"},
        ),
        "three layers": Mistake(
            "two linear layers are enough: a third is another change", {LAST: f"torch.nn.Linear(h, h), {BEND}{LAST}"}
        ),
        "no biases": Mistake(words="keep the biases", patch={"Linear(a, h": "Linear(a, h, False"}),
        "linear": Mistake(
            "that is the linear coupling itself: the network has two linear layers, and a ReLU between",
            {NET: "torch.nn.Linear(a, b)"},
        ),
        "a list": Mistake(
            "a list of layers cannot be called: torch.nn.Sequential sends one's output into the next",
            {NET: f"[{BEFORE}{BEND}{LAST}]"},
        ),
        "last drawn first": Mistake(
            words="make the first layer before the last", patch={"return": f"last = {LAST}\nreturn", LAST: "last"}
        ),
        "seeded": Mistake(words="the notebook seeds", patch={"return": "torch.manual_seed(0)\nreturn"}),
        "no return": Mistake(words="did you forget", patch={"return": "made ="}),
    },
    small_network,
)


def _three_parts(fn: Function) -> None:
    """A Sequential of linear, ReLU, linear, with biases."""
    expected, came = "a torch.nn.Sequential of three: Linear, ReLU, Linear", fn(small_clip())
    if not isinstance(came, nn.Sequential):
        cause = "put the three parts into a torch.nn.Sequential(...), in their order"
        if came is None:
            cause = cause_of_type(None, nn.Sequential)
        raise Finding(expected, describe(came), cause, type(came).__name__)
    kinds = [type(part).__name__ for part in came]
    if kinds != ["Linear", "ReLU", "Linear"]:
        came, cause = "a Sequential of " + ", ".join(kinds), "first linear, then the bend, then linear"
        raise Finding(expected, came, cause, kinds)
    if any(part.bias is None for part in (came[0], came[2])):
        raise Finding(expected, "a layer without bias", "keep the biases, as the linear coupling has one")


def _ends(fn: Function) -> None:
    """From a text prompt's width to a vision prompt's."""
    first, _, last = fn(small_clip())
    inner, outer = (first.in_features, last.out_features), (first.out_features, last.in_features)
    expected = f"from d_t = {WIDTH} to d_v = {VISION} numbers, with the same width in the middle"
    if inner != (WIDTH, VISION):
        cause = "it reads text prompts, clip.text_width wide, and writes vision prompts, clip.vision_width wide"
        raise Finding(expected, f"from {inner[0]} to {inner[1]}", cause, inner)
    if outer[0] != outer[1]:
        cause = "what the first linear layer puts out is what the second takes in"
        raise Finding(expected, f"{outer[0]} out of the first, {outer[1]} into the second", cause)


def _budget(fn: Function) -> None:
    """As many weights as the linear coupling, to the nearest whole hidden width, for several widths."""
    for clip in (small_clip(), EVEN, REAL):
        wide, high = clip.text_width, clip.vision_width
        hidden = fn(clip)[0].out_features
        if hidden != round(wide * high / (wide + high)):
            cause = "solve h * d_t + h * d_v = d_t * d_v for h, and round to the nearest whole number"
            weights = f"{hidden} x ({wide} + {high}) = {hidden * (wide + high):,} weights"
            expected = f"about {wide} x {high} = {wide * high:,} weights, as in the linear coupling"
            raise Finding(expected, weights, cause, (wide, hidden))


def _drawn_in_order(fn: Function) -> None:
    """New weights with every call, as torch draws them from first to last."""
    with seeded(3):
        wanted = small_network(small_clip())
    with seeded(3):
        came = fn(small_clip())
    again = fn(small_clip())
    expected = "new layers from every call, drawn first to last as torch draws them"
    if torch.equal(came[0].weight, again[0].weight):
        raise Finding(expected, "the same numbers again", "no seed and no stored layer inside: the notebook seeds")
    if any(not weight.requires_grad for weight in came.parameters()):
        raise Finding(expected, "weights that ask for no gradient", "couplings learn: leave requires_grad as it is")
    if not agree(wanted[0].weight, came[0].weight, 0):
        cause = "make the first layer before the last, once each: another order is another start than our stored runs'"
        raise Finding(expected, "other random numbers from the same seed", cause)


NETWORK = Exercise(
    number="09.3",
    exempt=(AGAIN, RANDOM),
    title="A rival of the same size",
    reference=small_network,
    facets=(
        Facet("linear, ReLU, linear", _three_parts),
        Facet("from text to vision", _ends),
        Facet("as many weights as the linear coupling", _budget),
        Facet("new weights, in order", _drawn_in_order),
    ),
    hints=(
        "A linear layer d_t -> d_v has d_t * d_v weights (and a bias). The network has two matrices: d_t * h weights, "
        "and h * d_v. Which h makes their sum the same?",
        "h * (d_t + d_v) = d_t * d_v. Python's round(...) gives the nearest whole number. torch.nn.Sequential takes "
        "the three parts one after the other.",
        "hidden = round(clip.text_width * clip.vision_width / (clip.text_width + clip.vision_width)); then a "
        "Sequential of Linear(d_t, hidden), ReLU() and Linear(hidden, d_v).",
    ),
    meaning="If it does better or worse than the linear coupling, it is not because it has more or fewer weights.",
    mistakes=NETWORK_MISTAKES,
)


# 09.4: add instead of replace

STREAM, PROMPT = draw(3, 9, WIDTH, seed=1), draw(N_CTX, WIDTH, seed=2)  # [C, L, d], [n, d]


def add_prompt(x: Tensor, prompt: Tensor, start: int) -> Tensor:
    """The residual stream [B, L, d] with `prompt` [n, d] added to its tokens start..start+n-1."""
    n = len(prompt)
    middle = x[:, start : start + n] + prompt
    return torch.cat([x[:, :start], middle, x[:, start + n :]], dim=1)


N, SUM = "n = len(prompt)", "x[:, start : start + n] + prompt"
JOINED = "torch.cat([x[:, :start], middle, x[:, start + n :]], dim=1)"
ADD_MISTAKES = Mistakes(
    {
        "replaced": Mistake(
            "the prompt replaced what stood there, as in MaPLe: here both stay, added up",
            {SUM: "prompt.expand(len(x), -1, -1)"},
        ),
        "only the middle": Mistake(
            "the tokens of the prompt alone came back: return the whole stream", {JOINED: "middle"}
        ),
        "inserted": Mistake(
            "the prompt was inserted, so that the stream grew: add it to the tokens that stand at its places",
            {SUM: "prompt.expand(len(x), -1, -1)", "x[:, start + n :]": "x[:, start:]"},
        ),
        "one stream": Mistake(
            "one stream came back: x holds one for each sentence or picture, [B, L, d]", {JOINED: f"{JOINED}[0]"}
        ),
        "to all tokens": Mistake(
            "the prompt was added to all tokens: add it to the n tokens from `start` on", {JOINED: "x + prompt"}
        ),
        "nothing": Mistake("nothing changed: the sum was not returned", {JOINED: "x"}),
        "zeros elsewhere": Mistake(
            "what is returned is the prompt at its places and zeros elsewhere: the stream x itself is missing",
            {N: "n, x = len(prompt), x * 0"},
        ),
        "places 1..n": Mistake("`start` is not used: the prompt was added to 1..n", {N: "n, start = len(prompt), 1"}),
        "from 0": Mistake(
            "the prompt was added from token 0 on: it begins at `start`", {N: "n, start = len(prompt), 0"}
        ),
        "one late": Mistake(
            "the places are one too far to the right: the first of them is `start` itself",
            {N: f"{N}\nstart = min(start + 1, x.shape[1] - n)"},
        ),
        "the last": Mistake(
            "the prompt was added to the last n tokens: it begins at `start`", {N: f"{N}\nstart = x.shape[1] - n"}
        ),
        "subtracted": Mistake("the prompt was subtracted", {"+ prompt": "- prompt"}),
        "added twice": Mistake("the prompt was added twice", {"+ prompt": "+ 2 * prompt"}),
        "reversed": Mistake(
            "the prompt's tokens were added in reverse order: token j goes to place start + j",
            {"+ prompt": "+ prompt.flip(0)"},
        ),
        "first token": Mistake("only the first token of the prompt was added", {N: f"prompt = prompt[:1]\n{N}"}),
        "mean token": Mistake(
            "the mean of the prompt's tokens was added to each place: token j goes to place start + j",
            {"+ prompt": "+ prompt.mean(dim=0)"},
        ),
        "first sentence": Mistake(
            "the prompt was added to the first sentence alone: it is for all of them",
            {JOINED: f"torch.cat([{JOINED}[:1], x[1:]])"},
        ),
        "the mean of both": Mistake("half of each was taken: it is a sum, not a mean", {SUM: f"({SUM}) / 2"}),
        "others gone": Mistake(
            "the other tokens are gone: only those of the prompt change",
            {"[x[:, :start]": "[0 * x[:, :start]", "x[:, start + n :]": "0 * x[:, start + n :]"},
        ),
        "detached": Mistake(
            "x is cut off: the layers below must learn, too; no .detach(), .data",
            {"start + n] +": "start + n].detach() +"},
        ),
        "in place": Mistake(words="x was changed", patch={f"middle = {SUM}": SUM.replace("+ p", "+= p"), JOINED: "x"}),
        "no return": Mistake(words="did you forget", patch={"return": "y ="}),
    },
    add_prompt,
)


def _flows(fn: Function) -> tuple[Tensor, dict[str, Any]]:
    """What stands at the prompt's places, and the tensors that it must come from."""
    x, prompt = (value.clone().requires_grad_() for value in (STREAM, PROMPT))
    return fn(x, prompt, 4)[:, 4 : 4 + N_CTX], {"the prompt": prompt, "what stood at its places": x}


ADD = Exercise(
    number="09.4",
    title="Add instead of replace",
    reference=add_prompt,
    facets=(
        returns((STREAM, PROMPT, 4), tuple(STREAM.shape), torch.float32, letters="B, L, d", name="shape"),
        by_hand(
            (torch.tensor([[[1.0], [2], [3], [4], [5], [6]]]), torch.tensor([[10.0], [20]]), 2),
            torch.tensor([[[1.0], [2], [13], [24], [5], [6]]]),
            "10 and 20 are added to tokens 2 and 3",
        ),
        equals((STREAM, PROMPT, 4), add_prompt, name="in the middle"),
        equals((STREAM, PROMPT, 7), add_prompt, name="at the end, where vision prompts stand"),
        equals((STREAM, PROMPT[:1], 1), add_prompt, name="a prompt of one token"),
        gradient(_flows, reaches=("the prompt", "what stood at its places")),
        unchanged((STREAM, PROMPT, 4)),
    ),
    hints=(
        "Three parts of the stream: the tokens before `start`, the n tokens from there on, and the rest. Only the "
        "middle one changes.",
        "len(prompt) is n. Join x[:, :start], the changed middle and x[:, start + n :] with torch.cat(..., dim=1). "
        "A prompt [n, d] added to [B, n, d] goes to every one of the B.",
        "n = len(prompt); the middle is x[:, start : start + n] + prompt; torch.cat the three along dim=1.",
    ),
    meaning="A prompt now corrects what the layer before made of its places, and never throws it away.",
    mistakes=ADD_MISTAKES,
)


# 09.5: what does a table support?

DATASETS, SEEDS = ("A", "B", "C", "D"), (1, 2, 3)
BASE = ((61.0, 62.5, 60.1), (88.2, 87.0, 89.1), (74.3, 73.0, 75.6), (80.4, 81.9, 79.3))
CHANGES = {
    "preset": ((0.0,) * 3,) * 4,
    "red": ((5.6, 6.3, 4.8), (-2.6, -1.7, -2.3), (1.2, 0.3, 1.8), (-0.9, 0.4, -1.3)),
    "blue": ((-0.5, -0.9, -0.3), (-0.4, -0.7, -0.6), (-0.8, -0.2, -0.6), (-0.6, -1.0, -0.4)),
}
TABLE = runs(
    **{
        name: {
            (dataset, seed): round(BASE[i][j] + changes[i][j], 1)
            for i, dataset in enumerate(DATASETS)
            for j, seed in enumerate(SEEDS)
        }
        for name, changes in CHANGES.items()
    }
)
"""Harmonic means of an invented ablation: a preset and two variants, four datasets with three seeds each."""


def by_dataset(results: pd.DataFrame) -> pd.DataFrame:
    """The frame with the seeds of every dataset averaged: one run per variant and dataset, of seed 0."""
    means = results.groupby(["variant", "dataset"], sort=False).accuracy.mean().reset_index()
    return means.assign(seed=0)


def _sure(results: pd.DataFrame, variant: str, sign: int) -> bool:
    """Whether the mean difference lies beyond two standard errors on one side, by runs and by datasets."""
    found = (paired(frame, variant) for frame in (results, by_dataset(results)))
    return all(sign * mean > 2 * error for mean, error in found)


def _differs(results: pd.DataFrame, variant: str) -> bool:
    return _sure(results, variant, 1) or _sure(results, variant, -1)


HOLDS: dict[str, Callable[[pd.DataFrame], bool]] = {
    "A": lambda table: _sure(table, "red", 1),
    "B": lambda table: not _differs(table, "blue"),
    "C": lambda table: _sure(table, "blue", -1),
    "D": lambda table: _differs(table, "red"),
    "E": lambda table: not _differs(table, "red") and not _differs(table, "blue"),
}
(RIGHT,) = (letter for letter, holds in HOLDS.items() if holds(TABLE))  # exactly one

READING = Exercise(
    number="09.5",
    title="What does the table support?",
    reference=RIGHT,
    facets=(choice(RIGHT, "ABDE"),),
    hints=(
        "Do not look at the means alone. Which differences have the same sign on every dataset?",
        "Call your `paired` on TABLE for both variants, and then on the frame with each dataset's seeds averaged. "
        "How many standard errors is each mean away from zero?",
        "One variant has a small mean difference with a much smaller standard error, the other a large one with a "
        "standard error as large as itself, once each dataset counts as one.",
    ),
    meaning="Small and steady is better known than large and changing: the size of an effect is not its certainty.",
    mistakes=Mistakes(
        {
            "highest mean": Mistake(
                "the highest mean comes from one dataset: on two of four, red is worse. Averaged per dataset, its gain "
                "is smaller than twice its standard error",
                value="A",
            ),
            "overlap": Mistake(
                "the accuracies overlap because datasets differ, in the preset as in blue: take the differences of "
                "pairs, then the spread",
                value="B",
            ),
            "larger": Mistake(
                "the larger mean is also the less certain one: compare each with its own standard error", value="D"
            ),
            "nothing": Mistake(
                "that is the spread between datasets, which both share: the differences of pairs have another spread",
                value="E",
            ),
            "no choice": Mistake(words="none of the choices", value="F"),
        }
    ),
)

EXERCISES = (PAIRED, SHARED, NETWORK, ADD, READING)
