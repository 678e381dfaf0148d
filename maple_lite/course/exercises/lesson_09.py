"""The exercises of lesson 09, ablations: paired differences, two couplings, prompts that are added, and a reading."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from maple_lite.course.exercises.shared import draw, small_clip
from maple_lite.course.teach.causes import cause_of_type
from maple_lite.course.teach.exercise import Exercise, Facet, Finding
from maple_lite.course.teach.facets import Function, by_hand, choice, equals, gradient, returns, unchanged
from maple_lite.course.teach.values import agree, as_tensor, describe
from maple_lite.experiments.ablations import PRESET, SharedCoupling
from maple_lite.learners import MaPLe
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
    return _summed_up(_differences(results, variant))


def _differences(results: pd.DataFrame, variant: str, by: tuple[str, ...] = ("dataset", "seed")) -> pd.Series:
    """A variant's accuracies minus those of the preset with the same `by`, in the order of the variant's rows."""
    one, other = (results[results.variant == name] for name in (variant, PRESET))
    both = one.merge(other, on=list(by), suffixes=("", "_preset"))
    return both.accuracy - both.accuracy_preset


def _summed_up(values: pd.Series) -> tuple[float, float]:
    return float(values.mean()), float(values.std() / math.sqrt(len(values)))


HAND = runs(
    preset={("zodiac", 1): 80, ("zodiac", 2): 84, ("chess", 1): 60, ("chess", 2): 62},
    other={("zodiac", 1): 82, ("zodiac", 2): 85, ("chess", 1): 63, ("chess", 2): 64},
)
THIRD = runs(third={("zodiac", 1): 10, ("zodiac", 2): 30, ("chess", 1): 90, ("chess", 2): 20})
LACKING = HAND[~((HAND.variant == "other") & (HAND.dataset == "chess") & (HAND.seed == 2))]
GAPS = (-3.1, 0.4, -1.2, -2.0, 0.1, -0.7, -5.5, 0.9, -0.2)  # of nine runs, most of them below 0
NINE = {("abc"[i // 3], 1 + i % 3): 60.0 + 5 * (i // 3) + i for i in range(len(GAPS))}
LARGE = runs(preset=NINE, other={run: value + gap for (run, value), gap in zip(NINE.items(), GAPS, strict=True)})
MORE = HAND[~((HAND.variant == PRESET) & (HAND.dataset == "zodiac") & (HAND.seed == 1))]


def _known_pairs(results: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """What well-known mistakes make of a frame with as many runs of "other" as of the preset."""
    found = _differences(results, "other")
    own, base = (results[results.variant == name].accuracy for name in ("other", PRESET))
    mean, std, n = float(found.mean()), float(found.std()), len(found)
    by_dataset = found.groupby(results[results.variant == "other"].dataset.to_numpy()).mean()
    apart = math.sqrt((own.var() + base.var()) / n)
    return {
        "the sign is wrong: variant minus preset, so that better is positive": (-mean, std / n**0.5),
        "that is the standard deviation of single differences: a mean of n of them wobbles less, so divide by the "
        "square root of n": (mean, std),
        "that is the standard deviation with n below, and of single differences: take n - 1, pandas' own .std(), and "
        "divide by the square root of n": (mean, float(found.std(ddof=0))),
        "the standard deviation has n below (numpy's): that of a sample has n - 1, as pandas' .std()": (
            mean,
            float(found.std(ddof=0)) / n**0.5,
        ),
        "n - 1 belongs inside the standard deviation, where pandas has it; divide by the square root of n": (
            mean,
            std / (n - 1) ** 0.5,
        ),
        "you divided by n: it is the square root of n": (mean, std / n),
        "that is a variance: its square root is missing": (mean, std**2 / n),
        "the two are not paired: this is the spread of the ACCURACIES, which differ between datasets for reasons of "
        "their own. Subtract first, run by run, then take the spread": (mean, apart),
        "you subtracted two spreads: subtract accuracies first, run by run, then take one spread": (
            mean,
            abs(float(own.std() - base.std())) / n**0.5,
        ),
        "these are the variant's own accuracies: subtract the preset's": _summed_up(own),
        "the two numbers are exchanged: first the mean, then its standard error": (std / n**0.5, mean),
        "the seeds of a dataset were averaged first, which is another question: here every run is a pair": _summed_up(
            by_dataset
        ),
        "every run was compared with all datasets of its seed: a pair shares dataset AND seed": _summed_up(
            _differences(results, "other", ("seed",))
        ),
        "every run was compared with all seeds of its dataset: a pair shares dataset AND seed": _summed_up(
            _differences(results, "other", ("dataset",))
        ),
    }


def _pair_of(fn: Function, results: pd.DataFrame, variant: str = "other") -> tuple[float, float]:
    """The (mean, standard error) that a submission returns; Finding for something else than two numbers."""
    came = fn(results.copy(), variant)
    numbers = None if came is None or isinstance(came, str) else as_tensor(came)
    if numbers is None or numbers.shape != (2,):
        cause = "return both, separated by a comma: the mean, and its standard error"
        if came is None:
            cause = cause_of_type(None, tuple)
        elif numbers is not None and not numbers.ndim:
            cause = "one number says nothing of how sure it is: return the standard error, too"
        elif isinstance(came, pd.Series | pd.DataFrame):
            cause = "that is still a column or a table: take .mean() of it, and .std()"
        raise Finding("two numbers (mean, standard error)", describe(came), cause)
    mean, error = numbers.tolist()
    return mean, error


def _judge_pair(came: tuple[float, float], results: pd.DataFrame, why: str, cause: str) -> None:
    """Finding unless `came` is right for `results`."""
    wanted, found = paired(results, "other"), _differences(results, "other")
    if not agree(wanted, came, 1e-6):
        signed = ", ".join(f"{value:+g}" for value in found)
        expected = f"({wanted[0]:.3f}, {wanted[1]:.3f}), from the differences {signed}{why}"
        raise Finding(expected, f"({came[0]:.3f}, {came[1]:.3f})", cause)


def _two_numbers(fn: Function) -> None:
    """Two numbers."""
    _pair_of(fn, HAND)


def _hand_case(fn: Function) -> None:
    """Two datasets with two seeds each."""
    came = _pair_of(fn, HAND)
    named = (cause for cause, wrong in _known_pairs(HAND).items() if agree(wrong, came, 1e-6))
    _judge_pair(came, HAND, "", next(named, "print the differences first: one number for each dataset and seed"))


def _nine_runs(fn: Function) -> None:
    """Three datasets with three seeds each, on most of which the variant is worse."""
    came, found = _pair_of(fn, LARGE), _differences(LARGE, "other")
    mean, error = paired(LARGE, "other")
    known = {
        "a mean below 0 says that the variant is worse: keep its sign, no abs()": (abs(mean), error),
        "signs were dropped before the mean: runs that got better and worse then add up": _summed_up(found.abs()),
        "that is the median: the mean is asked for": (float(found.median()), error),
    }
    named = (cause for cause, wrong in known.items() if agree(wrong, came, 1e-6))
    cause = "is the number of runs, datasets or seeds built in? There are three datasets with three seeds here"
    _judge_pair(came, LARGE, "", next(named, cause))


def _any_order(fn: Function) -> None:
    """The rows of the frame may stand in any order."""
    results = HAND.sample(frac=1, random_state=1, ignore_index=True)
    cause = "rows were paired by their place in the frame: pair those of the same dataset and seed (pivot, or merge)"
    _judge_pair(_pair_of(fn, results), results, ", in whatever order rows stand", cause)


def _only_the_named(fn: Function) -> None:
    """Other variants in the frame change nothing."""
    results = pd.concat([THIRD, HAND], ignore_index=True)
    cause = "a third variant of the frame got in: take the rows of `variant`, and those of 'preset'"
    _judge_pair(_pair_of(fn, results), results, ", with a third variant in the frame", cause)


def _only_both(fn: Function) -> None:
    """A run that one of the two lacks is no pair."""
    came, found = _pair_of(fn, LACKING), _differences(LACKING, "other")
    own, base = (LACKING[LACKING.variant == name].accuracy for name in ("other", PRESET))
    cause = "a run without its partner is no pair: leave it out (dropna), and count only pairs"
    if not all(map(math.isfinite, came)):
        cause = "a missing run made NaN of it: leave out the differences that are NaN, dropna()"
    elif agree(float(own.mean() - base.mean()), came[0], 1e-6):
        cause = "the means are over different runs: the preset has one more, from another dataset. Subtract run by run"
    elif agree(float(found.std()) / 2, came[1], 1e-6):
        cause = "the run that is missing was counted: n is the number of pairs that there are, after dropna()"
    elif agree(float(found.sum()) / 4, came[0], 1e-6):
        cause = "the run that is missing counts as a difference of 0: leave it out"
    _judge_pair(came, LACKING, ": the fourth run is missing", cause)
    cause = "here it is the preset that lacks a run: leave out what either of the two lacks"
    _judge_pair(_pair_of(fn, MORE), MORE, ": the preset lacks the first run", cause)


def _more_columns(fn: Function) -> None:
    """Columns that are of no use here change nothing."""
    results = HAND.assign(shots=range(len(HAND)), config=[f"run {i}" for i in range(len(HAND))])
    cause = "other columns got in: pair runs by dataset and seed alone, and take the column accuracy"
    try:
        came = _pair_of(fn, results)
    except Exception as error:
        raise Finding("the same with more columns in the frame", f"{type(error).__name__}: {error}", cause) from None
    _judge_pair(came, results, ", with more columns in the frame", cause)


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
        Facet("four runs by hand", _hand_case),
        Facet("nine runs, most of them worse", _nine_runs),
        Facet("rows in any order", _any_order),
        Facet("other variants do not matter", _only_the_named),
        Facet("only pairs count", _only_both),
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
)


# 09.2: one coupling for all layers


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
    causes = {
        text + DEPTH * one: "the other couplings are still parameters of it, although nothing uses them: put one layer "
        "in the place of self.couple, or the same one everywhere",
        text + (DEPTH + 1) * one: "a coupling was added and the old ones kept: put it in the place of self.couple",
        text + 2 * one: "there are two couplings: one is for all layers, the first one too",
        text + one - VISION: "the coupling lost its bias: only the number of couplings should change",
        text: "the coupling is no parameter of it, and will not learn: keep it in an attribute, as a module",
    }
    cause = causes.get(came, "it learns text prompts and one linear function with its bias, and no more")
    raise Finding(f"{text} + {one} = {text + one} numbers that learn", f"{came:,}", cause)


def _same_start(kind: Any) -> None:
    """It starts where MaPLe does: its text prompts, and the coupling of its first layer."""
    mine, its = _built(kind), _built(MaPLe)
    expected = "the preset's start: its text prompts, and its coupling of the first layer"
    if not all(torch.equal(*pair) for pair in zip(mine.text, its.text, strict=True)):
        raise Finding(expected, "other text prompts", "leave the text prompts alone: change one thing at a time")
    with torch.no_grad():
        if agree(its.vision_prompts()[0], mine.vision_prompts()[0], 1e-5):
            return
        cause = "a new function was drawn: take self.couple[0], which super().__init__ made, to change one thing only"
        if agree(its.couple[1](its.text[0]), mine.vision_prompts()[0], 1e-5):
            cause = "that is the coupling of the deeper layers: take that of the first, self.couple[0], as we did"
    raise Finding(expected, "another coupling", cause)


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
)


# 09.3: a network of as many weights

REAL = SimpleNamespace(text_width=512, vision_width=768, device=torch.device("cpu"))  # ViT-B/16's widths
EVEN = SimpleNamespace(text_width=128, vision_width=192, device=torch.device("cpu"))  # h is 76.8 before rounding


def small_network(clip: Any) -> nn.Sequential:
    """A network d_t -> h -> d_v (linear, ReLU, linear) with about as many weights as a linear layer d_t -> d_v."""
    hidden = round(clip.text_width * clip.vision_width / (clip.text_width + clip.vision_width))
    return nn.Sequential(nn.Linear(clip.text_width, hidden), nn.ReLU(), nn.Linear(hidden, clip.vision_width))


def _three_parts(fn: Function) -> None:
    """A Sequential of linear, ReLU, linear, with biases."""
    expected, came = "a torch.nn.Sequential of three: Linear, ReLU, Linear", fn(small_clip())
    if not isinstance(came, nn.Sequential):
        cause = "put the three parts into a torch.nn.Sequential(...), in their order"
        if came is None:
            cause = cause_of_type(None, nn.Sequential)
        elif isinstance(came, nn.ModuleList | list | tuple):
            cause = "a list of layers cannot be called: torch.nn.Sequential sends one's output into the next"
        elif isinstance(came, nn.Linear):
            cause = "that is the linear coupling itself: the network has two linear layers, and a ReLU between"
        raise Finding(expected, describe(came), cause)
    kinds = [type(part) for part in came]
    if kinds != [nn.Linear, nn.ReLU, nn.Linear]:
        cause = "first linear, then the bend, then linear"
        if nn.ReLU not in kinds:
            cause = "two linear layers without a bend between them are one linear function again: put a ReLU there"
        elif kinds[-1] is nn.ReLU:
            cause = "a ReLU at the end lets no negative number out, and prompts need them: it stands in the middle"
        elif kinds.count(nn.Linear) > 2:
            cause = "two linear layers are enough: a third is another change"
        raise Finding(expected, "a Sequential of " + ", ".join(kind.__name__ for kind in kinds), cause)
    if any(part.bias is None for part in (came[0], came[2])):
        raise Finding(expected, "a layer without bias", "keep the biases, as the linear coupling has one")


def _ends(fn: Function) -> None:
    """From a text prompt's width to a vision prompt's."""
    first, _, last = fn(small_clip())
    inner, outer = (first.in_features, last.out_features), (first.out_features, last.in_features)
    expected = f"from d_t = {WIDTH} to d_v = {VISION} numbers, with the same width in the middle"
    if inner != (WIDTH, VISION):
        cause = "it reads text prompts, clip.text_width wide, and writes vision prompts, clip.vision_width wide"
        if inner == (VISION, WIDTH):
            cause = "the direction is reversed: text prompts go in, vision prompts come out"
        raise Finding(expected, f"from {inner[0]} to {inner[1]}", cause)
    if outer[0] != outer[1]:
        cause = "what the first linear layer puts out is what the second takes in"
        raise Finding(expected, f"{outer[0]} out of the first, {outer[1]} into the second", cause)


def _budget(fn: Function) -> None:
    """As many weights as the linear coupling, to the nearest whole hidden width, for several widths."""
    small = fn(small_clip())[0].out_features
    for clip in (small_clip(), EVEN, REAL):
        wide, high = clip.text_width, clip.vision_width
        hidden, right = fn(clip)[0].out_features, round(wide * high / (wide + high))
        if hidden == right:
            continue
        cause = "solve h * d_t + h * d_v = d_t * d_v for h, and round to the nearest whole number"
        known = {
            wide: "as wide in the middle as a text prompt: the first of its two matrices alone has d_t * d_t weights",
            high: "as wide in the middle as a vision prompt: two matrices then have far more weights than one",
            (wide + high) // 2: "that is the mean of the widths; the number of WEIGHTS is to be that of the linear one",
            right + 1: "rounded up: the nearest whole number is below",
            right - 1: "one too few: round to the nearest whole number, which need not be the one below",
            2 * right: "half of it: there are TWO matrices, h * d_t and h * d_v, which share the weights",
            wide // 16: "that is CoCoOp's bottleneck, far smaller than a linear coupling: this is no fair rival",
        }
        if clip is not small_clip() and hidden == small:
            cause = "the width in the middle is a fixed number: compute it from clip.text_width and clip.vision_width"
        weights = f"{hidden} x ({wide} + {high}) = {hidden * (wide + high):,} weights"
        expected = f"about {wide} x {high} = {wide * high:,} weights, as in the linear coupling"
        raise Finding(expected, weights, known.get(hidden, cause))


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
)


# 09.4: add instead of replace

STREAM, PROMPT = draw(3, 9, WIDTH, seed=1), draw(N_CTX, WIDTH, seed=2)  # [C, L, d], [n, d]


def add_prompt(x: Tensor, prompt: Tensor, start: int) -> Tensor:
    """The residual stream [B, L, d] with `prompt` [n, d] added to its tokens start..start+n-1."""
    return x + F.pad(prompt, (0, 0, start, x.shape[1] - start - len(prompt)))


def _replaced(x: Tensor, prompt: Tensor, start: int) -> Tensor:
    return torch.cat([x[:, :start], prompt.expand(len(x), -1, -1), x[:, start + len(prompt) :]], dim=1)


def _from(place: Callable[[int, int, int], int]) -> Function:
    """Adds the prompt from `place(start, L, n)` on."""
    return lambda x, prompt, start: add_prompt(x, prompt, place(start, x.shape[1], len(prompt)))


def _with(change: Callable[[Tensor], Tensor]) -> Function:
    """Adds `change(prompt)` in place of the prompt."""
    return lambda x, prompt, start: add_prompt(x, change(prompt), start)


ADDED: dict[str, Function] = {
    "the prompt replaced what stood there, as in MaPLe: here both stay, added up": _replaced,
    "nothing changed: the sum was not returned": lambda x, prompt, start: x,
    "what is returned is the prompt at its places and zeros elsewhere: the stream x itself is missing": (
        lambda x, prompt, start: add_prompt(x * 0, prompt, start)
    ),
    "`start` is not used: the prompt was added to 1..n": _from(lambda start, length, n: 1),
    "the prompt was added from token 0 on: it begins at `start`": _from(lambda start, length, n: 0),
    "the places are one too far to the right: the first of them is `start` itself": _from(
        lambda start, length, n: min(start + 1, length - n)
    ),
    "the prompt was added to the last n tokens: it begins at `start`": _from(lambda start, length, n: length - n),
    "the prompt was subtracted": _with(lambda prompt: -prompt),
    "the prompt was added twice": _with(lambda prompt: 2 * prompt),
    "the prompt's tokens were added in reverse order: token j goes to place start + j": _with(
        lambda prompt: prompt.flip(0)
    ),
    "only the first token of the prompt was added": _with(lambda prompt: prompt[:1]),
    "the mean of the prompt's tokens was added to each place: token j goes to place start + j": _with(
        lambda prompt: prompt.mean(dim=0, keepdim=True).expand_as(prompt)
    ),
    "the prompt was added to the first sentence alone: it is for all of them": lambda x, prompt, start: torch.cat(
        [add_prompt(x[:1], prompt, start), x[1:]]
    ),
    "half of each was taken: it is a sum, not a mean": lambda x, prompt, start: torch.lerp(
        x, _replaced(x, prompt, start), 0.5
    ),
    "the other tokens are gone: only those of the prompt change": lambda x, prompt, start: (
        add_prompt(x, prompt, start) * add_prompt(x * 0, torch.ones_like(prompt), start)
    ),
}
ADDED_SHAPES = {
    (3, 11, WIDTH): "the prompt was inserted, so that the stream grew: add it to the tokens that stand at its places",
    (3, 2, WIDTH): "the tokens of the prompt alone came back: return the whole stream",
    (9, WIDTH): "one stream came back: x holds one for each sentence or picture, [B, L, d]",
}


def _flows(fn: Function) -> tuple[Tensor, dict[str, Any]]:
    """What stands at the prompt's places, and the tensors that it must come from."""
    x, prompt = (value.clone().requires_grad_() for value in (STREAM, PROMPT))
    return fn(x, prompt, 4)[:, 4 : 4 + N_CTX], {"the prompt": prompt, "what stood at its places": x}


