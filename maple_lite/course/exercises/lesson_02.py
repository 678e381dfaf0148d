"""Lesson 02, the few-shot protocol: ensembles of sentences, samples, a linear probe, base and novel, harmonic mean."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from maple_lite.course.exercises.shared import draw
from maple_lite.course.teach.cases import Case
from maple_lite.course.teach.exercise import Exercise, Facet, Finding
from maple_lite.course.teach.facets import (
    SIZES,
    Function,
    any_size,
    by_hand,
    equals,
    invariant,
    number,
    returns,
    unchanged,
)
from maple_lite.course.teach.laws import RANDOM
from maple_lite.course.teach.mistakes import Mistake, Mistakes
from maple_lite.course.teach.values import agree, describe, literal, plain
from maple_lite.protocol import base_and_novel, few_shot, harmonic_mean

SENTENCES = draw(4, 3, 5) * torch.tensor([3.0, 1.0, 0.4, 0.1])[:, None, None]  # [T, C, D], no unit norms


def ensemble(text_features: Tensor) -> Tensor:
    """Unit-norm features [C, D] of C classes, each the mean direction of its T sentences' features [T, C, D]."""
    unit = F.normalize(text_features, dim=-1)
    return F.normalize(unit.mean(dim=0), dim=-1)


UNIT, MEAN_OF = "F.normalize(text_features, dim=-1)", "unit.mean(dim=0)"
UNIT_MEAN = f"F.normalize({MEAN_OF}, dim=-1)"

ENSEMBLE_MISTAKES = Mistakes(
    {
        "no normalisation before": Mistake(
            "you normalised the mean, but not the features before it: a long vector drowns the others",
            {UNIT: "text_features"},
        ),
        "no normalisation after": Mistake(
            "the mean of unit vectors is shorter than 1: normalise the mean, too", {UNIT_MEAN: MEAN_OF}
        ),
        "a sum that nobody normalises": Mistake(
            "a sum is longer than 1: take the mean and normalise it", {UNIT_MEAN: "unit.sum(dim=0)"}
        ),
        "mean over the classes": Mistake(
            "you averaged over the classes: dim 1. The sentences are dim 0", {MEAN_OF: "unit.mean(dim=1)"}
        ),
        "mean over the features": Mistake(
            "you averaged over the features: dim 2. The sentences are dim 0", {MEAN_OF: "unit.mean(dim=2)"}
        ),
        "sentences below each other": Mistake(
            "you put the sentences of all classes below each other; average over dim 0 instead",
            {MEAN_OF: "unit.flatten(0, 1)"},
        ),
        "sentences side by side": Mistake(
            "you put the features of the sentences side by side; average them instead",
            {MEAN_OF: "torch.cat([*unit], dim=-1)"},
        ),
        "no mean": Mistake("no dimension is gone: take the mean over dim 0, the sentences", {MEAN_OF: "unit"}),
        "keepdim": Mistake(
            "keepdim=True leaves a dimension of 1: leave it out", {MEAN_OF: "unit.mean(dim=0, keepdim=True)"}
        ),
        "normalised over the wrong dimension": Mistake(
            "you normalised over the classes: F.normalize takes dim=1 unless you say dim=-1",
            {UNIT: "F.normalize(text_features)"},
        ),
        "one length for all classes": Mistake(
            "you divided the means by one length for all classes: norm(dim=-1, keepdim=True) has one for each",
            {UNIT_MEAN: f"{MEAN_OF} / {MEAN_OF}.norm()"},
        ),
        "the first sentence": Mistake("that is the first sentence alone", {MEAN_OF: "unit[0]"}),
        "the median": Mistake(
            "that is the median of every number, not the mean", {MEAN_OF: "unit.median(dim=0).values"}
        ),
        "in place": Mistake(
            words="writes into its input",
            patch={f"unit = {UNIT}": "unit = text_features\nunit /= unit.norm(dim=-1, keepdim=True)"},
        ),
        "no return": Mistake(words="did you forget", patch={"return F": "F"}),
    },
    ensemble,
)


def _any_sentences(case: Case) -> tuple[Tensor]:
    templates, classes, width = case.sizes(3, (1, 1, 2))
    return (case.normal(templates, classes, width) * (1 + 3 * case.uniform(templates, 1, 1)),)


