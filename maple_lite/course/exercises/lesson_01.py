"""The exercises of lesson 01: similarity, probabilities, the logit scale, a classifier of words, accuracy per class."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from maple_lite.clip import FrozenCLIP
from maple_lite.course.exercises.shared import draw
from maple_lite.course.teach.cases import Case
from maple_lite.course.teach.exercise import Exercise, Facet, Finding
from maple_lite.course.teach.facets import (
    Function,
    any_size,
    by_hand,
    call,
    equals,
    gradient,
    invariant,
    number,
    returns,
    unchanged,
)
from maple_lite.course.teach.mistakes import Mistake, Mistakes
from maple_lite.course.teach.values import agree, describe
from maple_lite.datasets import open_dataset
from maple_lite.loading import load_clip
from maple_lite.protocol import items_of_classes
from maple_lite.tokens import spoken, tokenize, tokenizer

# 01.1


def cosine_similarity(image_features: Tensor, text_features: Tensor) -> Tensor:
    """Cosine similarities [B, C] of image features [B, D] and text features [C, D] of any length."""
    return F.normalize(image_features, dim=-1) @ F.normalize(text_features, dim=-1).T


IMAGES, TEXTS = 3 * draw(3, 6), 0.5 * draw(4, 6, seed=1)
IMAGE, TEXT = "F.normalize(image_features, dim=-1)", "F.normalize(text_features, dim=-1)"
PRODUCT = f"{IMAGE} @ {TEXT}.T"


def _both(made: str) -> dict[str, str]:
    """A patch: an expression of `x` stands for the unit vectors of image and text features."""
    return {IMAGE: made.replace("x", "image_features"), TEXT: made.replace("x", "text_features")}


SIMILARITY_MISTAKES = Mistakes(
    {
        "not normalised": Mistake(
            "these are plain dot products: divide both features by their lengths first", _both("x")
        ),
        "only the images": Mistake(
            "only the image features were normalised: the sentences' lengths are still in there",
            {TEXT: "text_features"},
        ),
        "only the texts": Mistake(
            "only the text features were normalised: the pictures' lengths are still in there",
            {IMAGE: "image_features"},
        ),
        "over the batch": Mistake(
            "you normalised over dim 0, across the batch: a feature's length is the norm over its D numbers, dim=-1",
            {"dim=-1": "dim=0"},
        ),
        "one norm for all": Mistake(
            "you divided by the norm of the whole tensor: each row has its own, norm(dim=-1, keepdim=True)",
            _both("(x / x.norm())"),
        ),
        "norm without keepdim": Mistake(
            words="must match the size", patch={IMAGE: "(image_features / image_features.norm(dim=-1))"}
        ),
        "transposed": Mistake(
            "a row per sentence came: put the pictures first, image_features @ text_features.T",
            {IMAGE: TEXT, TEXT: IMAGE},
        ),
        "forgot the transpose": Mistake(words="cannot be multiplied", patch={".T": ""}),
        "over the pictures": Mistake(
            "you multiplied over the pictures: the D numbers of a feature are what is summed over",
            {PRODUCT: f"{IMAGE}.T @ {TEXT}"},
        ),
        "elementwise": Mistake(words="must match the size", patch={PRODUCT: f"({IMAGE} * {TEXT}).sum(dim=-1)"}),
        "the best of each picture": Mistake(
            "one number per picture came: every picture is compared with every sentence",
            {PRODUCT: f"({PRODUCT}).max(dim=-1).values"},
        ),
        "squared length": Mistake(
            "you divided by the squared length: the square root is missing", _both("(x / (x**2).sum(-1, keepdim=True))")
        ),
        "absolute values": Mistake(
            "you divided by the sum of absolute values: the length is the root of the sum of squares",
            {"dim=-1": "p=1, dim=-1"},
        ),
        "distance": Mistake(
            "this is a distance, which is small for things that are alike: take the dot product of unit vectors",
            {PRODUCT: f"torch.cdist({IMAGE}, {TEXT})"},
        ),
        "correlation": Mistake(
            "you subtracted the mean first, which makes it a correlation: cosine similarity subtracts nothing",
            _both("F.normalize(x - x.mean(-1, keepdim=True), dim=-1)"),
        ),
        "in place": Mistake(
            words="image_features was changed",
            patch={"return ": "image_features /= image_features.norm(dim=-1, keepdim=True)\nreturn "},
        ),
        "no return": Mistake(words="did you forget", patch={"return F": "F"}),
    },
    cosine_similarity,
)


def _any_features(case: Case) -> tuple[Tensor, Tensor]:
    images, texts, width = case.sizes(3, (1, 1, 2))
    return 3 * case.normal(images, width), 0.5 * case.normal(texts, width)


SIMILARITY = Exercise(
    number="01.1",
    title="Similarity of pictures and sentences",
    reference=cosine_similarity,
    facets=(
        returns((IMAGES, TEXTS), (3, 4), torch.float32, letters="B, C"),
        by_hand(
            (torch.tensor([[3.0, 4.0], [0.0, 2.0]]), torch.tensor([[2.0, 0.0], [0.0, 3.0]])),
            torch.tensor([[0.6, 0.8], [0.0, 1.0]]),
            "(3, 4) has length 5, of which 3 / 5 lie along (2, 0) and 4 / 5 along (0, 3); (0, 2) is at a right angle "
            "to the first and has the direction of the second",
        ),
        equals((IMAGES, TEXTS), cosine_similarity),
        invariant(
            "length does not matter",
            lambda fn: agree(call(fn, (IMAGES, TEXTS)), call(fn, (7 * IMAGES, TEXTS / 7)), 1e-5),
            expected="the same similarities for features 7 times as long",
            cause="the lengths are not divided out for every row: normalise both",
        ),
        any_size(_any_features, cosine_similarity),
        unchanged((IMAGES, TEXTS)),
    ),
    hints=(
        "Cosine similarity compares nothing but the directions of two vectors. What must you take away from each of "
        "them before you multiply?",
        "Divide every row by its own length: its norm over the last dimension, kept as a column so that it divides "
        "row by row. Then one matrix product compares all pictures with all sentences.",
        "image_features / image_features.norm(dim=-1, keepdim=True), the same for the text, and then the product of "
        "the first with the second transposed: [B, D] @ [D, C] gives [B, C].",
    ),
    meaning="Only directions count: a picture and a sentence agree as far as their features point the same way.",
    mistakes=SIMILARITY_MISTAKES,
)

# 01.2


def probabilities(similarity: Tensor, logit_scale: Tensor) -> Tensor:
    """Probabilities [B, C] of classes, from similarities [B, C] and the logarithm of the logit scale."""
    return (logit_scale.exp() * similarity).softmax(dim=-1)


SIMILARITIES, SCALE = draw(3, 4, seed=2).tanh(), torch.tensor(1.5)
EXP, LOGITS = "logit_scale.exp()", "(logit_scale.exp() * similarity)"

PROBABILITY_MISTAKES = Mistakes(
    {
        "no exp": Mistake(
            "logit_scale was multiplied as it is, but it is stored as a logarithm: take .exp() of it first",
            {EXP: "logit_scale"},
        ),
        "no scale": Mistake(
            "the scale is missing, or added, which changes nothing: multiply the similarities with it",
            {LOGITS: "similarity"},
        ),
        "divided": Mistake(
            "you divided by the factor, as if it were a temperature: CLIP multiplies with exp(logit_scale)",
            {LOGITS: f"(similarity / {EXP})"},
        ),
        "divided by the logarithm": Mistake(
            "you divided by the logarithm: CLIP multiplies with its exponential", {LOGITS: "(similarity / logit_scale)"}
        ),
        "over the pictures": Mistake(
            "the softmax ran over dim 0, the pictures: each picture's probabilities of the classes sum to 1, so dim=-1",
            {"dim=-1": "dim=0"},
        ),
        "logits": Mistake(
            "these are the logits: the softmax that makes probabilities of them is missing", {".softmax(dim=-1)": ""}
        ),
        "sigmoid": Mistake(
            "this is a sigmoid, which judges each class alone: the classes share one softmax",
            {"softmax(dim=-1)": "sigmoid()"},
        ),
        "not divided by the sum": Mistake(
            "you took the exponential of the logits and did not divide by each row's sum", {"softmax(dim=-1)": "exp()"}
        ),
        "scaled afterwards": Mistake(
            "you scaled after the softmax: the factor belongs to the similarities, before it",
            {LOGITS: f"{EXP} * similarity"},
        ),
        "logarithms": Mistake(
            "these are logarithms of probabilities: softmax, not log_softmax", {"softmax": "log_softmax"}
        ),
        "base 10": Mistake(
            "you took 10 to the power of logit_scale: it is a natural logarithm, so .exp()", {EXP: "10**logit_scale"}
        ),
        "a factor in the code": Mistake(
            "a factor of 100 is written into the code: it is logit_scale.exp(), whatever CLIP it comes from",
            {EXP: "100"},
        ),
        "exp twice": Mistake(
            "the exponential was taken twice: logit_scale.exp() is the factor already", {EXP: "logit_scale.exp().exp()"}
        ),
        "no exponentials": Mistake(
            "you divided each row by its sum: the softmax takes the exponential first",
            {"return ": "logits = ", ".softmax(dim=-1)": "\nreturn logits / logits.sum(dim=-1, keepdim=True)"},
        ),
        "overflow": Mistake(
            "exp(95) is more than float32 can hold: use softmax, which subtracts the largest logit first",
            {"return ": "e = ", "softmax(dim=-1)": "exp()\nreturn e / e.sum(dim=-1, keepdim=True)"},
        ),
        "the answer": Mistake(words="1 dimension too few", patch={"softmax": "argmax"}),
        "in place": Mistake(
            words="similarity was changed", patch={"return ": f"similarity *= {EXP}\nreturn ", LOGITS: "similarity"}
        ),
    },
    probabilities,
)


def _any_similarities(case: Case) -> tuple[Tensor, Tensor]:
    return case.normal(*case.sizes(2)).tanh(), 1 + case.uniform(1)[0]


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
        ),
        equals((SIMILARITIES, SCALE), probabilities),
        by_hand(
            (torch.tensor([[0.95, 0.90]]), torch.tensor(100.0).log()),
            torch.tensor([[0.9933, 0.0067]]),
            "the logits 95 and 90 differ by 5, and 1 / (1 + exp(-5)) = 0.9933",
            atol=1e-4,
            name="a factor of 100, as OpenAI's CLIP has it",
        ),
        any_size(_any_similarities, probabilities),
        unchanged((SIMILARITIES, SCALE)),
    ),
    hints=(
        "Three steps: logarithm to factor, similarities to logits, logits to probabilities.",
        "The factor is the exponential of logit_scale. Multiply every similarity with it. Then the softmax, over the "
        "dimension in which the classes stand.",
        "logits = logit_scale.exp() * similarity, and logits.softmax(dim=...): the rows are pictures, the columns "
        "classes, and each row must sum to 1.",
    ),
    meaning="The factor turns small differences in angle into large differences in probability.",
    mistakes=PROBABILITY_MISTAKES,
)

# 01.3

LEAD, WANTED = 0.05, 0.9  # in similarity, and the probability that it has to make
ODDS = math.log(WANTED / (1 - WANTED))  # the lead in logits that makes it: ln 9

FACTOR = Exercise(
    number="01.3",
    title="How large must the factor be?",
    reference=round(ODDS / LEAD, 2),
    facets=(number(ODDS / LEAD, 0.3),),
    hints=(
        "With two names the softmax depends on one thing only: the difference of the two logits.",
        "The first name's probability is 1 / (1 + exp(-d)), d being the lead of its logit. Which d makes 0.9? And "
        "d = factor x 0.05.",
        "0.9 = 1 / (1 + exp(-d)) means exp(d) = 9. So d = math.log(9), and the factor is d / 0.05.",
    ),
    meaning="Similarities lie close together, so that the factor has to be large: tens, and not ones.",
    mistakes=Mistakes(
        {
            "its logarithm": Mistake(
                "that is its logarithm, what clip.logit_scale stores: the factor is asked for",
                value=math.log(ODDS / LEAD),
            ),
            "a straight line": Mistake(
                "that is 0.9 / 0.05, but a softmax is not a straight line: which lead of the logits gives 0.9?",
                value=18.0,
            ),
            "base 10": Mistake(
                "you took the logarithm to base 10: the softmax is made of powers of e", value=math.log10(9) / LEAD
            ),
            "odds of ten": Mistake(
                "that makes odds of 10 to 1: a probability of 0.9 is odds of 9 to 1", value=math.log(10) / LEAD
            ),
            "the lead of the logits": Mistake(
                "that is the lead that the logits need: how many times larger than 0.05 is it?", value=ODDS
            ),
            "no odds": Mistake(
                "that is -ln(0.9) / 0.05: take the odds, 0.9 / 0.1, and not the probability",
                value=-math.log(WANTED) / LEAD,
            ),
            "the temperature": Mistake("that is the temperature, 1 / factor: turn it over", value=LEAD / ODDS),
            "difference of probabilities": Mistake(
                "you asked for probabilities 0.8 apart and divided by 0.05: it is the logits that are proportional to "
                "similarities",
                value=16,
            ),
            "multiplied": Mistake(
                "you multiplied by 0.05: factor times 0.05 is the lead of the logits, so divide", value=ODDS * LEAD
            ),
            "a text": Mistake(words="without quotes", value="43.9"),
            "too large": Mistake(words="a smaller number", value=100),
        },
    ),
)

# 01.4


def _ids(row: Tensor) -> list[int]:
    """The tokens of one sentence without the zeros that fill it up."""
    return [token for token in row.tolist() if token]


class ListeningCLIP(FrozenCLIP):
    """A FrozenCLIP that remembers the tokens it was asked to encode."""

    heard: tuple[Tensor, ...] = ()

    def encode_text(
        self, tokens: Tensor, prompts: Sequence[Tensor] = (), positions: Tensor | None = None, chunk: int = 1024
    ) -> Tensor:
        """FrozenCLIP's own text features."""
        self.heard += (tokens.detach().cpu(),)
        return super().encode_text(tokens, prompts, positions, chunk)

    def heard_tokens(self) -> list[list[int]]:
        """The tokens of the sentences that were encoded since the last question, each sentence once."""
        found = [_ids(row) for tokens in self.heard for row in tokens]
        return [row for i, row in enumerate(found) if row not in found[:i]]

    def sentences(self) -> list[str]:
        """The sentences that were encoded since the last question, each once."""
        words, rows = tokenizer(), [row for tokens in self.heard for row in tokens]
        self.heard = ()
        ends = (words.sot_token_id, words.eot_token_id, 0)
        texts = (words.decode([i for i in row.tolist() if i not in ends]).strip() for row in rows)
        return list(dict.fromkeys(text.replace(" .", ".").replace(" _ ", "_") for text in texts))


