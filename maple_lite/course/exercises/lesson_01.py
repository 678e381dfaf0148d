"""The exercises of lesson 01: similarity, probabilities, the logit scale, a classifier of words, accuracy per class."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from maple_lite.clip import FrozenCLIP
from maple_lite.course.teach.exercise import Exercise, Facet, Finding
from maple_lite.course.teach.facets import Function, by_hand, call, equals, invariant, number, returns, unchanged
from maple_lite.course.teach.values import agree, describe
from maple_lite.datasets import open_dataset
from maple_lite.loading import load_clip
from maple_lite.protocol import items_of_classes
from maple_lite.tokens import spoken, tokenize, tokenizer


def _random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# 01.1


def cosine_similarity(image_features: Tensor, text_features: Tensor) -> Tensor:
    """Cosine similarities [B, C] of image features [B, D] and text features [C, D] of any length."""
    return F.cosine_similarity(image_features[:, None], text_features[None], dim=-1)


IMAGES, TEXTS = 3 * _random(3, 6), 0.5 * _random(4, 6, seed=1)
SIMILARITY_MISTAKES: dict[str, Function] = {
    "these are plain dot products: divide both features by their lengths first": lambda i, t: i @ t.T,
    "only the image features were normalised: the sentences' lengths are still in there": (
        lambda i, t: F.normalize(i, dim=-1) @ t.T
    ),
    "only the text features were normalised: the pictures' lengths are still in there": (
        lambda i, t: i @ F.normalize(t, dim=-1).T
    ),
    "you normalised over dim 0, across the batch: a feature's length is the norm over its D numbers, dim=-1": (
        lambda i, t: F.normalize(i, dim=0) @ F.normalize(t, dim=0).T
    ),
    "you divided by the norm of the whole tensor: each row has a length of its own, so norm(dim=-1, keepdim=True)": (
        lambda i, t: (i / i.norm()) @ (t / t.norm()).T
    ),
    "you divided by the squared length: the square root is missing": (
        lambda i, t: (i / (i * i).sum(-1, keepdim=True)) @ (t / (t * t).sum(-1, keepdim=True)).T
    ),
    "you divided by the sum of the numbers' absolute values: the length is the root of the sum of their squares": (
        lambda i, t: F.normalize(i, p=1, dim=-1) @ F.normalize(t, p=1, dim=-1).T
    ),
    "this is a distance, which is small where things are alike: a similarity is the dot product of unit vectors": (
        lambda i, t: torch.cdist(F.normalize(i, dim=-1), F.normalize(t, dim=-1))
    ),
    "you subtracted the mean first, which makes it a correlation: cosine similarity leaves the zero where it is": (
        lambda i, t: cosine_similarity(i - i.mean(-1, keepdim=True), t - t.mean(-1, keepdim=True))
    ),
}

SIMILARITY = Exercise(
    number="01.1",
    title="Similarity of pictures and sentences",
    reference=cosine_similarity,
    facets=(
        returns(
            (IMAGES, TEXTS),
            (3, 4),
            torch.float32,
            letters="B, C",
            causes={
                (4, 3): "a row per sentence came: put the pictures first, image_features @ text_features.T",
                (3,): "one number per picture came: every picture is compared with every sentence",
                (6, 6): "you multiplied over the pictures: the D numbers of a feature are what is summed over",
            },
        ),
        by_hand(
            (torch.tensor([[3.0, 4.0], [0.0, 2.0]]), torch.tensor([[2.0, 0.0], [0.0, 3.0]])),
            torch.tensor([[0.6, 0.8], [0.0, 1.0]]),
            "(3, 4) has length 5, of which 3 / 5 lie along (2, 0) and 4 / 5 along (0, 3); (0, 2) is at a right angle "
            "to the first and has the direction of the second",
            mistakes=SIMILARITY_MISTAKES,
        ),
        equals((IMAGES, TEXTS), cosine_similarity, mistakes=SIMILARITY_MISTAKES),
        invariant(
            "length does not matter",
            lambda fn: agree(call(fn, (IMAGES, TEXTS)), call(fn, (7 * IMAGES, TEXTS / 7)), 1e-5),
            expected="the same similarities for features 7 times as long",
            cause="the lengths are not divided out for every row: normalise both",
        ),
        unchanged((IMAGES, TEXTS)),
    ),
    hints=(
        "Cosine similarity asks for the direction of two vectors alone. What must you take away from each of them "
        "before you multiply?",
        "Divide every row by its own length: its norm over the last dimension, kept as a column so that it divides "
        "row by row. Then one matrix product compares all pictures with all sentences.",
        "image_features / image_features.norm(dim=-1, keepdim=True), the same for the text, and then the product of "
        "the first with the second transposed: [B, D] @ [D, C] gives [B, C].",
    ),
    meaning="Only directions count: a picture and a sentence agree as far as their features point the same way.",
)

# 01.2


def probabilities(similarity: Tensor, logit_scale: Tensor) -> Tensor:
    """Probabilities [B, C] of classes, from similarities [B, C] and the logarithm of the logit scale."""
    return (logit_scale.exp() * similarity).softmax(dim=-1)


SIMILARITIES, SCALE = _random(3, 4, seed=2).tanh(), torch.tensor(1.5)
PROBABILITY_MISTAKES: dict[str, Function] = {
    "logit_scale was multiplied as it is, but it is stored as a logarithm: take .exp() of it first": (
        lambda s, scale: (scale * s).softmax(-1)
    ),
    "the scale is missing: this is the softmax of the bare similarities": lambda s, scale: s.softmax(-1),
    "you divided by the factor, as if it were a temperature: CLIP multiplies with exp(logit_scale)": (
        lambda s, scale: (s / scale.exp()).softmax(-1)
    ),
    "you divided by the logarithm: CLIP multiplies with its exponential": lambda s, scale: (s / scale).softmax(-1),
    "the softmax ran over dim 0, the pictures: each picture's probabilities of the classes sum to 1, so dim=-1": (
        lambda s, scale: (scale.exp() * s).softmax(0)
    ),
    "these are the logits: the softmax that makes probabilities of them is missing": lambda s, scale: scale.exp() * s,
    "this is a sigmoid, which judges each class alone: the classes share one softmax": (
        lambda s, scale: (scale.exp() * s).sigmoid()
    ),
    "you took the exponential of the logits and did not divide by each row's sum": (
        lambda s, scale: (scale.exp() * s).exp()
    ),
    "you scaled after the softmax: the factor belongs to the similarities, before it": (
        lambda s, scale: scale.exp() * s.softmax(-1)
    ),
    "these are logarithms of probabilities: softmax, not log_softmax": (
        lambda s, scale: (scale.exp() * s).log_softmax(-1)
    ),
    "you took 10 to the power of logit_scale: it is a natural logarithm, so .exp()": (
        lambda s, scale: (10**scale * s).softmax(-1)
    ),
    "you divided each row by its sum: the softmax takes the exponential first": (
        lambda s, scale: scale.exp() * s / (scale.exp() * s).sum(-1, keepdim=True)
    ),
}

PROBABILITIES = Exercise(
    number="01.2",
    title="From similarities to probabilities",
    reference=probabilities,
    facets=(
        returns((SIMILARITIES, SCALE), (3, 4), torch.float32, letters="B, C"),
        by_hand(
            (torch.tensor([[0.6, 0.5], [0.1, 0.4]]), torch.tensor(10.0).log()),
            torch.tensor([[0.7311, 0.2689], [0.0474, 0.9526]]),
            "the factor is exp(ln 10) = 10, a row of logits is (6, 5), and 1 / (1 + exp(5 - 6)) = 0.7311",
            atol=1e-4,
            mistakes=PROBABILITY_MISTAKES,
        ),
        equals((SIMILARITIES, SCALE), probabilities, mistakes=PROBABILITY_MISTAKES),
        by_hand(
            (torch.tensor([[0.95, 0.90]]), torch.tensor(100.0).log()),
            torch.tensor([[0.9933, 0.0067]]),
            "the logits 95 and 90 differ by 5, and 1 / (1 + exp(-5)) = 0.9933",
            atol=1e-4,
            mistakes={
                "exp(95) is more than float32 can hold: use softmax, which subtracts the largest logit first": (
                    lambda s, scale: (scale.exp() * s).exp() / (scale.exp() * s).exp().sum(-1, keepdim=True)
                )
            },
            name="a factor of 100, as OpenAI's CLIP has it",
        ),
        unchanged((SIMILARITIES, SCALE)),
    ),
    hints=(
        "Three steps: logarithm to factor, similarities to logits, logits to probabilities.",
        "The factor is the exponential of logit_scale. Multiply every similarity with it. Then the softmax, over the "
        "dimension in which the classes stand.",
        "logits = logit_scale.exp() * similarity, and logits.softmax(dim=...): the rows are pictures, the columns "
        "classes, and each row must sum to 1.",
    ),
    meaning="The factor makes of small differences in angle large differences in probability.",
)

# 01.3

LEAD, WANTED = 0.05, 0.9  # in similarity, and the probability that it shall make
ODDS = math.log(WANTED / (1 - WANTED))  # the lead in logits that makes it: ln 9

FACTOR = Exercise(
    number="01.3",
    title="How large must the factor be?",
    reference=round(ODDS / LEAD, 2),
    facets=(
        number(
            ODDS / LEAD,
            0.3,
            {
                math.log(ODDS / LEAD): "that is its logarithm, what clip.logit_scale stores: the factor is asked for",
                WANTED / LEAD: "that is 0.9 / 0.05, but a softmax is not a straight line: which lead of the logits "
                "gives 0.9?",
                math.log10(9) / LEAD: "you took the logarithm to base 10: the softmax is made of powers of e",
                math.log(10) / LEAD: "that makes odds of 10 to 1: a probability of 0.9 is odds of 9 to 1",
                ODDS: "that is the lead that the logits need: by which factor is it larger than 0.05?",
                -math.log(WANTED) / LEAD: "that is -ln(0.9) / 0.05: take the odds, 0.9 / 0.1, and not the probability",
                LEAD / ODDS: "that is the temperature, 1 / factor: turn it over",
                (2 * WANTED - 1) / LEAD: "you asked for probabilities 0.8 apart and divided by 0.05: it is the logits "
                "that are proportional to similarities",
                ODDS * LEAD: "you multiplied by 0.05: factor times 0.05 is the lead of the logits, so divide",
            },
        ),
    ),
    hints=(
        "With two names the softmax depends on one thing alone: the difference of the two logits.",
        "The first name's probability is 1 / (1 + exp(-d)), d being the lead of its logit. Which d makes 0.9? And "
        "d = factor x 0.05.",
        "0.9 = 1 / (1 + exp(-d)) means exp(d) = 9. So d = math.log(9), and the factor is d / 0.05.",
    ),
    meaning="Similarities lie close together, so that the factor has to be large: tens, and not ones.",
)

# 01.4


class ListeningCLIP(FrozenCLIP):
    """A FrozenCLIP that remembers the tokens it was asked to encode."""

    heard: tuple[Tensor, ...] = ()

    def encode_text(
        self, tokens: Tensor, prompts: Sequence[Tensor] = (), positions: Tensor | None = None, chunk: int = 1024
    ) -> Tensor:
        """FrozenCLIP's own text features."""
        self.heard += (tokens.detach().cpu(),)
        return super().encode_text(tokens, prompts, positions, chunk)

    def sentences(self) -> list[str]:
        """The sentences that were encoded since the last question, each once."""
        words, rows = tokenizer(), [row for tokens in self.heard for row in tokens]
        self.heard = ()
        ends = (words.sot_token_id, words.eot_token_id, 0)
        texts = (words.decode([i for i in row.tolist() if i not in ends]).strip() for row in rows)
        return list(dict.fromkeys(text.replace(" .", ".").replace(" _ ", "_") for text in texts))