ENSEMBLE = Exercise(
    "02.1",
    "Average the sentences of each class",
    ensemble,
    (
        returns((SENTENCES,), (3, 5), torch.float32, letters="C, D"),
        by_hand(
            (torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]]]),),
            torch.tensor([[0.7071, 0.7071]]),
            "the mean of [1, 0] and [0, 1] is [0.5, 0.5], and its length must be 1",
            atol=1e-3,
            name="two sentences by hand",
        ),
        equals((SENTENCES,), ensemble, name="every sentence counts the same"),
        invariant(
            "one sentence is itself",
            lambda fn: bool(torch.allclose(fn(SENTENCES[:1].clone()), F.normalize(SENTENCES[0], dim=-1), atol=1e-5)),
            expected="the ensemble of one sentence [1, C, D] to be that sentence, with unit norm",
            cause="is a number of sentences or classes written into the code?",
        ),
        any_size(_any_sentences, ensemble),
        unchanged((SENTENCES,)),
    ),
    (
        "Similarity is about directions, and lengths must not count. Which lengths are there: before the mean, after?",
        "Make every vector a unit vector, over the last dimension. Take the mean over the sentences, dim 0. The mean "
        "of unit vectors is shorter than 1: make unit vectors of the means, too.",
        "F.normalize(text_features, dim=-1) has unit vectors [T, C, D]; .mean(dim=0) makes [C, D]; then F.normalize "
        "with dim=-1 once more.",
    ),
    "An ensemble costs nothing at test time: it is one vector per class, as a single sentence is.",
    ENSEMBLE_MISTAKES,
)


LABELS = [1, 2, 1, 0, 2, 2, 1, 0, 1, 0, 2, 0, 0, 1, 2, 0, 1]  # as a shuffled pool has them: 6, 6 and 5 pictures
SHOTS = 3
SAMPLE = """
def few_shot(labels, shots, seed):
    generator = random.Random(seed)
    chosen = []
    for label in sorted(set(labels)):
        members = [index for index, own in enumerate(labels) if own == label]
        if len(members) < shots:
            raise ValueError(f"class {label} has too few pictures")
        chosen += generator.sample(members, shots)
    return chosen
"""
GENERATOR, DRAWN = "generator = random.Random(seed)", "generator.sample(members, shots)"
TOO_FEW = 'if len(members) < shots:\n    raise ValueError(f"class {label} has too few pictures")'

SAMPLE_MISTAKES = Mistakes(
    {
        "from all classes together": Mistake(
            words="drew from all pictures together",
            body="return random.Random(seed).sample(range(len(labels)), shots * len(set(labels)))",
        ),
        "shots in all": Mistake(
            words="not the number in all", body="return random.Random(seed).sample(range(len(labels)), shots)"
        ),
        "positions within the class": Mistake(
            words="took positions within a class for indices",
            patch={DRAWN: "generator.sample(range(len(members)), shots)"},
        ),
        "counted from 1": Mistake(
            words="Python counts from 0", patch={"enumerate(labels)": "enumerate(labels, 1)", DRAWN: "members[-shots:]"}
        ),
        "a list per class": Mistake(words="one flat list", patch={f"chosen += {DRAWN}": f"chosen.append({DRAWN})"}),
        "the labels": Mistake(words="these are labels", patch={DRAWN: "[label] * shots"}),
        "exactly enough is too few": Mistake(
            words="has enough", patch={"len(members) < shots": "len(members) <= shots"}
        ),
        "with replacement": Mistake(words="with replacement", patch={DRAWN: "generator.choices(members, k=shots)"}),
        "the seed is not used": Mistake(words="does not use `seed`", patch={GENERATOR: "generator = random"}),
        "always the first": Mistake(words="the first pictures of each class", patch={DRAWN: "members[:shots]"}),
        "a seed in the code": Mistake(words="a seed is written into the code", patch={"Random(seed)": "Random(42)"}),
        "the last never": Mistake(words="to have a chance", patch={DRAWN: "generator.sample(members[:-1], shots)"}),
        "too few, silently": Mistake(
            words="the comparison is unfair",
            patch={TOO_FEW: "", DRAWN: "generator.sample(members, min(shots, len(members)))"},
        ),
        "the global seed": Mistake(
            words="that of random has moved", patch={GENERATOR: "random.seed(seed)\ngenerator = random"}
        ),
        "torch's global seed": Mistake(
            words="that of torch has moved",
            patch={
                GENERATOR: "torch.manual_seed(seed)",
                DRAWN: "[members[i] for i in torch.randperm(len(members))[:shots]]",
            },
        ),
        "three classes always": Mistake(words="written into the code", patch={"sorted(set(labels))": "range(3)"}),
        "a tensor": Mistake(words="end with .tolist()", patch={"return chosen": "return torch.tensor(chosen)"}),
        "a dictionary": Mistake(
            words="a list of whole numbers",
            patch={"chosen = []": "chosen = {}", f"chosen += {DRAWN}": f"chosen[label] = {DRAWN}"},
        ),
    },
    SAMPLE,
    {"random": random, "torch": torch},
)