NAMES = ["snowman", "couch_and_lamp", "violin", "Star"]
SHOWN = [2, 0, 3, 3, 1, 0]  # which of NAMES the pictures show
TEMPLATE = "a drawing of the {}."


@lru_cache
def _listener() -> ListeningCLIP:
    return ListeningCLIP(load_clip().model)


@lru_cache
def _symbols() -> Tensor:
    """Clean pictures [6, 3, R, R] of SHOWN."""
    clip = _listener()
    data = open_dataset("objects", clip=clip, look="clean").subset([spoken(name).lower() for name in NAMES])
    items = items_of_classes(data.labels)
    return data.batch([items[label][i] for i, label in enumerate(SHOWN)])[0].to(clip.device)


def classify(clip: FrozenCLIP, images: Tensor, class_names: Sequence[str], template: str) -> list[str]:
    """For each of the images [B, 3, H, W] the class name whose sentence is most similar to it."""
    sentences = [template.format(name.replace("_", " ")) for name in class_names]
    image_features = clip.encode_image(images)
    text_features = clip.encode_text(tokenize(sentences).to(clip.device))
    return [class_names[i] for i in (image_features @ text_features.T).argmax(dim=-1).tolist()]


SPOKEN = 'name.replace("_", " ")'
FILLED, COMPARED = f"template.format({SPOKEN})", "(image_features @ text_features.T)"
BEST = f"{COMPARED}.argmax(dim=-1)"
ANSWERS = f"[class_names[i] for i in {BEST}.tolist()]"

