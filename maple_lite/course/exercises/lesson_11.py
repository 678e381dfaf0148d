"""The exercises of lesson 11, looking inside: nearest words, attention to prompts, what a map shows, AUROC and FPR."""

from __future__ import annotations

import math
from numbers import Real

import torch
from torch import Tensor

from maple_lite.analysis.ood import auroc, fpr95
from maple_lite.course.exercises.shared import draw
from maple_lite.course.teach.causes import cause_of_type
from maple_lite.course.teach.exercise import Exercise, Facet, Finding
from maple_lite.course.teach.facets import Function, by_hand, call, choice, equals, invariant, returns, unchanged
from maple_lite.course.teach.mistakes import Mistake, Mistakes
from maple_lite.course.teach.values import agree, describe, literal

# 11.1: nearest words


def nearest(prompt: Tensor, embeddings: Tensor, known: Tensor, k: int) -> Tensor:
    """Token ids [n, k], among `known` [W], of the embeddings [V, d] nearest to every prompt token [n, d]."""
    distances = torch.cdist(prompt, embeddings[known])  # [n, W]
    return known[distances.topk(k, largest=False).indices]


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
HAND = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [4.0, 3.0], [1.0, 3.0], [-5.0, -5.0]])
CDIST, TOPK = "torch.cdist(prompt, embeddings[known])", "distances.topk(k, largest=False).indices"
A_ROW_PER_WORD = "a row per word came: distances are [n, W], with the prompt first, cdist(prompt, ...)"

NEAREST_MISTAKES = Mistakes(
    {
        "the farthest": Mistake(
            "these are the farthest: topk takes the largest unless you say largest=False", {", largest=False": ""}
        ),
        "the whole vocabulary": Mistake(
            "you searched the whole vocabulary, and most of its rows were never trained: they are zero. Search only "
            "the rows `known`",
            {CDIST: "torch.cdist(prompt, embeddings)", f"known[{TOPK}]": TOPK},
        ),
        "rows of zeros left out": Mistake(
            "you left out only the rows of zeros: SOS and EOT have been trained, too, and they are not words. Search "
            "only the rows `known`",
            {
                CDIST: "torch.cdist(prompt, embeddings)\ndistances[:, embeddings.norm(dim=-1) == 0] = torch.inf",
                f"known[{TOPK}]": TOPK,
            },
        ),
        "places": Mistake(
            "these are places in the list `known`, not token ids: known[places] gives the ids", {f"known[{TOPK}]": TOPK}
        ),
        "dot products": Mistake(
            "you ranked by dot products without normalising, and long embeddings win: take distances",
            {CDIST: "-prompt @ embeddings[known].T"},
        ),
        "cosine similarity": Mistake(
            "you ranked by cosine similarity, which forgets lengths: this exercise takes Euclidean distances",
            {CDIST: "-torch.cosine_similarity(prompt[:, None], embeddings[known], dim=-1)"},
        ),
        "the order": Mistake(
            "the right words in the wrong order: the nearest comes first", {f"[{TOPK}]": f"[{TOPK}].flip(-1)"}
        ),
        "the nearest left out": Mistake(
            "the nearest word is missing: a prompt token is not a word, so you do not have to leave one out",
            {TOPK: "distances.argsort(dim=-1)[:, 1 : k + 1]"},
        ),
        "absolute differences": Mistake(
            "you added up absolute differences: the Euclidean distance squares them", {"[known])": "[known], p=1)"}
        ),
        "the wrong axis of distances": Mistake(
            "you sorted along the prompt's tokens, dim 0: in distances [n, W] the words are the last dimension",
            {TOPK: "distances.argsort(dim=0)[:, :k]"},
        ),
        "distances from the mean": Mistake(
            "you compared with the mean of the tokens: every prompt token has neighbours of its own",
            {CDIST: CDIST.replace("prompt", "prompt.mean(dim=0).expand_as(prompt)")},
        ),
        "k rows": Mistake(
            "k rows came: look for the nearest along the words, dim=-1 of distances [n, W]",
            {TOPK: "distances.argsort(dim=-1).T[:k]"},
        ),
        "tokens near to words": Mistake(
            "these are the tokens nearest to every word, dim=0: the words are dim=-1 of distances [n, W]",
            {TOPK: TOPK.replace("k,", "k, dim=0,")},
        ),
        "distances the other way round": Mistake(
            A_ROW_PER_WORD, {"prompt, embeddings[known]": "embeddings[known], prompt"}
        ),
        "distances of the whole vocabulary, the other way round": Mistake(
            A_ROW_PER_WORD, {"prompt, embeddings[known]": "embeddings, prompt"}
        ),
        "all words": Mistake("all words came: keep the first k", {TOPK: "distances.argsort(dim=-1)"}),
        "all of the vocabulary": Mistake(
            "all words of the whole vocabulary came: keep the first k of the words `known`",
            body="return torch.cdist(prompt, embeddings).argsort(dim=-1)",
        ),
        "one row for all": Mistake(
            "one row came for all tokens: every prompt token has k words of its own",
            {"(prompt, embeddings[known])": "(prompt, embeddings[known]).mean(dim=0)"},
        ),
        "the embeddings": Mistake(
            "these are the embeddings themselves: return their token ids",
            {f"known[{TOPK}]": f"embeddings[known[{TOPK}]]"},
        ),
        "the distances": Mistake(
            "numbers with a point came, such as distances: return token ids",
            {f"known[{TOPK}]": TOPK.replace("indices", "values")},
        ),
        "k built in": Mistake(words="2 fewer than it should be", patch={"topk(k": "topk(2"}),
    },
    nearest,
)