def _sample(fn: Function, labels: Iterable[int] = LABELS, shots: int = SHOTS, seed: int = 1) -> list[int]:
    """The indices that a submission draws, as a list of int; Finding for what is no list of indices."""
    came = fn(list(labels), shots, seed)
    if came is None:
        raise Finding("indices", "None", "the function ends without return: did you forget it?")
    whole = int | np.integer
    if not isinstance(came, list) or any(isinstance(i, bool) or not isinstance(i, whole) for i in came):
        cause = "return positions in `labels`, one for each picture"
        if isinstance(came, Tensor | np.ndarray):
            cause = "the indices are asked for as a list: end with .tolist()"
        elif isinstance(came, list) and any(isinstance(entry, list | tuple) for entry in came):
            cause = "make one flat list of all classes"
        raise Finding("a list of whole numbers", describe(came), cause)
    return [int(index) for index in came]


def _is_indices(fn: Function) -> None:
    chosen, last = _sample(fn), len(LABELS) - 1
    outside = [index for index in chosen if not 0 <= index <= last]
    if outside:
        raise Finding(f"indices from 0 to {last}", f"{outside[0]} among {chosen}", "Python counts from 0")


def _counts_per_class(fn: Function) -> None:
    chosen = _sample(fn)
    counts = Counter(LABELS[index] for index in chosen)
    expected = f"{SHOTS} indices for each of the classes 0, 1 and 2 in labels = {LABELS}"
    came = f"{chosen}, whose labels are {[LABELS[index] for index in chosen]}"
    if [counts[label] for label in (0, 1, 2)] == [SHOTS] * 3:
        return
    if sorted(chosen) == sorted([0, 1, 2] * SHOTS):
        raise Finding(expected, came, "these are labels: return the places of the pictures in `labels`")
    if len(chosen) == SHOTS:
        raise Finding(expected, came, "`shots` is the number per class, not the number in all")
    if len(chosen) == 3 * SHOTS:
        cause = (
            "you drew from all pictures together, or took positions within a class for indices: collect the indices "
            "of each class first, and draw from those"
        )
        raise Finding(expected, came, cause)
    raise Finding(expected, came, "count the indices of each class: some are lost, or too many")


def _no_repetition(fn: Function) -> None:
    for seed in range(20):
        chosen = _sample(fn, seed=seed)
        twice = [index for index, count in Counter(chosen).items() if count > 1]
        if twice:
            cause = "you draw with replacement (choices, randint), or look places up with .index, which finds the first"
            raise Finding("every picture once at most", f"picture {twice[0]} twice in {chosen}, seed {seed}", cause)


@contextmanager
def _kept_generators() -> Iterator[Callable[[], list[str]]]:
    """A block after which the global generators are as before; yields a function that names those that have moved."""
    python, numpy, pytorch = random.getstate(), np.random.get_state(legacy=False), torch.get_rng_state()

    def moved() -> list[str]:
        same = {
            "random": random.getstate() == python,
            "numpy.random": repr(np.random.get_state(legacy=False)) == repr(numpy),
            "torch": torch.equal(torch.get_rng_state(), pytorch),
        }
        return [name for name, holds in same.items() if not holds]

    try:
        yield moved
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        torch.set_rng_state(pytorch)


def _same_seed(fn: Function) -> None:
    samples = []
    with _kept_generators():
        for before in (1, 2):  # whatever ran before
            random.seed(before)
            np.random.seed(before)
            torch.manual_seed(before)
            samples.append(_sample(fn, seed=7))
    if samples[0] != samples[1]:
        cause = "the draw does not use `seed`, or a generator is kept from call to call: make one inside the function"
        raise Finding("the same sample for the same seed", f"{samples[0]}, and then {samples[1]}", cause)