NAMES = ["snowman", "crossed_swords", "umbrella", "heart"]
SHOWN = [2, 0, 3, 3, 1, 0]  # which of NAMES the pictures show
TEMPLATE = "a drawing of the {}."


@lru_cache
def _listener() -> ListeningCLIP:
    return ListeningCLIP(load_clip().model)


@lru_cache
def _symbols() -> Tensor:
    """Clean pictures [6, 3, R, R] of SHOWN."""
    clip = _listener()
    data = open_dataset("objects", clip=clip, style="clean").subset([spoken(name) for name in NAMES])
    items = items_of_classes(data.labels)
    return data.batch([items[label][i] for i, label in enumerate(SHOWN)])[0].to(clip.device)


def classify(clip: FrozenCLIP, images: Tensor, class_names: Sequence[str], template: str) -> list[str]:
    """For each of the images [B, 3, H, W] the class name whose sentence is most similar to it."""
    return [class_names[i] for i in _similarity(clip, images, class_names, template).argmax(dim=-1).tolist()]


def _similarity(clip: FrozenCLIP, images: Tensor, class_names: Sequence[str], template: str) -> Tensor:
    """Similarities [B, C] of images with the class names' sentences."""
    sentences = [template.replace("{}", spoken(name)) for name in class_names]
    tokens = tokenize(sentences, clip.context_length).to(clip.device)
    with torch.no_grad():
        return clip.encode_image(images) @ clip.encode_text(tokens).T