CLASSIFY_MISTAKES = Mistakes(
    {
        "labels": Mistake("these are labels: look up the name of each, class_names[label]", {ANSWERS: BEST}),
        "a list of labels": Mistake(
            words="look up the name of each in class_names", patch={ANSWERS: f"{BEST}.tolist()"}
        ),
        "similarities": Mistake(
            "these are similarities: take the argmax of each row and look up its name", {ANSWERS: COMPARED}
        ),
        "argmax over the pictures": Mistake(
            "one answer per class came: the argmax ran over the pictures; for rows of classes it is dim=-1",
            {"[i]": "[i % 4]", "dim=-1": "dim=0"},
        ),
        "the template is left out": Mistake("the template was left out: these are the bare names", {FILLED: SPOKEN}),
        "neither template nor spaces": Mistake(
            "the template was left out, and underscores are still in the names", {FILLED: "name"}
        ),
        "the first underscore alone": Mistake(
            "an underscore is still there: CLIP reads words, so write a space for every _",
            {SPOKEN: 'name.replace("_", " ", 1)'},
        ),
        "underscores deleted": Mistake(
            "the underscores are deleted, and the words of a name run together: write a space for each _",
            {SPOKEN: 'name.replace("_", "")'},
        ),
        "small letters": Mistake(
            words="as they stand in class_names", patch={"[class_names[i]": "[class_names[i].lower()"}
        ),
        "underscores": Mistake(
            "an underscore is still there: CLIP reads words, so write a space for each _", {SPOKEN: "name"}
        ),
        "a template of its own": Mistake(
            "you wrote a template of your own: take the one that is passed in",
            {"template.format": '"a photo of a {}.".format'},
        ),
        "the template added at the end": Mistake(
            "the name was added to the template: it belongs where the {} is", {FILLED: f"template + {SPOKEN}"}
        ),
        "one sentence for all": Mistake(
            words="one sentence per class name", patch={SPOKEN: '" ".join(class_names).replace("_", " ")'}
        ),
        "braces not filled": Mistake("the braces were not filled: template.format(name)", {FILLED: "template"}),
        "names changed": Mistake(words="as they stand in class_names", patch={"[i]": '[i].replace("_", " ")'}),
        "the least similar": Mistake(
            "you took the least similar name, argmin: the most similar one is the answer", {"argmax": "argmin"}
        ),
        "softmax over the pictures": Mistake(
            "a softmax ran over the pictures (dim=0) before the argmax: each picture chooses among the names, dim=-1",
            {COMPARED: f"(100 * {COMPARED}).softmax(dim=0)"},
        ),
        "the second best": Mistake("you took the second best name", {"argmax(dim=-1)": "argsort(dim=-1)[:, -2]"}),
        "counted from 1": Mistake("you counted the classes from 1: labels start at 0", {"[i]": "[i - 1]"}),
        "sorted names": Mistake(
            "you looked labels up in sorted names: take class_names as they are",
            {"[i]": "[class_names.index(sorted(class_names)[i])]"},
        ),
        "the first answer for all": Mistake(
            "every picture got the answer of the first: each row has an argmax of its own",
            {f"{BEST}.tolist()": f"[{COMPARED}[0].argmax()] * len(images)"},
        ),
        "an order learned by heart": Mistake(
            words="with an order of its own",
            patch={"[class_names[i]": '[["snowman", "couch_and_lamp", "violin", "Star"][i]'},
        ),
        "the name of one": Mistake(words="return a list", patch={ANSWERS: f"class_names[{COMPARED}.argmax() % 4]"}),
    },
    classify,
)