def _other_seeds(fn: Function) -> None:
    samples = [_sample(fn, seed=seed) for seed in range(60)]
    if all(sample == samples[0] for sample in samples):
        first = [index for label in range(3) for index in [i for i, own in enumerate(LABELS) if own == label][:SHOTS]]
        always = "these are the first pictures of each class: draw them at random"
        fixed = "a seed is written into the code: use the argument"
        cause = always if sorted(samples[0]) == sorted(first) else fixed
        raise Finding("other samples for other seeds", f"{samples[0]} for each of 60 seeds", cause)
    never = sorted(set(range(len(LABELS))) - {index for sample in samples for index in sample})
    if never:
        came = f"pictures {never} in none of 60 samples"
        raise Finding(
            "every picture to have a chance", came, "some indices are cut off: look at your ranges and slices"
        )


def _too_few(fn: Function) -> None:
    expected = "a ValueError: class 2 has 5 pictures and 6 shots are asked for"
    try:
        chosen = fn(list(LABELS), 6, 1)
    except ValueError:
        return
    except Exception as error:
        cause = "compare the number of a class's pictures with `shots` yourself, and raise a ValueError that says so"
        raise Finding(expected, f"{type(error).__name__}: {error}", cause) from None
    cause = "a class with too few pictures is taken as it is: nobody would notice that the comparison is unfair"
    raise Finding(expected, f"{describe(chosen)}, without an error", cause)


def _own_generator(fn: Function) -> None:
    with _kept_generators():
        random.seed(99)  # not as an earlier call of the function may have left them
        np.random.seed(99)
        torch.manual_seed(99)
        with _kept_generators() as moved:
            _sample(fn)
            names = moved()
    if names:
        cause = "seeding the global generator changes everything that is drawn after it: make one of your own"
        raise Finding("global random generators as they were", f"that of {names[0]} has moved", cause)


def _any_labels(fn: Function) -> None:
    """Other lists of labels: from one to many classes, whose numbers do not have to be 0, 1, 2, ..."""
    for case in map(Case, range(8)):
        classes, shots = case.sizes(2)
        numbers = sorted(case.shuffled(2 * classes)[:classes])
        pool = [label for label in numbers for _ in range(shots + case.whole(0, 2))]
        labels = [pool[i] for i in case.shuffled(len(pool))]
        expected = f"{shots} of each of the classes {numbers} in labels = {literal(labels)}"
        cause = "the classes, or how many there are, are written into the code: take them from `labels`"
        try:
            chosen = _sample(fn, labels, shots)
        except Finding:
            raise
        except Exception as error:
            if isinstance(error, ValueError) and min(Counter(labels).values()) == shots:
                cause = "a class with exactly `shots` pictures has enough: the error is for classes with fewer"
            raise Finding(expected, f"{type(error).__name__}: {error}", cause) from None
        counts = Counter(labels[index] for index in chosen if 0 <= index < len(labels))
        if counts != Counter(dict.fromkeys(numbers, shots)) or len(set(chosen)) != len(chosen):
            raise Finding(expected, f"{chosen}, whose labels are {[labels[i] for i in chosen]}", cause)


FEW_SHOT = Exercise(
    "02.2",
    "Draw a few-shot sample",
    few_shot,
    (
        Facet("a list of indices", _is_indices),
        Facet("as many of each class", _counts_per_class),
        Facet("no picture twice", _no_repetition),
        Facet("the same seed, the same sample", _same_seed),
        Facet("other seeds, other samples", _other_seeds),
        Facet("too few pictures are an error", _too_few),
        Facet(SIZES, _any_labels),
        Facet("a generator of its own", _own_generator),
    ),
    (
        "Each class is drawn on its own. So first find out which indices each class has.",
        "Make one generator from the seed: random.Random(seed). For each label, collect the indices that have it, "
        "raise a ValueError if they are fewer than `shots`, and draw without replacement.",
        "for label in sorted(set(labels)): members = [i for i, own in enumerate(labels) if own == label]; after the "
        "test of len(members), chosen += generator.sample(members, shots).",
    ),
    "Anyone who has your seed has your sample, so that results can be compared and repeated.",
    SAMPLE_MISTAKES,
)

BATCH = draw(6, 4)  # image features [N, D]
TARGETS = torch.tensor([0, 2, 1, 1, 2, 2])  # labels [N]
STEP = (draw(3, 4) * 0.5, torch.tensor([0.3, -0.2, 0.1]), BATCH, TARGETS, 0.5)
HAND = (torch.zeros(2, 2), torch.zeros(2), torch.tensor([[1.0, 0.0]]), torch.tensor([0]), 0.5)