def _answer(fn: Function, images: Tensor, names: Sequence[str] = tuple(NAMES), template: str = TEMPLATE) -> list[str]:
    """What a submission answers; Finding if that is not one of the names for each image."""
    came, wanted = call(fn, (_listener(), images, list(names), template)), f"a list of {len(images)} names"
    if isinstance(came, Tensor):
        cause = "these are labels: look the name of each up, class_names[label]"
        if came.shape == (len(images), len(names)):
            cause = "these are similarities: take the argmax of each row and look its name up"
        raise Finding(wanted, describe(came), cause)
    if not isinstance(came, list | tuple):
        raise Finding(wanted, describe(came), "return a list, also for a single picture")
    if len(came) != len(images):
        cause = "there must be one answer per picture, in their order"
        if len(came) == len(names):
            cause = "one answer per class came: the argmax ran over the pictures; for rows of classes it is dim=-1"
        raise Finding(wanted, describe(list(came)), cause)
    for name in came:
        if not isinstance(name, str):
            raise Finding(wanted, describe(list(came)), "these are labels: look the name of each up in class_names")
        if name not in names:
            cause = "return names as they stand in class_names, underscores included: only the sentence changes them"
            raise Finding(f"names out of {list(names)}", repr(name), cause)
    return list(came)


def _names_come(fn: Function) -> None:
    _answer(fn, _symbols())
    _answer(fn, _symbols()[:1])