NEAREST = Exercise(
    number="11.1",
    title="The nearest words",
    reference=nearest,
    facets=(
        returns(WORDS, (5, 4), torch.long, letters="n, k"),
        by_hand(
            (torch.tensor([[0.1, 0.3]]), HAND, torch.tensor([1, 2, 3, 4, 5]), 2),
            torch.tensor([[2, 1]]),
            "(0.1, 0.3) is 0.71 from word 2 at (0, 1), 0.95 from word 1 at (1, 0), and farther from the others; row 0 "
            "is not among the known words",
            name="two words by hand",
        ),
        equals(WORDS, nearest, name="the same words as the reference"),
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
    mistakes=NEAREST_MISTAKES,
)

# 11.2: the share of attention


def prompt_share(weights: Tensor, readers: Tensor, places: Tensor) -> Tensor:
    """Shares [R] of the attention weights [R, H, L, L] that token `readers` [R] pays to tokens `places` [n]."""
    rows = weights[torch.arange(len(weights)), :, readers]  # [R, H, L]
    return rows[..., places].sum(dim=-1).mean(dim=1)


def _causal() -> Tensor:
    """Attention weights [3, 4, 8, 8] of which each row sums to 1 and no token looks ahead."""
    scores = 1.5 * draw(3, 4, 8, 8, seed=5)
    return scores.masked_fill(torch.ones(8, 8).triu(1).bool(), -math.inf).softmax(dim=-1)


WEIGHTS, READERS, PLACES = _causal(), torch.tensor([5, 7, 4]), torch.tensor([1, 4])
ATTENTION = (WEIGHTS, READERS, PLACES)
TWO_HEADS = torch.tensor(
    [[[[0.4, 0.4, 0.2], [0.5, 0.4, 0.1], [0.2, 0.6, 0.2]], [[0.7, 0.1, 0.2], [0.3, 0.1, 0.6], [0.0, 0.8, 0.2]]]]
)  # [R, H, L, L] = [1, 2, 3, 3]

ROWS, SUM, MEAN = "weights[torch.arange(len(weights)), :, readers]", ".sum(dim=-1)", ".mean(dim=1)"
A_SHARE_PER_HEAD = "a share per head came: average over the heads"

SHARE_MISTAKES = Mistakes(
    {
        "the column": Mistake(
            "that is the column: what the other tokens pay to the reader. weights[r, h, i, j] is what i pays to j",
            {":, readers": ":, :, readers"},
        ),
        "EOT at the last place": Mistake(
            "you read the last token everywhere: short names end earlier, and `readers` says where",
            {ROWS: "weights[:, :, -1]"},
        ),
        "always token 0": Mistake(
            "you read token 0 everywhere: that is CLS in the image tower, but SOS in the text tower. Take `readers`",
            {ROWS: "weights[:, :, 0]"},
        ),
        "heads added": Mistake(
            "the heads were added up, so that the share can be above 1: average them", {MEAN: ".sum(dim=1)"}
        ),
        "the largest head": Mistake("that is the head that looks most: average the heads", {MEAN: ".amax(dim=1)"}),
        "the mean of the places": Mistake(
            "you averaged over the prompt's places: the share of the whole prompt is their sum", {SUM: ".mean(dim=-1)"}
        ),
        "all readers": Mistake(
            "you averaged over all tokens as readers: only one reads out, token readers[r]",
            {ROWS: "weights.mean(dim=2)"},
        ),
        "one too low": Mistake(
            "the places are one too low: `places` already counts from 0", {"places]": "places - 1]"}
        ),
        "one too high": Mistake(
            "the places are one too high: `places` already counts from 0", {"places]": "places + 1]"}
        ),
        "the first example": Mistake(
            "every reader was looked up in the first example: token readers[r] is one of example r",
            {"torch.arange(len(weights))": "[0] * len(weights)"},
        ),
        "the first head": Mistake("that is the first head alone: average all of them", {MEAN: "[:, 0]"}),
        "what the others get": Mistake(
            "that is what the other places get: 1 minus it", {"return rows": "return 1 - rows"}
        ),
        "places 1 to n": Mistake(
            "you took places 1 to n: in the image tower the prompts stand at the end. Take those of `places`",
            {"places]": "1 : 1 + len(places)]"},
        ),
        "two places built in": Mistake(
            "places 1 and 2 are built in: take those that stand in `places`", {"places]": "1:3]"}
        ),
        "from first to last": Mistake(
            "you took everything from the first place to the last: take the places themselves, weights[..., places]",
            {"places]": "places[0] : places[-1] + 1]"},
        ),
        "softmax again": Mistake(
            "softmax was taken once more: the weights are already its output, and every row sums to 1",
            {ROWS: f"{ROWS}.softmax(dim=-1)"},
        ),
        "over the even share": Mistake(
            "that is the share divided by an even share, and the notebook draws the two beside each other. Return the "
            "share itself",
            {MEAN: f"{MEAN} * (readers + 1) / len(places)"},
        ),
        "the first place alone": Mistake("only the first of the places was taken", {"places]": "places[:1]]"}),
        "heads kept": Mistake(A_SHARE_PER_HEAD, {MEAN: ""}),
        "heads kept, and first": Mistake(A_SHARE_PER_HEAD, {MEAN: ".T"}),
        "places kept": Mistake("a share per prompt token came: add them up", {SUM: ""}),
        "readers kept": Mistake(
            "a share came for every token as reader: only token readers[r] reads out", {ROWS: "weights"}
        ),
        "all readers of every example": Mistake(
            "weights[:, :, readers] takes all readers of every example: pair them, with torch.arange(len(weights)) in "
            "front",
            {ROWS: "weights[:, :, readers]"},
        ),
        "heads and places kept": Mistake(
            "nothing was added up: sum over the places, average over the heads", {SUM + MEAN: ""}
        ),
        "the mean of the examples": Mistake(
            "you averaged over the examples: every example keeps its own share", {MEAN: ".mean(dim=0)"}
        ),
        "in percent": Mistake(words="100 times what is expected", patch={"return rows": "return 100 * rows"}),
    },
    prompt_share,
)

SHARE = Exercise(
    number="11.2",
    title="The share of attention that prompts get",
    reference=prompt_share,
    facets=(
        returns(ATTENTION, (3,), torch.float32, letters="R"),
        by_hand(
            (TWO_HEADS, torch.tensor([2]), torch.tensor([1])),
            torch.tensor([0.7]),
            "token 2 pays 0.6 to token 1 in the first head and 0.8 in the second",
            name="two heads by hand",
        ),
        equals(ATTENTION, prompt_share, name="the same shares as the reference"),
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
    mistakes=SHARE_MISTAKES,
)

# 11.3: what a map shows

MAP = Exercise(
    number="11.3",
    title="What may stand below the t-SNE map?",
    reference="B",
    facets=(choice("B", "ACD"),),
    hints=(
        "t-SNE moves points until near neighbours are near. What does it give up for that?",
        "Go through the four and ask of each: is it about a point's near neighbours, or about sizes, distances "
        "between groups, or empty space?",
        "Three of them read a size, a far distance or a gap. One reads neighbours alone.",
    ),
    meaning="A map makes you curious. What you then claim, count or measure in all 128 dimensions.",
    mistakes=Mistakes(
        {
            "A": Mistake(
                "t-SNE spreads dense groups and shrinks loose ones until all have about the same number of "
                "neighbours: how large a group is drawn says nothing about how alike its pictures are",
                value="A",
            ),
            "C": Mistake(
                "distances between groups are what t-SNE gives up to keep neighbours: measure class centres in the "
                "real features, or count which classes the model confuses",
                value="C",
            ),
            "D": Mistake(
                "the gaps are made by the method, which pushes apart points that are not near neighbours. Borders "
                "between classes depend on the text features, and those are not in the picture at all",
                value="D",
            ),
        }
    ),
)

# 11.4 and 11.5: scores of pictures inside and outside

INSIDE = (draw(36, seed=6) * 2 + 6).round(decimals=1)
OUTSIDE = (draw(17, seed=7) * 2 + 4).round(decimals=1)
SCORES = (INSIDE, OUTSIDE)
IN_PERCENT = "that is a share: in percent it is 100 times as much"
OTHER_SIDE = "that is the other side: 100 minus it. Which pictures should have the higher scores?"
COARSE = "inside, outside = inside.float(), outside.float()\n"


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


AREA = """
def area_under_roc(inside, outside):
    won = inside[:, None] > outside
    tied = inside[:, None] == outside
    return 100 * (won + 0.5 * tied).double().mean().item()
"""
POINTS = "(won + 0.5 * tied)"

AUROC_MISTAKES = Mistakes(
    {
        "ties count": Mistake(
            "ties count fully: `>=` gives a pair of equal scores a whole point, and it is worth half a point",
            {POINTS: "(inside[:, None] >= outside)"},
        ),
        "ties do not count": Mistake(
            "ties count nothing: `>` gives a pair of equal scores no point, and it is worth half a point",
            {POINTS: "won"},
        ),
        "reversed, no ties": Mistake(
            "ties count nothing, and the direction is reversed: a pair is won if the score INSIDE is higher",
            {POINTS: "(inside[:, None] < outside)"},
        ),
        "the best accuracy": Mistake(
            "that is the best accuracy at one threshold: AUROC has no threshold, it compares pairs",
            body="both = torch.cat([inside, outside])\n"
            "right = [(inside >= t).sum() + (outside < t).sum() for t in both]\n"
            "return 100 * max(right).item() / len(both)",
        ),
        "side by side": Mistake(
            "you compared pictures at the same places of the lists: every one inside meets every one outside",
            body="few = min(len(inside), len(outside))\na, b = inside[:few], outside[:few]\n"
            "return 100 * ((a > b) + 0.5 * (a == b)).double().mean().item()",
        ),
        "the mean outside": Mistake(
            "you compared with the mean of those outside: compare with every single one",
            {POINTS: "(inside > outside.mean())"},
        ),
        "the mean inside": Mistake(
            "you compared with the mean of those inside: compare every single one with every one outside",
            {POINTS: "(inside.mean() > outside)"},
        ),
        "a share without ties": Mistake(
            "that is a share, and ties count nothing in it: multiply by 100, and give a tie half a point",
            {f"100 * {POINTS}": "won"},
        ),
        "a share": Mistake(IN_PERCENT, {"100 * ": ""}),
        "reversed": Mistake(OTHER_SIDE, {"100 * (": "100 - 100 * ("}),
        "a count": Mistake(words="is that a count", patch={"100 * ": "", "mean": "sum"}),
        "the table": Mistake(words="one number for all pairs", patch={".mean().item()": ""}),
        "no return": Mistake(words="did you forget", patch={"return 100": "100"}),
        "float32": Mistake(words="scores were made coarser", patch={"won = ": f"{COARSE}won = "}),
        "the curve too": Mistake(words="only the percent", patch={".item()": ".item(), won"}),
    },
    AREA,
    {"torch": torch},
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
            name="nine pairs by hand",
        ),
        equals(SCORES, auroc, 1e-3, name="the same as the reference"),
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
    mistakes=AUROC_MISTAKES,
)

ALARMS = """
def false_alarms(inside, outside):
    ordered = inside.sort(descending=True).values
    threshold = ordered[math.ceil(0.95 * len(inside)) - 1]
    return 100 * (outside >= threshold).double().mean().item()
"""
LIMIT, COUNTED = "ordered[math.ceil(0.95 * len(inside)) - 1]", "(outside >= threshold)"
QUANTILE = "torch.quantile goes between two scores, and fewer than 95% of those inside may pass: sort, and count"

FPR_MISTAKES = Mistakes(
    {
        "the threshold from outside": Mistake(
            "the threshold came from the scores OUTSIDE: those pictures are foreign, and nobody has them when the "
            "threshold is set",
            {"inside.sort": "outside.sort", "len(inside)": "len(outside)"},
        ),
        "the wrong end": Mistake(
            "that is the wrong end: only 5% of those inside pass your threshold, and 95% must", {"0.95": "0.05"}
        ),
        "quantile of the wrong side": Mistake(
            "a quantile of the wrong side: only 5% of those inside lie above torch.quantile(inside, 0.95)",
            {LIMIT: "inside.quantile(0.95)"},
        ),
        "strictly above": Mistake("a score that equals the threshold passes: >= and not >", {">=": ">"}),
        "all pass": Mistake(
            "your threshold is the lowest score inside, so that all of those pass: 95% are enough",
            {LIMIT: "inside.min()"},
        ),
        "quantile": Mistake(QUANTILE, {LIMIT: "inside.quantile(0.05)"}),
        "quantile, the lower": Mistake(
            "one more of those inside passes than must: exactly 95% may pass, if that is a whole number",
            {LIMIT: 'inside.quantile(0.05, interpolation="lower")'},
        ),
        "quantile, the nearest": Mistake(QUANTILE, {LIMIT: 'inside.quantile(0.05, interpolation="nearest")'}),
        "rounded down": Mistake(
            "one too few of those inside pass: round their number UP, to at least 95%", {"math.ceil": "int"}
        ),
        "the range": Mistake(
            "that is 95% of the range of the scores: count pictures, not units of score",
            {LIMIT: "inside.min() + 0.05 * (inside.max() - inside.min())"},
        ),
        "not sorted": Mistake(
            "you counted from the top of a list that is not in order: sort the scores inside first",
            {"inside.sort(descending=True).values": "inside"},
        ),
        "the mean": Mistake(
            "the threshold is the mean of those inside, which about half of them pass", {LIMIT: "inside.mean()"}
        ),
        "those inside who pass": Mistake(
            "that counts those INSIDE who pass: the question is which percent of those outside do",
            {COUNTED: "(inside >= threshold)"},
        ),
        "5% of the strangers": Mistake(
            "you let 5% of the strangers in and counted who passes inside: it is 95% inside, and then the strangers",
            {
                "inside.sort": "outside.sort",
                "0.95 * len(inside)": "0.05 * len(outside)",
                COUNTED: "(inside >= threshold)",
            },
        ),
        "a share": Mistake(IN_PERCENT, {"100 * ": ""}),
        "those kept out": Mistake(OTHER_SIDE, {">=": "<"}),
        "float32": Mistake(words="scores were made coarser", patch={"ordered = ": f"{COARSE}ordered = "}),
    },
    ALARMS,
    {"math": math},
)
THIRTY = torch.tensor([60.0, *range(29, 0, -1)])
FOREIGN = torch.tensor([0.5, 1.5, 2.0, 2.2, 2.8, 3.5, 9.0, 20.0, 28.7, 29.0, 70.0, 80.0])
FORTY, SEVEN = torch.arange(40.0, 0.0, -1.0), torch.tensor([0.5, 1.5, 2.0, 2.5, 3.0, 10.0, 50.0])

FALSE_ALARMS = Exercise(
    number="11.5",
    title="How many strangers get in at 95%?",
    reference=fpr95,
    facets=(
        Facet("a number in percent", _percent),
        by_hand(
            (THIRTY, FOREIGN),
            1000 / 12,
            "29 of the thirty scores 60, 29, 28, ..., 1 inside are at least 95% (28 are 93.3%), and they pass a "
            "threshold of 2; 10 of the 12 outside are 2 or more",
            name="thirty scores by hand",
        ),
        by_hand(
            (FORTY, SEVEN),
            300 / 7,
            "38 of the forty scores 40, 39, ..., 1 inside are exactly 95%, and they pass a threshold of 3; 3 of the 7 "
            "outside are 3 or more",
            name="forty scores by hand",
        ),
        equals(SCORES, fpr95, 1e-3, name="the same as the reference"),
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
    mistakes=FPR_MISTAKES,
)

EXERCISES = (NEAREST, SHARE, MAP, AUROC, FALSE_ALARMS)