def probe_step(
    weight: Tensor, bias: Tensor, image_features: Tensor, labels: Tensor, lr: float
) -> tuple[Tensor, Tensor]:
    """Weight [C, D] and bias [C] after one step of gradient descent on the mean cross-entropy of [N, D] and [N]."""
    error = (image_features @ weight.T + bias).softmax(dim=-1) - F.one_hot(labels, len(bias))  # [N, C]
    return weight - lr * error.T @ image_features / len(labels), bias - lr * error.mean(dim=0)


LOGITS, LOSS = "image_features @ weight.T + bias", "F.cross_entropy(image_features @ weight.T + bias, labels)"
NEW_WEIGHT, NEW_BIAS = "weight - lr * error.T @ image_features / len(labels)", "bias - lr * error.mean(dim=0)"
AUTOGRAD = f"""
weight, bias = weight.detach().requires_grad_(), bias.detach().requires_grad_()
slopes = torch.autograd.grad({LOSS}, (weight, bias))
return (weight - lr * slopes[0]).detach(), (bias - lr * slopes[1]).detach()
"""

STEP_MISTAKES = Mistakes(
    {
        "up the slope": Mistake(
            "you went up the slope: subtract lr times the gradient, do not add it",
            {"weight - ": "weight + ", "bias - ": "bias + "},
        ),
        "the learning rate is missing": Mistake(
            "the learning rate is missing: a step is lr times the gradient", {"lr * ": ""}
        ),
        "the bias stays": Mistake("the bias did not move: it is learned, too", {NEW_BIAS: "bias"}),
        "the sum": Mistake(
            "you summed over the pictures: take the mean, or the step grows with the number of shots",
            {" / len(labels)": "", "mean": "sum"},
        ),
        "softmax twice": Mistake(
            "softmax twice: F.cross_entropy takes the logits as they are",
            body=AUTOGRAD.replace(LOGITS, f"({LOGITS}).softmax(dim=-1)"),
        ),
        "its own answers as labels": Mistake(
            "the labels are not used: the target is what the picture is, not what the probe says",
            {"error = ": f"labels = ({LOGITS}).argmax(dim=-1)\nerror = "},
        ),
        "no step": Mistake("nothing has moved", body="return weight, bias"),
        "in place": Mistake(
            words="writes into its input",
            patch={"return weight -": "weight -=", ", bias -": "\nbias -=", "(dim=0)": "(dim=0)\nreturn weight, bias"},
        ),
        "the graph stays": Mistake(words="remember how they were made", body=AUTOGRAD.replace("]).detach()", "])")),
        "gradients on the originals": Mistake(
            words="adds up from run to run", body=AUTOGRAD.replace(".detach().requires", ".requires")
        ),
        "the loss comes back": Mistake(words="end with `return weight, bias`", body=f"return {LOSS}"),
        "swapped": Mistake("the weight comes first, then the bias", {NEW_WEIGHT: NEW_BIAS, NEW_BIAS: NEW_WEIGHT}),
        "transposed": Mistake(words="a transpose is too much", patch={NEW_WEIGHT: f"({NEW_WEIGHT}).T"}),
        "no transpose of the weight": Mistake(words="is a transpose (.T) missing", patch={"weight.T": "weight"}),
    },
    probe_step,
)


def _is_pair(fn: Function) -> None:
    weight, bias, *_ = STEP
    came = fn(*(value.clone() if isinstance(value, Tensor) else value for value in STEP))
    expected = f"two tensors, the weight {list(weight.shape)} (C, D) and the bias {list(bias.shape)} (C)"
    if came is None:
        raise Finding(expected, "None", "the function ends without return: did you forget it?")
    if not isinstance(came, tuple | list) or len(came) != 2 or not all(isinstance(part, Tensor) for part in came):
        raise Finding(expected, describe(came), "end with `return weight, bias`, the two new tensors")
    shapes = [list(part.shape) for part in came]
    if shapes != [list(weight.shape), list(bias.shape)]:
        cause = "the weight has a row per class: a transpose is too much, or missing"
        raise Finding(expected, f"shapes {shapes[0]} and {shapes[1]}", cause, shapes)