def _sentences_fit(fn: Function) -> None:
    listener = _listener()
    listener.heard = ()
    _answer(fn, _symbols())
    heard = listener.sentences()
    joined = [sentence.replace(" ", "") for sentence in heard]  # decoding puts spaces around punctuation
    forms = {
        "": [TEMPLATE.replace("{}", spoken(name)) for name in NAMES],
        "the template was left out: these are the bare names": [spoken(name) for name in NAMES],
        "the template was left out, and underscores are still in the names": NAMES,
        "an underscore is still there: CLIP reads words, so write a space for each _": [
            TEMPLATE.replace("{}", name) for name in NAMES
        ],
        "you wrote a template of your own: take the one that is passed in": [
            f"a photo of a {spoken(name)}." for name in NAMES
        ],
        "the braces were not filled: template.format(name)": [TEMPLATE],
        "the name was added to the template: it belongs where the {} is": [TEMPLATE + spoken(name) for name in NAMES],
    }
    for cause, wanted in forms.items():
        if joined == [sentence.replace(" ", "") for sentence in wanted]:
            if not cause:
                return
            raise Finding(f"{forms[''][1]!r}", repr(heard[min(1, len(heard) - 1)]), cause)
    cause = "write one sentence per class name, in their order, and nothing else"
    raise Finding(f"the {len(NAMES)} sentences {forms['']}", f"{len(heard)}: {heard}", cause)