def _answer(fn: Function, images: Tensor, names: Sequence[str] = tuple(NAMES)) -> list[str]:
    """What a submission answers; Finding if that is not one of the names for each image."""
    came, wanted = call(fn, (_listener(), images, list(names), TEMPLATE)), f"a list of {len(images)} names"
    if not isinstance(came, list | tuple):
        raise Finding(wanted, describe(came), "return a list, also for a single picture", describe(came))
    if len(came) != len(images):
        cause = "there must be one answer per picture, in their order"
        raise Finding(wanted, describe(list(came)), cause, len(came))
    for name in came:
        if not isinstance(name, str):
            raise Finding(wanted, describe(list(came)), "these are labels: look up the name of each in class_names")
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
    wanted = [TEMPLATE.format(spoken(name)) for name in NAMES]
    same = listener.heard_tokens() == [_ids(row) for row in tokenize(wanted)]
    heard = listener.sentences()
    if not same:
        cause = "write one sentence per class name, in their order, and nothing else"  # decoding moves spaces
        raise Finding(f"the {len(NAMES)} sentences {wanted}", f"{len(heard)}: {heard}", cause, heard)


@lru_cache
def _most_similar() -> list[str]:
    return classify(_listener(), _symbols(), NAMES, TEMPLATE)


def _as_reference(fn: Function) -> None:
    came, wanted = _answer(fn, _symbols()), _most_similar()
    if came != wanted:
        cause = "compare the similarities [B, C] row by row, and take the name of the largest"
        raise Finding(f"{wanted}", f"{came}", cause, came)


