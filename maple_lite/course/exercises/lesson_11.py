"""The exercises of lesson 11, looking inside: nearest words, attention to prompts, what a map shows, AUROC and FPR."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from numbers import Real

import torch
import torch.nn.functional as F
from torch import Tensor

from maple_lite.analysis.ood import auroc, fpr95
from maple_lite.course.exercises.shared import draw
from maple_lite.course.teach.causes import cause_of_type
from maple_lite.course.teach.exercise import Exercise, Facet, Finding
from maple_lite.course.teach.facets import Function, by_hand, call, choice, equals, invariant, returns, unchanged
from maple_lite.course.teach.values import agree, describe, literal

# 11.1: nearest words


def nearest(prompt: Tensor, embeddings: Tensor, known: Tensor, k: int) -> Tensor:
    """Token ids [n, k], among `known` [W], of the embeddings [V, d] nearest to every prompt token [n, d]."""
    gaps = prompt[:, None] - embeddings[known][None]  # [n, W, d]
    return known[gaps.square().sum(dim=-1).argsort(dim=-1)[:, :k]]


def _ranked(score: Callable[[Tensor, Tensor], Tensor], *, first: int = 0) -> Function:
    """Nearest words by another score [n, W], the largest first, from place `first` on."""
    return lambda prompt, embeddings, known, k: known[
        score(prompt, embeddings[known]).argsort(dim=-1, descending=True)[:, first : first + k]
    ]


def _vocabulary() -> tuple[Tensor, Tensor]:
    """Embeddings [40, 6] of different lengths: 14 known words, two tokens that are no words, and rows of zeros."""
    known = torch.tensor([37, 4, 9, 30, 2, 17, 21, 11, 26, 33, 6, 14, 39, 23])
    embeddings = torch.zeros(40, 6)
    embeddings[known] = draw(len(known), 6, seed=3) * torch.linspace(0.5, 3, len(known))[:, None]
    embeddings[[7, 38]] = PROMPT[[0, 3]] + 0.1  # as near as SOS and EOT may be, which are trained
    return embeddings, known


PROMPT = draw(5, 6, seed=4)
EMBEDDINGS, KNOWN = _vocabulary()
WORDS = (PROMPT, EMBEDDINGS, KNOWN, 4)
NEAREST_MISTAKES: dict[str, Function] = {
    "these are the farthest: topk takes the largest unless you say largest=False": _ranked(torch.cdist),
    "you searched the whole vocabulary: most of its rows were never trained, and stand at zero. Only rows `known`": (
        lambda p, e, known, k: nearest(p, e, torch.arange(len(e)), k)
    ),
    "you left out rows of zeros alone: SOS and EOT have been trained, too, and are no words. Only rows `known`": (
        lambda p, e, known, k: nearest(p, e, e.any(dim=-1).nonzero()[:, 0], k)
    ),
    "these are places in the list `known`, not token ids: known[places] makes ids of them": (
        lambda p, e, known, k: nearest(p, e[known], torch.arange(len(known)), k)
    ),
    "you ranked by dot products without normalising, and long embeddings win: take distances": _ranked(
        lambda p, rows: p @ rows.T
    ),
    "you ranked by cosine similarity, which forgets lengths: this exercise takes Euclidean distances": _ranked(
        lambda p, rows: F.normalize(p, dim=-1) @ F.normalize(rows, dim=-1).T
    ),
    "the right words in the wrong order: the nearest comes first": (
        lambda p, e, known, k: nearest(p, e, known, k).flip(-1)
    ),
    "the nearest one is missing: a prompt token is no word, so that none needs to be left out": _ranked(
        lambda p, rows: -torch.cdist(p, rows), first=1
    ),
    "you added up absolute differences: the Euclidean distance squares them": _ranked(
        lambda p, rows: -torch.cdist(p, rows, p=1)
    ),
    "you sorted along the prompt's tokens, dim 0: in distances [n, W] the words are the last dimension": (
        lambda p, e, known, k: known[torch.cdist(p, e[known]).argsort(dim=0)[:, :k]]
    ),
    "you compared with the tokens' mean: every prompt token has neighbours of its own": (
        lambda p, e, known, k: nearest(p.mean(dim=0, keepdim=True).expand_as(p), e, known, k)
    ),
}
HAND = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [4.0, 3.0], [1.0, 3.0], [-5.0, -5.0]])

NEAREST = Exercise(
    number="11.1",
    title="The nearest words",
    reference=nearest,
    facets=(
        returns(
            WORDS,
            (5, 4),
            torch.long,
            letters="n, k",
            causes={
                (4, 5): "k rows came: ask for the nearest along the words, dim=-1 of distances [n, W]",
                (4, 14): "those are the tokens nearest to every word, dim=0: the words are dim=-1 of distances [n, W]",
                (14, 4): "a row per word came: distances are [n, W], with the prompt first, cdist(prompt, ...)",
                (40, 4): "a row per word came: distances are [n, W], with the prompt first, cdist(prompt, ...)",
                (5, 14): "all words came: keep the first k",
                (5, 40): "all words came, and of the whole vocabulary: keep the first k of the words `known`",
                (4,): "one row for all tokens: every prompt token has its own k words",
                (5, 4, 6): "those are the embeddings themselves: return their token ids",
            },
        ),
        by_hand(
            (torch.tensor([[0.1, 0.3]]), HAND, torch.tensor([1, 2, 3, 4, 5]), 2),
            torch.tensor([[2, 1]]),
            "(0.1, 0.3) is 0.71 from word 2 at (0, 1), 0.95 from word 1 at (1, 0), and farther from the others; row 0 "
            "is not among the known words",
            mistakes=NEAREST_MISTAKES,
            name="two words by hand",
        ),
        equals(WORDS, nearest, name="the same words as the reference", mistakes=NEAREST_MISTAKES),
        invariant(
            "the order of the known words does not matter",
            lambda fn: agree(call(fn, WORDS), call(fn, (PROMPT, EMBEDDINGS, KNOWN.flip(0), 4)), 0),
            expected="the same ids when `known` lists the same words in another order",
            cause="ids do not depend on where a word stands in the list: known[places]",
        ),
        unchanged(WORDS),
    ),
    hints=(
        "Every prompt token is a point among the words' points. How far is it from each of them? And which rows of "
        "the embedding are words that the tiny CLIP has ever seen?",
        "embeddings[known] are the rows [W, d] of the known words. torch.cdist(a, b) gives the distances of all rows "
        "of a from all rows of b. Then the k smallest of every row; .topk(k, largest=False) has .indices.",
        "distances = torch.cdist(prompt, embeddings[known]) is [n, W]; its topk(k, largest=False).indices are places "
        "in `known`, and known[...] of them are token ids.",
    ),
    meaning="Every point has a nearest word, however far. Always look at the distance, too.",
)

# 11.2: the share of attention


def prompt_share(weights: Tensor, readers: Tensor, places: Tensor) -> Tensor:
    """Shares [R] of the attention weights [R, H, L, L] that token `readers` [R] pays to tokens `places` [n]."""
    mask = torch.zeros(weights.shape[-1], device=weights.device).index_fill(0, places, 1.0)  # [L]
    asked = F.one_hot(readers, weights.shape[-1]).to(weights.dtype)  # [R, L]
    return torch.einsum("rq,rhqk,k->r", asked, weights, mask) / weights.shape[1]


def _read(pick: Callable[[Tensor, Tensor], Tensor], *, shift: int = 0, reduce: str = "mean") -> Function:
    """Shares of the tokens at `places` + shift, of the rows [R, H, L] that `pick` takes, the heads reduced."""

    def share(weights: Tensor, readers: Tensor, places: Tensor) -> Tensor:
        per_head = pick(weights, readers)[:, :, places + shift].sum(dim=-1)  # [R, H]
        return per_head.amax(dim=1) if reduce == "max" else getattr(per_head, reduce)(dim=1)

    return share


def _row(weights: Tensor, readers: Tensor) -> Tensor:
    return weights[torch.arange(len(weights)), :, readers]


def _column(weights: Tensor, readers: Tensor) -> Tensor:
    return weights[torch.arange(len(weights)), :, :, readers]


def _causal() -> Tensor:
    """Attention weights [3, 4, 8, 8] of which each row sums to 1 and no token looks ahead."""
    scores = 1.5 * draw(3, 4, 8, 8, seed=5)
    return scores.masked_fill(torch.ones(8, 8).triu(1).bool(), -math.inf).softmax(dim=-1)


WEIGHTS, READERS, PLACES = _causal(), torch.tensor([5, 7, 4]), torch.tensor([1, 4])
ATTENTION = (WEIGHTS, READERS, PLACES)
SHARE_MISTAKES: dict[str, Function] = {
    "that is the column: what the other tokens pay to the reader. weights[r, h, i, j] is what i pays to j": _read(
        _column
    ),
    "you read the last token everywhere: short names end earlier, and `readers` says where": _read(
        lambda w, readers: w[:, :, -1]
    ),
    "you read token 0 everywhere: that is CLS in the image tower, but SOS in the text tower. Take `readers`": _read(
        lambda w, readers: w[:, :, 0]
    ),
    "the heads were added up, so that the share can be above 1: average them": _read(_row, reduce="sum"),
    "that is the head that looks most: average the heads": _read(_row, reduce="max"),
    "you averaged over the prompt's places: the share of the whole prompt is their sum": (
        lambda w, readers, places: _read(_row)(w, readers, places) / len(places)
    ),
    "you averaged over all tokens as readers: only one reads out, token readers[r]": (
        lambda w, readers, places: w[..., places].sum(dim=-1).mean(dim=(1, 2))
    ),
    "the places are one too low: `places` already counts from 0": _read(_row, shift=-1),
    "the places are one too high: `places` already counts from 0": _read(_row, shift=1),
    "every reader was looked up in the first example: token readers[r] is one of example r": (
        lambda w, readers, places: prompt_share(w[:1].expand_as(w), readers, places)
    ),
    "that is the first head alone: average all of them": (
        lambda w, readers, places: prompt_share(w[:, :1], readers, places)
    ),
    "that is what the other places get: 1 minus it": lambda *given: 1 - prompt_share(*given),
    "you took places 1 to n: in the image tower the prompts stand at the end. Take those of `places`": (
        lambda w, readers, places: prompt_share(w, readers, torch.arange(1, 1 + len(places)))
    ),
    "places 1 and 2 are built in: take those that stand in `places`": (
        lambda w, readers, places: prompt_share(w, readers, torch.tensor([1, 2]))
    ),
    "you took everything from the first place to the last: take the places themselves, weights[..., places]": (
        lambda w, readers, places: prompt_share(w, readers, torch.arange(int(places[0]), int(places[-1]) + 1))
    ),
    "softmax was taken once more: the weights are what comes out of it, and every row sums to 1": (
        lambda w, readers, places: prompt_share(w.softmax(dim=-1), readers, places)
    ),
    "that is the share over an even one: the notebook draws the two beside each other. Return the share itself": (
        lambda w, readers, places: prompt_share(w, readers, places) * (readers + 1) / len(places)
    ),
    "only the first of the places was taken": lambda w, readers, places: prompt_share(w, readers, places[:1]),
}
TWO_HEADS = torch.tensor(
    [[[[0.4, 0.4, 0.2], [0.5, 0.4, 0.1], [0.2, 0.6, 0.2]], [[0.7, 0.1, 0.2], [0.3, 0.1, 0.6], [0.0, 0.8, 0.2]]]]
)  # [R, H, L, L] = [1, 2, 3, 3]

SHARE = Exercise(
    number="11.2",
    title="The share of attention that prompts get",
    reference=prompt_share,
    facets=(
        returns(
            ATTENTION,
            (3,),
            torch.float32,
            letters="R",
            causes={
                (3, 4): "a share per head came: average over the heads",
                (4, 3): "a share per head came: average over the heads",
                (3, 2): "a share per prompt token came: add them up",
                (3, 8): "a share for every token as reader came: only token readers[r] reads out",
                (3, 3): "weights[:, :, readers] takes all readers of every example: pair them, with "
                "torch.arange(len(weights)) in front",
                (3, 4, 2): "nothing was added up: sum over the places, average over the heads",
                (4,): "you averaged over the examples: every example keeps its own share",
            },
        ),
        by_hand(
            (TWO_HEADS, torch.tensor([2]), torch.tensor([1])),
            torch.tensor([0.7]),
            "token 2 pays 0.6 to token 1 in the first head and 0.8 in the second",
            mistakes=SHARE_MISTAKES,
            name="two heads by hand",
        ),
        equals(ATTENTION, prompt_share, name="the same shares as the reference", mistakes=SHARE_MISTAKES),
        invariant(
            "all tokens together get 1",
            lambda fn: agree(torch.ones(3), call(fn, (WEIGHTS, READERS, torch.arange(8))), 1e-4),
            expected="a share of 1 if every token is a place",
            cause="the number of places is built in (1 and 2?): use `places`",
        ),
        unchanged(ATTENTION),
    ),
    hints=(
        "A row of attention weights is a budget of 1: what one token pays to all. Whose row is it? Which entries of "
        "it are spent on prompts?",
        "Pick the reader's row of every example first: weights[torch.arange(R), :, readers] is [R, H, L]. Then the "
        "entries at `places`, added up; then the mean of the heads.",
        "rows = weights[torch.arange(len(weights)), :, readers], and then rows[:, :, places].sum(dim=-1).mean(dim=1).",
    ),
    meaning="A share says where the reading token looks. It does not say what that look changes.",
)

# 11.3: what a map shows

MAP = Exercise(
    number="11.3",
    title="What may stand below the t-SNE map?",
    reference="B",
    facets=(
        choice(
            "B",
            {
                "A": "t-SNE spreads dense groups and shrinks loose ones until all have about the same number of "
                "neighbours: how large a group is drawn says nothing about how alike its pictures are",
                "C": "distances between groups are what t-SNE gives up to keep neighbours: measure class centres in "
                "the real features, or count who is taken for whom",
                "D": "the gaps are made by the method, which pushes apart what are not near neighbours; borders "
                "between classes depend on the text features, and those are not in the picture at all",
            },
        ),
    ),
    hints=(
        "t-SNE moves points until near neighbours are near. What does it give up for that?",
        "Go through the four and ask of each: is it about a point's near neighbours, or about sizes, distances "
        "between groups, or empty space?",
        "Three of them read a size, a far distance or a gap. One reads neighbours alone.",
    ),
    meaning="A map makes you curious. What you then claim, count or measure in all 128 dimensions.",
)

# 11.4 and 11.5: scores of pictures inside and outside

INSIDE = (draw(36, seed=6) * 2 + 6).round(decimals=1)
OUTSIDE = (draw(17, seed=7) * 2 + 4).round(decimals=1)
SCORES = (INSIDE, OUTSIDE)


def _percent(fn: Function) -> None:
    """One number from 0 to 100."""
    expected, came = "a number, in percent", fn(*SCORES)
    if isinstance(came, tuple):
        raise Finding(expected, describe(came), "several numbers are returned: only the percent are asked for")
    if isinstance(came, Tensor) and came.numel() > 1:
        cause = "one number for all pairs: .mean() over them" if came.ndim == 2 else "one number for all pictures"
        raise Finding(expected, describe(came), cause)
    if isinstance(came, bool) or not isinstance(came, Real | Tensor):
        raise Finding(expected, describe(came), cause_of_type(came, float))
    value = float(came)
    if not 0 <= value <= 100:
        raise Finding(expected, literal(value), "percent lie between 0 and 100: is that a count, or not a share?")


def _sharp(measure: Function) -> Facet:
    """A facet: scores in float64 that differ far behind the point stay different, as those of a softmax do."""
    close = [1 + 1e-11 * scores.double() for scores in SCORES]
    return invariant(
        "close scores stay apart",
        lambda fn: agree(measure(*close), call(fn, close), 1e-3),
        expected=f"{measure(*close):.1f} for scores of float64 that differ in the eleventh digit",
        cause="scores were made coarser (.float(), round, isclose): compare them as they came",
    )


def _pairs(compare: Callable[[Tensor, Tensor], Tensor]) -> Function:
    """Percent of all pairs, by what `compare` says of scores [N, 1] and [M]."""
    return lambda inside, outside: 100 * compare(inside[:, None], outside).double().mean().item()


def _best_accuracy(inside: Tensor, outside: Tensor) -> float:
    """The best accuracy in percent at any one threshold."""
    right = [((inside >= t).sum() + (outside < t).sum()).item() for t in torch.cat([inside, outside])]
    return 100 * max(right) / (len(inside) + len(outside))


def _side_by_side(inside: Tensor, outside: Tensor) -> float:
    few = min(len(inside), len(outside))
    first, second = inside[:few], outside[:few]
    return 100 * ((first > second) + 0.5 * (first == second)).double().mean().item()


def _same(scores: Mapping[str, Function], value: Function) -> dict[str, Function]:
    """Mistakes that percent and shares have in common with a measure, after its own."""
    return dict(scores) | {
        "that is a share: in percent it is 100 times as much": lambda *given: value(*given) / 100,
        "that is the other side: 100 minus it. Who has to be above whom?": lambda *given: 100 - value(*given),
        "the two lists changed places: `inside` comes first": lambda inside, outside: value(outside, inside),
    }


AUROC_MISTAKES = _same(
    {
        "ties count fully: `>=` gives a pair of equal scores a whole point, and it is worth half a one": _pairs(
            lambda a, b: a >= b
        ),
        "ties count nothing: `>` gives a pair of equal scores no point, and it is worth half a one": _pairs(
            lambda a, b: a > b
        ),
        "ties count nothing, and the direction is reversed: a pair is won where the one INSIDE is higher": _pairs(
            lambda a, b: a < b
        ),
        "that is the best accuracy at one threshold: AUROC has no threshold, it compares pairs": _best_accuracy,
        "you compared pictures at the same places of the lists: every one inside meets every one outside": (
            _side_by_side
        ),
        "you compared with the mean of those outside: compare with every single one": (
            lambda inside, outside: 100 * (inside > outside.mean()).double().mean().item()
        ),
        "you compared with the mean of those inside: compare every single one with every one outside": (
            lambda inside, outside: 100 * (inside.mean() > outside).double().mean().item()
        ),
        "it is a share and not in percent, and ties count nothing: 100 times, and half a point for a tie": (
            lambda inside, outside: (inside[:, None] > outside).double().mean().item()
        ),
    },
    auroc,
)

AUROC = Exercise(
    number="11.4",
    title="AUROC: how many pairs are in the right order",
    reference=auroc,
    facets=(
        Facet("a number in percent", _percent),
        by_hand(
            (torch.tensor([2.0, 0.0, 5.0]), torch.tensor([2.0, 1.0, 20.0])),
            350 / 9,
            "of the nine pairs 5 > 2, 5 > 1 and 2 > 1 are won, and 2 = 2 is half won: 3.5 of 9",
            mistakes=AUROC_MISTAKES,
            name="nine pairs by hand",
        ),
        equals(SCORES, auroc, 1e-3, name="the same as the reference", mistakes=AUROC_MISTAKES),
        invariant(
            "only the order counts",
            lambda fn: agree(call(fn, SCORES), call(fn, (INSIDE.exp(), OUTSIDE.exp())), 1e-3),
            expected="the same AUROC for exp(scores), which are in the same order",
            cause="a number of the scores themselves is in there (a mean, a difference, a fixed threshold)",
        ),
        _sharp(auroc),
        unchanged(SCORES),
    ),
    hints=(
        "Take one picture from inside and one from outside. Which of the two should have the higher score? In how "
        "many of all such pairs has it?",
        "inside[:, None] is [N, 1] and outside is [M]: comparing them gives a table [N, M] of all pairs. Ask twice, "
        "for > and for ==, and give the second half a point.",
        "won = inside[:, None] > outside and tied = inside[:, None] == outside; then 100 times the mean of "
        "won.float() + 0.5 * tied.float(), as a number.",
    ),
    meaning="AUROC 50 is a coin, 100 a perfect order. It needs no threshold, and it names none that you could use.",
)


def _passing(threshold: Callable[[Tensor, Tensor], Tensor | float], strict: bool = False) -> Function:
    """Percent of those outside that pass a threshold, made of the scores inside and outside."""

    def rate(inside: Tensor, outside: Tensor) -> float:
        limit = threshold(inside, outside)
        return 100 * ((outside > limit) if strict else (outside >= limit)).double().mean().item()

    return rate


def _limit(scores: Tensor, share: float = 0.95) -> Tensor:
    """The highest threshold that at least this share of the scores pass."""
    return scores.sort(descending=True).values[math.ceil(round(share * len(scores), 6)) - 1]


FPR_MISTAKES = _same(
    {
        "the threshold came from the scores OUTSIDE: those are foreign, and nobody has them when it is set": _passing(
            lambda inside, outside: _limit(outside)
        ),
        "that is the wrong end: only 5% of those inside pass your threshold, and 95% must": _passing(
            lambda inside, outside: _limit(inside, 0.05)
        ),
        "a quantile of the wrong side: only 5% of those inside lie above torch.quantile(inside, 0.95)": _passing(
            lambda inside, outside: inside.quantile(0.95)
        ),
        "a score that equals the threshold passes: >= and not >": _passing(lambda inside, _: _limit(inside), True),
        "all of those inside pass your threshold, their smallest score: 95% are enough": _passing(
            lambda inside, _: inside.min()
        ),
        "torch.quantile goes between two scores, and fewer than 95% of those inside may pass: sort, and count": (
            _passing(lambda inside, _: inside.quantile(0.05))
        ),
        "one more of those inside passes than must: exactly 95% may pass, where that is a whole number": _passing(
            lambda inside, _: inside.quantile(0.05, interpolation="lower")
        ),
        "one too few of those inside pass: round their number UP, to at least 95%": _passing(
            lambda inside, _: inside.sort(descending=True).values[int(0.95 * len(inside)) - 1]
        ),
        "that is 95% of the range of the scores: count pictures, not units of score": _passing(
            lambda inside, _: inside.min() + 0.05 * (inside.max() - inside.min())
        ),
        "you counted from the top of a list that is not in order: sort the scores inside first": _passing(
            lambda inside, _: inside[math.ceil(round(0.95 * len(inside), 6)) - 1]
        ),
        "the threshold is the mean of those inside, which about half of them pass": _passing(
            lambda inside, _: inside.mean()
        ),
        "that counts those INSIDE who pass: the question is which percent of those outside do": (
            lambda inside, _: 100 * (inside >= _limit(inside)).double().mean().item()
        ),
        "you let 5% of the strangers in and counted who passes inside: it is 95% inside, and then the strangers": (
            lambda inside, outside: 100 * (inside >= _limit(outside, 0.05)).double().mean().item()
        ),
    },
    fpr95,
)
THIRTY = torch.tensor([60.0, *range(29, 0, -1)])
FOREIGN = torch.tensor([0.5, 1.5, 2.0, 2.2, 2.8, 3.5, 10.0, 28.7, 29.0, 70.0, 80.0])
FORTY, SEVEN = torch.arange(40.0, 0.0, -1.0), torch.tensor([0.5, 1.5, 2.0, 2.5, 3.0, 10.0, 50.0])

FALSE_ALARMS = Exercise(
    number="11.5",
    title="How many strangers get in at 95%?",
    reference=fpr95,
    facets=(
        Facet("a number in percent", _percent),
        by_hand(
            (THIRTY, FOREIGN),
            900 / 11,
            "29 of the thirty scores 60, 29, 28, ..., 1 inside are at least 95% (28 are 93.3%), and they pass a "
            "threshold of 2; 9 of the 11 outside are 2 or more",
            mistakes=FPR_MISTAKES,
            name="thirty scores by hand",
        ),
        by_hand(
            (FORTY, SEVEN),
            300 / 7,
            "38 of the forty scores 40, 39, ..., 1 inside are exactly 95%, and they pass a threshold of 3; 3 of the 7 "
            "outside are 3 or more",
            mistakes=FPR_MISTAKES,
            name="forty scores by hand",
        ),
        equals(SCORES, fpr95, 1e-3, name="the same as the reference", mistakes=FPR_MISTAKES),
        invariant(
            "the order of the pictures does not matter",
            lambda fn: agree(call(fn, SCORES), call(fn, (INSIDE.sort().values, OUTSIDE.flip(0))), 1e-3),
            expected="the same number for the same pictures in another order",
            cause="sort the scores inside before you count from the top",
        ),
        _sharp(fpr95),
        unchanged(SCORES),
    ),
    hints=(
        "The threshold is set by the pictures that belong here: at least 95% of them must get in. Only then come the "
        "strangers: which share of them gets in as well?",
        "Sort the scores inside, the highest first. How many are at least 95% of them (math.ceil)? The score of the "
        "last of those is the threshold, and who equals it passes.",
        "ordered = inside.sort(descending=True).values; threshold = ordered[math.ceil(0.95 * len(inside)) - 1]; then "
        "100 * (outside >= threshold).float().mean(), as a number.",
    ),
    meaning="AUROC averages over all thresholds. This is one threshold that a user would take, and often a sad number.",
)


EXERCISES = (NEAREST, SHARE, MAP, AUROC, FALSE_ALARMS)