def _as_reference(fn: Function) -> None:
    came, images = _answer(fn, _symbols()), _symbols()
    similarity = _similarity(_listener(), images, NAMES, TEMPLATE)
    wanted = [NAMES[i] for i in similarity.argmax(-1).tolist()]
    causes = {
        "you took the least similar name, argmin: the most similar one is the answer": similarity.argmin(-1),
        "you took the second best name": similarity.argsort(-1, descending=True)[:, 1],
        "you counted the classes from 1: labels start at 0": similarity.argmax(-1) - 1,
        "you looked labels up in sorted names: take class_names as they are": torch.tensor(
            [NAMES.index(sorted(NAMES)[i]) for i in similarity.argmax(-1).tolist()]
        ),
        "every picture got the answer of the first: each row has an argmax of its own": similarity.argmax(-1)[:1],
    }
    if came != wanted:
        found = (cause for cause, labels in causes.items() if came == [NAMES[i] for i in labels.expand(6).tolist()])
        other = "compare the similarities [B, C] row by row, and take the name of the largest"
        raise Finding(f"{wanted}", f"{came}", next(found, other))


def _permuted(fn: Function) -> bool | str:
    first = _answer(fn, _symbols())
    for names in (NAMES[::-1], [*NAMES[2:], *NAMES[:2]]):
        second = _answer(fn, _symbols(), names)
        if first != second:
            return f"{first} for the names {NAMES}, and {second} for the same names in another order"
    return True


CLASSIFY = Exercise(
    number="01.4",
    title="A classifier for any list of names",
    reference=classify,
    facets=(
        Facet("a name for every picture", _names_come),
        Facet("the sentences", _sentences_fit),
        Facet("the same names as the reference", _as_reference),
        invariant(
            "the order of the names does not matter",
            _permuted,
            expected="the same answers whatever the order of the names",
            cause="an answer hangs on its place in a list: look names up in the list that was passed in, unsorted",
        ),
    ),
    hints=(
        "You have both halves already: encode pictures and sentences, then compare them with your "
        "cosine_similarity. What is new is how names become sentences, and how the best column becomes a name.",
        "Sentences: template.format(...) with every name, underscores made spaces. Tokens: tokenize(sentences), moved "
        "to clip.device. Features of both sides, similarities [B, C], argmax over the classes, and the name of each.",
        "similarity = cosine_similarity(clip.encode_image(images), clip.encode_text(tokens)), then "
        "[class_names[i] for i in similarity.argmax(dim=-1).tolist()].",
    ),
    meaning="A list of names is a classifier: nothing was trained, and another list is another classifier.",
)

# 01.5


def accuracy_per_class(predicted: Tensor, labels: Tensor, n_classes: int) -> Tensor:
    """Accuracy [C] in percent on the pictures of each class, from labels [B]; NaN for a class without pictures."""
    return 100 * labels[predicted == labels].bincount(minlength=n_classes) / labels.bincount(minlength=n_classes)


LABELS = torch.tensor([0, 0, 0, 0, 0, 1, 1, 2, 2, 2, 3, 3, 3, 3])
PREDICTED = torch.tensor([0, 0, 0, 1, 2, 1, 2, 2, 2, 3, 3, 0, 1, 1])


def _shares(predicted: Tensor, labels: Tensor, n_classes: int) -> Tensor:
    return accuracy_per_class(predicted, labels, n_classes) / 100