def _no_graph(fn: Function) -> None:
    given = [value.clone() if isinstance(value, Tensor) else value for value in STEP]
    came = getattr(fn, "on_originals", fn)(*given)
    if any(isinstance(value, Tensor) and value.requires_grad for value in given):
        cause = (
            "requires_grad_() changes the very tensor that was passed in, and its .grad adds up from run to run: "
            "do that to a copy, weight.detach().clone().requires_grad_()"
        )
        raise Finding("a weight and a bias that ask for no gradients after the call", "now they do", cause)
    if any(part.requires_grad for part in came):
        cause = "the new tensors remember how they were made, and so would 300 steps: .detach() them"
        raise Finding("tensors without a graph (requires_grad is False)", "requires_grad is True", cause)


def _loss_falls(fn: Function) -> bool | str:
    weight, bias, images, labels, _ = STEP
    losses = [F.cross_entropy(images @ weight.T + bias, labels).item()]
    for _ in range(20):
        weight, bias = fn(weight.clone(), bias.clone(), images.clone(), labels.clone(), 0.5)
        losses.append(F.cross_entropy(images @ weight.T + bias, labels).item())
    return losses[-1] < 0.8 * losses[0] or f"a loss of {losses[0]:.2f} before and {losses[-1]:.2f} after 20 steps"


def _any_step(case: Case) -> tuple[Tensor, Tensor, Tensor, Tensor, float]:
    images, classes, width = case.sizes(3, (1, 2, 1))
    weight, bias, features = case.normal(classes, width), case.normal(classes), case.normal(images, width)
    labels, lr = case.labels(images, classes), case.chosen([0.1, 0.5, 2.0])
    return weight.float(), bias.float(), features.float(), labels, lr  # a layer of torch has no other type


PROBE_STEP = Exercise(
    "02.3",
    "One training step of a linear probe",
    probe_step,
    (
        Facet("two tensors and their shapes", _is_pair),
        by_hand(
            HAND,
            (torch.tensor([[0.25, 0.0], [-0.25, 0.0]]), torch.tensor([0.25, -0.25])),
            "both classes start at probability 0.5 and lr is 0.5, so row 0 moves by 0.25 towards the picture, and "
            "row 1 by 0.25 away from it",
            name="one picture by hand",
        ),
        equals(STEP, probe_step, name="the mean over the pictures"),
        Facet("no graph is kept", _no_graph),
        any_size(_any_step, probe_step),
        unchanged(STEP),
        invariant(
            "the loss falls",
            _loss_falls,
            expected="20 steps to lower the loss on the pictures that they learn from",
            cause="does a step start from the weight and bias that it is given?",
        ),
    ),
    (
        "This is one turn of every training loop: logits, loss, gradients, and a step against the gradients.",
        "Copies of weight and bias that ask for gradients; logits = image_features @ weight.T + bias; F.cross_entropy; "
        "torch.autograd.grad(loss, (weight, bias)); subtract lr times each; detach. By hand it is shorter: the "
        "gradient of the logits is (probabilities - one_hot) / N.",
        "error = (image_features @ weight.T + bias).softmax(dim=-1) - F.one_hot(labels, len(bias)); the gradient of "
        "the weight is error.T @ image_features / N, that of the bias error.mean(dim=0).",
    ),
    "Only the rows of the classifier learn; CLIP's features are data, computed once.",
    STEP_MISTAKES,
    exempt=(RANDOM,),  # a layer of torch draws its first weights
)


def _halves(fn: Function, n_classes: int) -> tuple[list[int], list[int]]:
    """The two lists of class ids that a submission returns; Finding for what is no pair of lists."""
    came = fn(n_classes)
    expected = "two lists of class ids, base and novel"
    if came is None:
        raise Finding(expected, "None", "the function ends without return: did you forget it?")
    if not isinstance(came, tuple | list) or len(came) != 2:
        raise Finding(expected, describe(came), "end with `return base, novel`")
    halves = []
    for half in map(plain, came):
        if isinstance(half, Tensor | np.ndarray):
            raise Finding(expected, describe(came), "the ids are asked for as lists: end both with .tolist()")
        if not isinstance(half, list | tuple):
            raise Finding(expected, describe(came), "return the ids themselves, not how many there are")
        ids = [plain(entry) for entry in half]
        if any(isinstance(entry, bool) or not isinstance(entry, int) for entry in ids):
            raise Finding(expected, describe(came), "the ids are whole numbers, such as 0 and 1")
        halves.append(ids)
    return halves[0], halves[1]