def _permuted(fn: Function) -> bool | str:
    first = _answer(fn, _symbols())
    for names in (NAMES[::-1], [*NAMES[2:], *NAMES[:2]]):
        second = _answer(fn, _symbols(), names)
        if first != second:
            return f"{first} for the names {NAMES}, and {second} for the same names in another order"
    return True


def _any_question(case: Case) -> tuple[Any, Tensor, list[str], str]:
    """Some of the pictures, asked with some of the names in another order, in one of two sentences."""
    images, names = case.sizes(2, (1, 2))
    shown = case.shuffled(len(SHOWN))[: min(images, len(SHOWN))]
    asked = [NAMES[i] for i in case.shuffled(len(NAMES))[: min(names, len(NAMES))]]
    return _listener(), _symbols()[shown], asked, case.chosen(["a photo of a {}.", TEMPLATE])


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
            expected="the same answers for any order of the names",
            cause="the labels are looked up in a list with an order of its own: take class_names, as it was passed in",
        ),
        any_size(_any_question, classify, cases=8),
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
    mistakes=CLASSIFY_MISTAKES,
)

# 01.5


def accuracy_per_class(predicted: Tensor, labels: Tensor, n_classes: int) -> Tensor:
    """Accuracy [C] in percent on the pictures of each class, from labels [B]; NaN for a class without pictures."""
    return 100 * labels[predicted == labels].bincount(minlength=n_classes) / labels.bincount(minlength=n_classes)