CLASS_MISTAKES: dict[str, Function] = {
    "these are shares from 0 to 1: this course counts in percent, so multiply by 100": _shares,
    "you divided by how often each class was predicted (precision): divide by how many pictures it has": (
        lambda p, y, n: 100 * y[p == y].bincount(minlength=n) / p.bincount(minlength=n)
    ),
    "you divided by the number of all pictures: every class has its own number of them": (
        lambda p, y, n: 100 * y[p == y].bincount(minlength=n) / len(y)
    ),
    "that is how many are right: divide by how many pictures the class has": (
        lambda p, y, n: y[p == y].bincount(minlength=n)
    ),
    "that is the accuracy over all pictures, the same for every class: look at one class at a time": (
        lambda p, y, n: (100 * (p == y).float().mean()).expand(n)
    ),
    "that is the share of each class among the right answers: divide by the pictures of the class": (
        lambda p, y, n: 100 * y[p == y].bincount(minlength=n) / (p == y).sum()
    ),
    "these are errors, 100 minus the accuracy": lambda p, y, n: 100 - accuracy_per_class(p, y, n),
    "you counted for every class the pictures where both agree that it is it, or that it is not: only its own "
    "pictures count": lambda p, y, n: torch.stack([100 * ((p == c) == (y == c)).float().mean() for c in range(n)]),
    "you rounded down on the way: divide with / and not with //": (
        lambda p, y, n: 100 * (y[p == y].bincount(minlength=n) // y.bincount(minlength=n))
    ),
}

PER_CLASS = Exercise(
    number="01.5",
    title="Accuracy of each class",
    reference=accuracy_per_class,
    facets=(
        returns(
            (PREDICTED, LABELS, 4),
            (4,),
            letters="C",
            causes={
                (14,): "one number per picture came: collect those of each class",
                (): "one number for all pictures came: there is one for each class",
                (4, 4): "that is the whole table of confusions: its diagonal, divided by the pictures of each class",
            },
        ),
        by_hand(
            (torch.tensor([0, 1, 1, 0, 1, 1, 2]), torch.tensor([0, 0, 0, 0, 1, 1, 2]), 3),
            torch.tensor([50.0, 100.0, 100.0]),
            "2 of the 4 pictures of class 0 are named rightly, both of class 1, and the only one of class 2",
            mistakes=CLASS_MISTAKES,
        ),
        equals((PREDICTED, LABELS, 4), accuracy_per_class, atol=1e-3, mistakes=CLASS_MISTAKES),
        by_hand(
            (torch.tensor([0, 0]), torch.tensor([0, 1]), 3),
            torch.tensor([100.0, 0.0, math.nan]),
            "class 2 has no pictures, and 0 of 0 is no percentage (torch makes NaN of 0 / 0)",
            mistakes={
                "a class without pictures got 0%, as if CLIP had failed on it: leave it NaN": (
                    lambda p, y, n: accuracy_per_class(p, y, n).nan_to_num()
                ),
                "a class without pictures got 100%, though nobody asked: leave it NaN": (
                    lambda p, y, n: accuracy_per_class(p, y, n).nan_to_num(100)
                ),
            },
            name="a class without pictures",
        ),
        unchanged((PREDICTED, LABELS, 4)),
    ),
    hints=(
        "Forget the other classes for a moment: of the pictures whose label is 0, how many were named 0?",
        "For each class c: select its pictures with labels == c, see where predicted equals c among them, and take "
        "the mean, in percent. A loop over range(n_classes) is fine.",
        "torch.stack([(predicted[labels == c] == c).float().mean() for c in range(n_classes)]) and a factor of 100. "
        "The mean of nothing is NaN, as wanted.",
    ),
    meaning="One average hides much: a class can be lost although the average looks good.",
)

EXERCISES = (SIMILARITY, PROBABILITIES, FACTOR, CLASSIFY, PER_CLASS)