def _split_of(n_classes: int) -> Callable[[Function], None]:
    """A test of the split of `n_classes`."""

    def test(fn: Function) -> None:
        base, novel = came = _halves(fn, n_classes)
        wanted = base_and_novel(n_classes)
        if came == wanted:
            return
        ids, both = set(range(n_classes)), sorted(set(base) & set(novel))
        outside, neither = {*base, *novel} - ids, sorted(ids - {*base, *novel})
        cause = "the base classes are the first ones, in order, so that everybody has the same split"
        if outside:
            cause = f"class ids start at 0 and end at {n_classes - 1}"
        elif both:
            cause = f"class {both[0]} is in both halves: what a method trained on is not novel"
        elif neither:
            cause = f"class {neither[0]} is in neither half"
        elif base == list(range(len(base))):
            cause = f"the base half has {len(base)} of {n_classes}: it is (n_classes + 1) // 2, the odd one with it"
        raise Finding(f"{wanted[0]} and {wanted[1]} of {n_classes} classes", f"{base} and {novel}", cause, came)

    return test


def _many_splits(fn: Function) -> None:
    for n_classes in range(2, 31):
        _split_of(n_classes)(fn)


HALVES = """
def base_and_novel(n_classes):
    half = (n_classes + 1) // 2
    return list(range(half)), list(range(half, n_classes))
"""
BASE, NOVEL = "list(range(half))", "list(range(half, n_classes))"

SPLIT_MISTAKES = Mistakes(
    {
        "rounded down": Mistake("the odd one is base: round up, not down", {"(n_classes + 1)": "n_classes"}),
        "one more than half": Mistake(words="with it", patch={"(n_classes + 1) // 2": "n_classes // 2 + 1"}),
        "novel from 0": Mistake(
            "novel classes keep their ids: count on from the base classes, not from 0 again",
            {NOVEL: "list(range(n_classes - half))"},
        ),
        "from 1": Mistake(
            words="class ids start at 0",
            patch={BASE: "list(range(1, half + 1))", NOVEL: "list(range(half + 1, n_classes + 1))"},
        ),
        "the middle twice": Mistake(words="is in both halves", patch={"range(half,": "range(n_classes // 2,"}),
        "the middle never": Mistake(words="in neither half", patch={BASE: "list(range(n_classes // 2))"}),
        "every other": Mistake(
            words="the base classes are the first ones",
            patch={BASE: "list(range(0, n_classes, 2))", NOVEL: "list(range(1, n_classes, 2))"},
        ),
        "the other way round": Mistake(
            "the first half is base, the second novel: you return them the other way round", {BASE: NOVEL, NOVEL: BASE}
        ),
        "how many": Mistake(words="not how many there are", patch={BASE: "half", NOVEL: "n_classes - half"}),
        "tensors": Mistake(
            words="end both with .tolist()", body="import torch\nreturn torch.arange(n_classes).chunk(2)"
        ),
        "texts": Mistake(
            words="the ids are whole numbers",
            patch={BASE: "[str(i) for i in range(half)]", NOVEL: "[str(i) for i in range(half, n_classes)]"},
        ),
        "one table": Mistake(
            words="end with `return base, novel`", body="return {i: i < n_classes / 2 for i in range(n_classes)}"
        ),
    },
    HALVES,
)

SPLIT = Exercise(
    "02.4",
    "Split the classes into base and novel",
    base_and_novel,
    (
        Facet("four classes by hand", _split_of(4)),
        Facet("five classes: the odd one is base", _split_of(5)),
        Facet(SIZES, _many_splits),
    ),
    (
        "How many base classes do 12 classes have, and how many have 37, those of Oxford Pets?",
        "ceil(n_classes / 2) classes are base, in whole numbers (n_classes + 1) // 2. The others are novel.",
        "half = (n_classes + 1) // 2; base is list(range(half)), novel goes on from half to n_classes.",
    ),
    "The split is a rule, not a draw: every paper trains on the same classes.",
    SPLIT_MISTAKES,
)


HARMONIC = """
def harmonic_mean(base, novel):
    return 2 * base * novel / (base + novel) if base + novel else 0.0
"""