LABELS = torch.tensor([0, 0, 0, 0, 0, 1, 1, 2, 2, 2, 3, 3, 3, 3])
PREDICTED = torch.tensor([0, 0, 0, 1, 2, 1, 2, 2, 2, 3, 3, 0, 1, 1])


RIGHT, OWN = "labels[predicted == labels].bincount(minlength=n_classes)", "labels.bincount(minlength=n_classes)"
SHARE, AGREE = f"{RIGHT} / {OWN}", "(predicted == labels)"

CLASS_MISTAKES = Mistakes(
    {
        "shares": Mistake(
            "these are shares from 0 to 1: this course counts in percent, so multiply by 100", {"100 * ": ""}
        ),
        "precision": Mistake(
            "you divided by how often each class was predicted (precision): divide by how many pictures it has",
            {OWN: "predicted.bincount(minlength=n_classes)"},
        ),
        "over all pictures": Mistake(
            "you divided by the number of all pictures: every class has its own number of them", {OWN: "len(labels)"}
        ),
        "counts": Mistake(
            "that is how many are right: divide by how many pictures the class has", {f"100 * {SHARE}": RIGHT}
        ),
        "one number": Mistake(
            "one number for all pictures came: there is one for each class", {SHARE: f"{AGREE}.float().mean()"}
        ),
        "the mean for every class": Mistake(
            "that is the accuracy over all pictures, the same for every class: look at one class at a time",
            {SHARE: f"{AGREE}.float().mean().repeat(n_classes)"},
        ),
        "one per picture": Mistake("one number per picture came: collect those of each class", {SHARE: AGREE}),
        "table of confusions": Mistake(
            "that is the whole table of confusions: its diagonal, divided by the pictures of each class",
            {SHARE: "F.one_hot(labels, n_classes).T @ F.one_hot(predicted, n_classes)"},
        ),
        "classes from 1": Mistake(
            "the classes are counted from 1: they are 0 to C - 1, so yours are shifted by one",
            {SHARE: "torch.stack([(predicted[labels == c] == c).float().mean() for c in range(1, n_classes + 1)])"},
        ),
        "true negatives": Mistake(
            "you also counted pictures of other classes that were not given this name: only its own pictures count",
            {SHARE: "torch.stack([((predicted == c) == (labels == c)).float().mean() for c in range(n_classes)])"},
        ),
        "share of the right answers": Mistake(
            "that is the share of each class among the right answers: divide by the pictures of the class",
            {OWN: f"{AGREE}.sum()"},
        ),
        "errors": Mistake("these are errors, 100 minus the accuracy", {"100 * ": "100 - 100 * "}),
        "whole division": Mistake(
            "you rounded down on the way: divide with / and not with //", {SHARE: f"({RIGHT} // {OWN})"}
        ),
        "zero for none": Mistake(
            "a class without pictures got 0%, as if CLIP had failed on it: leave it NaN", {OWN: f"{OWN}.clamp(min=1)"}
        ),
        "hundred for none": Mistake(
            "a class without pictures got 100%, although there was nothing to name: leave it NaN",
            {SHARE: f"({SHARE}).nan_to_num(1)"},
        ),
        "a list": Mistake(words="a list is returned", patch={f"100 * {SHARE}": f"(100 * {SHARE}).tolist()"}),
        "mean of truth values": Mistake(
            words="floating point",
            patch={SHARE: "torch.stack([(predicted[labels == c] == c).mean() for c in range(n_classes)])"},
        ),
    },
    accuracy_per_class,
)