ADD = Exercise(
    number="09.4",
    title="Add instead of replace",
    reference=add_prompt,
    facets=(
        returns(
            (STREAM, PROMPT, 4),
            tuple(STREAM.shape),
            torch.float32,
            letters="B, L, d",
            causes=ADDED_SHAPES,
            name="shape",
        ),
        by_hand(
            (torch.tensor([[[1.0], [2], [3], [4], [5], [6]]]), torch.tensor([[10.0], [20]]), 2),
            torch.tensor([[[1.0], [2], [13], [24], [5], [6]]]),
            "10 and 20 are added to tokens 2 and 3",
            mistakes=ADDED,
        ),
        equals((STREAM, PROMPT, 4), add_prompt, mistakes=ADDED, name="in the middle"),
        equals((STREAM, PROMPT, 7), add_prompt, mistakes=ADDED, name="at the end, where vision prompts stand"),
        equals((STREAM, PROMPT[:1], 1), add_prompt, mistakes=ADDED, name="a prompt of one token"),
        gradient(
            _flows,
            reaches=("the prompt", "what stood at its places"),
            causes={"what stood at its places": "x is cut off: the layers below must learn, too; no .detach(), .data"},
        ),
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
    facets=(
        choice(
            RIGHT,
            {
                "A": "the highest mean comes from one dataset: on two of four, red is worse. Averaged per dataset, its "
                "gain is smaller than twice its standard error",
                "B": "the accuracies overlap because datasets differ, in the preset as in blue: take the differences "
                "of pairs, then the spread",
                "D": "the larger mean is also the less certain one: compare each with its own standard error",
                "E": "that is the spread between datasets, which both share; the differences of pairs have another",
            },
        ),
    ),
    hints=(
        "Do not look at the means alone. Which differences have the same sign on every dataset?",
        "Call your `paired` on TABLE for both variants, and then on the frame with each dataset's seeds averaged. "
        "How many standard errors is each mean away from zero?",
        "One variant has a small mean difference with a much smaller standard error, the other a large one with a "
        "standard error as large as itself, once each dataset counts as one.",
    ),
    meaning="Small and steady is better known than large and changing: the size of an effect is not its certainty.",
)

EXERCISES = (PAIRED, SHARED, NETWORK, ADD, READING)