MEAN_MISTAKES = Mistakes(
    {
        "arithmetic": Mistake(
            "that is the arithmetic mean: it forgives a method that forgets the novel classes",
            body="return (base + novel) / 2",
        ),
        "geometric": Mistake(
            "that is the geometric mean: no square root is needed", body="return (base * novel) ** 0.5"
        ),
        "without the 2": Mistake("the 2 is missing", {"2 * ": ""}),
        "the minimum": Mistake("that is the smaller of the two", body="return min(base, novel)"),
        "a share": Mistake(
            "accuracies are in percent: return 70.0 and not 0.70", {"(base + novel)": "(base + novel) / 100"}
        ),
        "divided by zero": Mistake(words="harmonic_mean(0, 0) to be 0", patch={" if base + novel else 0.0": ""}),
        "inverses of zero": Mistake(words="harmonic_mean(100, 0) to be 0", body="return 2 / (1 / base + 1 / novel)"),
        "not a number for zeros": Mistake(words="names nothing correctly", patch={"0.0": 'float("nan")'}),
        "brackets forgotten": Mistake(
            "brackets: without them only `base` stands below the line", {"(base + novel)": "base + novel"}
        ),
        "rounded": Mistake(
            "you rounded on the way: return all digits, and round where you print",
            {"return 2 * base * novel / (base + novel)": "return round(2 * base * novel / (base + novel), 1)"},
        ),
        "printed": Mistake(words="did you forget", patch={"return 2": "print(2", "0.0": "0.0)"}),
    },
    HARMONIC,
)


def _mean_of(base: float, novel: float) -> Facet:
    wanted = harmonic_mean(base, novel)
    shown = f"2 * {base:.0f} * {novel:.0f} / ({base:.0f} + {novel:.0f}) = {wanted:.2f}"
    return by_hand((base, novel), wanted, shown, atol=0.01, name=f"base {base:.0f} and novel {novel:.0f}")


def _zeros(fn: Function) -> None:
    for base, novel in ((100.0, 0.0), (0.0, 60.0), (0.0, 0.0)):
        given = f"harmonic_mean({base:.0f}, {novel:.0f})"
        try:
            came = fn(base, novel)
        except ZeroDivisionError:
            cause = "an accuracy of 0 happens: return 0.0 before you divide by it"
            raise Finding(f"{given} to be 0", "ZeroDivisionError", cause) from None
        if not agree(0.0, came, 0.0):
            cause = "a method that names nothing correctly on one side has a harmonic mean of 0"
            raise Finding(f"{given} to be 0", literal(came), cause)


def _any_accuracies(case: Case) -> tuple[float, float]:
    base, novel = (100 * case.uniform(2).double()).tolist()
    return base, novel


MEAN = Exercise(
    "02.5",
    "The harmonic mean",
    harmonic_mean,
    (
        _mean_of(90.0, 50.0),
        _mean_of(70.0, 70.0),
        Facet("zeros", _zeros),
        invariant(
            "base and novel count the same",
            lambda fn: abs(fn(82.0, 75.0) - fn(75.0, 82.0)) < 1e-6,
            expected="the same mean when base and novel change places",
            cause="one of the two accuracies is used twice",
        ),
        any_size(_any_accuracies, harmonic_mean, atol=1e-3),
    ),
    (
        "Two stretches of a road are of the same length: your average speed is the harmonic mean of your two speeds.",
        "2 times the product over the sum. What if the sum is 0?",
        "2 * base * novel / (base + novel), and 0.0 if base + novel is 0.",
    ),
    "A method cannot buy a high harmonic mean with the base classes alone.",
    MEAN_MISTAKES,
)

AVERAGE = Exercise(
    "02.6",
    "MaPLe's average harmonic mean over eleven datasets",
    78.55,
    (number(78.55, 0.02),),
    (
        "The mean of harmonic means is not the harmonic mean of means. Which one do the papers print?",
        "Average MaPLe's base column over the eleven rows, and its novel column. Then take one harmonic mean.",
        "answer = harmonic_mean(maple.base.mean(), maple.novel.mean())",
    ),
    "Two ways to average can differ by more than two methods do: always say which one you used.",
    Mistakes(
        {
            "average of the HMs": Mistake(
                "you averaged the eleven harmonic means. The papers average base and novel first", value=78.27
            ),
            "arithmetic mean": Mistake("that is the arithmetic mean of both averages", value=78.71),
            "base alone": Mistake("that is the average of the base accuracies alone", value=82.28),
            "novel alone": Mistake("that is the average of the novel accuracies alone", value=75.14),
            "another method": Mistake("that is zero-shot CLIP: take the rows of MaPLe", value=71.70),
            "a share": Mistake(words="percent", value=0.7855),
            "in quotes": Mistake(words="without quotes", value="78.55"),
        }
    ),
)

EXERCISES: tuple[Exercise, ...] = (ENSEMBLE, FEW_SHOT, PROBE_STEP, SPLIT, MEAN, AVERAGE)