def _any_answers(case: Case) -> tuple[Tensor, Tensor, int]:
    images, classes = case.sizes(2)
    return case.labels(images, classes), case.labels(images, classes), classes


PER_CLASS = Exercise(
    number="01.5",
    title="Accuracy of each class",
    reference=accuracy_per_class,
    facets=(
        returns((PREDICTED, LABELS, 4), (4,), letters="C"),
        by_hand(
            (torch.tensor([0, 1, 1, 0, 1, 1, 2]), torch.tensor([0, 0, 0, 0, 1, 1, 2]), 3),
            torch.tensor([50.0, 100.0, 100.0]),
            "2 of the 4 pictures of class 0 are named correctly, both of class 1, and the only one of class 2",
        ),
        equals((PREDICTED, LABELS, 4), accuracy_per_class, atol=1e-3),
        by_hand(
            (torch.tensor([0, 0]), torch.tensor([0, 1]), 3),
            torch.tensor([100.0, 0.0, math.nan]),
            "class 2 has no pictures, and 0 of 0 is no percentage (torch makes NaN of 0 / 0)",
            name="a class without pictures",
        ),
        any_size(_any_answers, accuracy_per_class, atol=1e-3),
        unchanged((PREDICTED, LABELS, 4)),
    ),
    hints=(
        "Forget the other classes for a moment: of the pictures whose label is 0, how many were named 0?",
        "For each class c: select its pictures with labels == c, see where predicted equals c among them, and take "
        "the mean, in percent. A loop over range(n_classes) is fine.",
        "torch.stack([(predicted[labels == c] == c).float().mean() for c in range(n_classes)]) and a factor of 100. "
        "The mean of nothing is NaN, as wanted.",
    ),
    meaning="One average hides a lot: a class can be lost although the average looks good.",
    mistakes=CLASS_MISTAKES,
)

# 01.6


def contrastive_loss(image_features: Tensor, text_features: Tensor, logit_scale: Tensor) -> Tensor:
    """CLIP's loss of image features [B, D] and the features [B, D] of their captions, all of norm 1."""
    logits = logit_scale.exp() * image_features @ text_features.T
    own = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2


ROWS, COLUMNS = "F.cross_entropy(logits, own)", "F.cross_entropy(logits.T, own)"
BOTH = f"({ROWS} + {COLUMNS}) / 2"


def _each(change: str, of: str = "own") -> dict[str, str]:
    """A patch: another argument of both cross-entropies."""
    return {ROWS: ROWS.replace(of, change), COLUMNS: COLUMNS.replace(of, change)}


CONTRASTIVE_MISTAKES = Mistakes(
    {
        "pictures choose alone": Mistake(
            "only the pictures choose among the captions: the captions choose among the pictures, too (the columns)",
            {BOTH: ROWS},
        ),
        "captions choose alone": Mistake(
            "only the captions choose among the pictures: the pictures choose among the captions, too (the rows)",
            {BOTH: COLUMNS},
        ),
        "the sum of both": Mistake("these are both losses added: take their mean", {" / 2": ""}),
        "no scale": Mistake(
            "the factor is missing: multiply the similarities with logit_scale.exp()", {"logit_scale.exp() * ": ""}
        ),
        "no exp": Mistake("logit_scale is a logarithm: take .exp() of it", {"logit_scale.exp()": "logit_scale"}),
        "divided": Mistake(
            "you divided by the factor: logits are similarities times logit_scale.exp()",
            {"logit_scale.exp() * image_features": "image_features / logit_scale.exp()"},
        ),
        "everything matches the first": Mistake(
            "all labels are 0: picture i belongs to caption i, so the labels are 0, 1, ..., B - 1",
            {"torch.arange(len(logits), device=logits.device)": "torch.zeros(len(logits), dtype=torch.long)"},
        ),
        "softmax twice": Mistake(
            "F.cross_entropy takes the softmax itself: give it the logits",
            {ROWS: "F.cross_entropy(logits.softmax(-1), own)", COLUMNS: "F.cross_entropy(logits.T.softmax(-1), own)"},
        ),
        "the diagonal alone": Mistake(
            "that is minus the mean of the diagonal: the other captions belong into the softmax",
            {BOTH: "-logits.diag().mean()"},
        ),
        "summed over the batch": Mistake(
            "the losses of the batch are summed: F.cross_entropy takes their mean unless you say otherwise",
            _each('own, reduction="sum"'),
        ),
        "a loss per picture": Mistake(words="print the shape after every line", patch=_each('own, reduction="none"')),
        "detached": Mistake(words="the path is cut", patch={BOTH: f"({BOTH}).detach()"}),
        "no return": Mistake(words="did you forget", patch={"return (": "("}),
    },
    contrastive_loss,
)


def _any_pairs(case: Case) -> tuple[Tensor, Tensor, Tensor]:
    pairs, width = case.sizes(2, (1, 2))
    images, texts = (F.normalize(case.normal(pairs, width), dim=-1) for _ in range(2))
    return images, texts, 1 + case.uniform(1)[0]


PAIRED = F.normalize(draw(4, 6, seed=3), dim=-1), F.normalize(draw(4, 6, seed=4), dim=-1)


def _reaches_both(fn: Function) -> tuple[Tensor, dict[str, Tensor]]:
    images, texts = (features.clone().requires_grad_() for features in PAIRED)
    scale = SCALE.clone().requires_grad_()
    return fn(images, texts, scale), {"the pictures": images, "the captions": texts, "the logit scale": scale}


CONTRASTIVE = Exercise(
    number="01.6",
    title="The loss that CLIP was trained with",
    reference=contrastive_loss,
    facets=(
        returns((*PAIRED, SCALE), (), torch.float32),
        by_hand(
            (torch.eye(2), torch.tensor([[1.0, 0.0], [0.6, 0.8]]), torch.tensor(10.0).log()),
            torch.tensor(0.0364),
            "the logits are [[10, 6], [0, 8]]: the pictures lose 0.0181 and 0.0003, the captions 0.0000 and 0.1269, "
            "and the mean of all four is 0.0364",
            atol=1e-4,
        ),
        any_size(_any_pairs, contrastive_loss),
        gradient(
            _reaches_both, ("the pictures", "the captions", "the logit scale"), name="the gradient reaches both towers"
        ),
    ),
    hints=(
        "It is a classification, twice. For a picture, the captions of the batch are the classes. Which one is right?",
        "Make the logits [B, B] first. The right class of row i is i, so the labels are torch.arange(B). Take the "
        "cross-entropy of the rows, and of the columns, and then the mean of both.",
        "logits = logit_scale.exp() * image_features @ text_features.T; own = torch.arange(len(logits), "
        "device=logits.device); F.cross_entropy(logits, own) is for the rows, and logits.T is for the columns.",
    ),
    meaning="A batch of captioned pictures is all that CLIP needs: nobody wrote down a list of classes.",
    mistakes=CONTRASTIVE_MISTAKES,
)

EXERCISES = (SIMILARITY, PROBABILITIES, FACTOR, CLASSIFY, PER_CLASS, CONTRASTIVE)
