"""The exercises of lesson 12, a real CLIP: steps, memory, the authors' sample, a table's gain, tensor names."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from maple_lite.course.teach.exercise import Exercise, Facet, Finding
from maple_lite.course.teach.facets import Function, by_hand, call, number
from maple_lite.course.teach.mistakes import Mistake, Mistakes
from maple_lite.course.teach.values import describe
from maple_lite.experiments.published import read_paper
from maple_lite.protocol import base_and_novel, few_shot
from maple_lite.storage.official import official_names

VAL_SHOTS = 4
Picture = tuple[str, int, str]  # (path, label, class name), as in a split file


# 12.1: the steps of a run


def run_steps(n_classes: int, shots: int, epochs: int, batch_size: int) -> int:
    """Steps of SGD of a base-to-novel run; a loader drops the last partial batch, unless there is no full one."""
    pictures = shots * ((n_classes + 1) // 2)
    return epochs * max(1, pictures // batch_size)


STEPS = "max(1, pictures // batch_size)"
STEPS_MISTAKES = Mistakes(
    {
        "all classes": Mistake(
            "you counted the pictures of all classes: a base-to-novel run trains on the base half alone",
            {"((n_classes + 1) // 2)": "n_classes"},
        ),
        "one epoch": Mistake("those are the steps of one epoch: there are `epochs` of them", {"epochs * ": ""}),
        "pictures": Mistake("those are pictures: a step takes a batch of them at once", {STEPS: "pictures"}),
        "the smaller half": Mistake(
            "with an odd number of classes, the base half is the larger one: (n_classes + 1) // 2",
            {"(n_classes + 1)": "n_classes"},
        ),
        "the partial batch": Mistake(
            "the last partial batch of an epoch was counted: the loader drops it", {STEPS: "-(-pictures // batch_size)"}
        ),
        "rest carried over": Mistake(
            "pictures were carried over from one epoch to the next: each epoch drops its own rest",
            {f"epochs * {STEPS}": "max(1, epochs * pictures // batch_size)"},
        ),
        "fractions": Mistake(
            "a fraction of a batch was counted: // divides and drops the rest", {STEPS: "pictures / batch_size"}
        ),
        "no step": Mistake(
            "with fewer pictures than a batch there is no full batch to take: then the partial one is kept, a step an "
            "epoch",
            {STEPS: "(pictures // batch_size)"},
        ),
        "shots alone": Mistake(
            "shots are pictures of each class: multiply them by the number of base classes",
            {" * ((n_classes + 1) // 2)": ""},
        ),
        "no return": Mistake(words="did you forget", patch={"return ": "steps = "}),
    },
    run_steps,
)


def _steps(arguments: tuple[int, ...], because: str, name: str) -> Facet:
    return by_hand(arguments, run_steps(*arguments), because, name=name)


RUN_STEPS = Exercise(
    number="12.1",
    title="How many steps is a run?",
    reference=run_steps,
    facets=(
        _steps((10, 16, 10, 4), "5 base classes have 80 pictures, which are 20 batches of 4, ten times", "EuroSAT"),
        _steps((47, 16, 5, 4), "24 of 47 classes are base: 384 pictures, 96 batches, five times", "an odd number"),
        _steps((4, 5, 3, 4), "10 pictures are 2 full batches of 4, and 2 pictures rest in each epoch", "a rest"),
        _steps(
            (2, 1, 50, 32), "1 picture fills no batch of 32, and makes one step an epoch all the same", "few pictures"
        ),
    ),
    hints=(
        "Go from classes to base classes, from these to pictures, to batches, to steps. At which of these is rounded?",
        "The base half is rounded up: (n_classes + 1) // 2. Batches are rounded down, in each epoch anew, but one at "
        "least is left: max(1, ...).",
        "pictures = shots * ((n_classes + 1) // 2); the full batches of an epoch are pictures // batch_size, at least "
        "1; multiply by epochs.",
    ),
    meaning="Steps times the seconds of one step: that is the time of a run, before you start it.",
    mistakes=STEPS_MISTAKES,
)


# 12.2: the memory of a tower


def kept_mib(rows: int, tokens: int, width: int, layers: int, chunk: int | None = None) -> float:
    """MiB that a tower keeps for the backward pass, at most at a time, of sequences [rows, tokens, width]."""
    together = rows if chunk is None else min(rows, chunk)
    return together * tokens * 14 * width * layers * 4 / 2**20


TOGETHER = "min(rows, chunk)"
MEMORY_MISTAKES = Mistakes(
    {
        "bytes": Mistake("that is in bytes: a MiB has 2**20 of them", {" / 2**20": ""}),
        "MB": Mistake("that is in millions of bytes: a MiB has 2**20, some 5% more", {"2**20": "1e6"}),
        "GiB": Mistake("that is in GiB: divide by 2**20, not by 2**30", {"2**20": "2**30"}),
        "KiB": Mistake("that is in KiB: divide by 2**20, not by 2**10", {"2**20": "2**10"}),
        "numbers": Mistake("those are numbers, and each of them takes 4 bytes", {" * 4": ""}),
        "bits": Mistake("a float32 has 32 bits, which are 4 bytes", {" * 4": " * 32"}),
        "half precision": Mistake("those are 2 bytes for a number: float32 takes 4", {" * 4": " * 2"}),
        "one number each": Mistake("that is one number for each of `width`, where a layer keeps 14", {"14 * ": ""}),
        "one layer": Mistake("that is one layer: the tower keeps as much of each", {" * layers": ""}),
        "one token": Mistake("that is one token: each token of a sequence is kept", {" * tokens": ""}),
        "tokens squared": Mistake(
            "tokens entered twice: the fused attention keeps no table of token pairs", {"* tokens": "* tokens**2"}
        ),
        "no chunk": Mistake(
            "`chunk` changes nothing in yours: with it, one chunk of rows is there at a time, not all rows",
            {TOGETHER: "rows"},
        ),
        "number of chunks": Mistake(
            "you counted chunks, and a chunk has `chunk` rows", {TOGETHER: "-(-rows // chunk)"}
        ),
        "rows and chunk": Mistake(
            "all rows and a chunk more: the rows are not kept, each chunk is computed again when its turn comes",
            {TOGETHER: "rows + chunk"},
        ),
        "rows times chunk": Mistake(
            "rows were multiplied by the chunk: a chunk is a part of the rows", {TOGETHER: "rows * chunk"}
        ),
        "more than there are": Mistake(
            "a chunk larger than all rows was counted in full: there are only `rows` of them", {TOGETHER: "chunk"}
        ),
        "the last chunk": Mistake(
            "that is the last chunk, the rest: the largest decides", {TOGETHER: "rows % chunk or chunk"}
        ),
        "the average chunk": Mistake(
            "that is an average over chunks: the largest decides", {TOGETHER: "rows / -(-rows // chunk)"}
        ),
    },
    kept_mib,
)


def _memory(arguments: tuple[int, ...], name: str, because: str = "") -> Facet:
    return by_hand(arguments, kept_mib(*arguments), because, atol=1e-4, name=name)


KEPT_MIB = Exercise(
    number="12.2",
    title="What a tower keeps for the backward pass",
    reference=kept_mib,
    facets=(
        _memory((64, 6, 64, 3), "a case by hand", "64 * 6 tokens * 14 * 64 numbers * 3 layers * 4 bytes / 2**20"),
        _memory((500, 16, 512, 12), "500 classes of a ViT-B/16"),
        _memory((500, 16, 512, 12, 50), "in chunks", "50 rows of the 500 are there at a time"),
        _memory((500, 16, 512, 12, 64), "chunks of another size", "64 rows are there at a time; the rest is smaller"),
        _memory((5, 16, 512, 12, 50), "a chunk larger than all", "there are 5 rows, and no more"),
    ),
    hints=(
        "Count the numbers: how many rows, tokens in each, layers, and numbers in each layer? Then bytes, then MiB.",
        "All tokens are rows * tokens. A layer keeps 14 * width numbers of each, a number takes 4 bytes, a MiB has "
        "2**20. With a chunk, only min(rows, chunk) rows are there at a time.",
        "if chunk is None, together = rows, else min(rows, chunk); then together * tokens * 14 * width * layers * 4 "
        "/ 2**20.",
    ),
    meaning="This product tells before a run whether it fits your card, and what a smaller chunk buys.",
    mistakes=MEMORY_MISTAKES,
)


# 12.3: the authors' sample


def authors_sample(
    train: Sequence[Picture], val: Sequence[Picture], shots: int, seed: int
) -> tuple[list[Picture], list[Picture]]:
    """The base classes' part of the authors' few-shot sample: (training pictures, validation pictures)."""
    half = len(base_and_novel(1 + max(label for _, label, _ in train))[0])
    stream, found = random.Random(seed), []
    for items, count in ((train, shots), (val, min(shots, VAL_SHOTS))):
        chosen = few_shot([label for _, label, _ in items], count, stream) if items else []
        found.append([items[i] for i in chosen if items[i][1] < half])
    return found[0], found[1]


SOURCE = """
def authors_sample(train, val, shots, seed):
    def drawn(items, count):
        groups = {}
        for item in items:
            groups.setdefault(item[1], []).append(item)
        return [one for group in groups.values() for one in stream.sample(group, count)]

    half = (2 + max(item[1] for item in train)) // 2
    stream = random.Random(seed)
    first = drawn(train, shots)
    second = drawn(val, min(shots, 4))
    return [one for one in first if one[1] < half], [one for one in second if one[1] < half]
"""
STREAM, DRAW, GROUPS = "stream = random.Random(seed)", "stream.sample(group, count)", "in groups.values()"
FIRST, SECOND = "first = drawn(train, shots)", "second = drawn(val, min(shots, 4))"
KEEP = "[one for one in first if one[1] < half], [one for one in second if one[1] < half]"
SAMPLE_MISTAKES = Mistakes(
    {
        "split first": Mistake(
            "the classes were split first, so that nothing was drawn for the novel ones: the authors draw for ALL "
            "classes from one stream, and drop the novel ones then",
            {"for item in items:": "for item in (one for one in items if one[1] < half):"},
        ),
        "the global stream": Mistake(
            words="Python's random numbers go on elsewhere", patch={STREAM: "random.seed(seed)\nstream = random"}
        ),
        "a new stream": Mistake(
            "the stream was started again for the validation list: it goes on where the training draws ended",
            {SECOND: f"{STREAM}\n{SECOND}"},
        ),
        "validation first": Mistake(
            "the validation pictures were drawn before the training pictures", {FIRST: SECOND, SECOND: FIRST}
        ),
        "a stream for each class": Mistake(
            "every class got a stream of its own: one random.Random(seed) serves all",
            {DRAW: DRAW.replace("stream", "random.Random(seed)")},
        ),
        "sorted classes": Mistake(
            "the classes are in the order of their labels: the authors take them in the order in which they first "
            "appear in the list",
            {GROUPS: "in (groups[label] for label in sorted(groups))"},
        ),
        "shuffled": Mistake(
            "a shuffled list's first entries are another draw than .sample(items, shots)",
            {DRAW: "(stream.shuffle(group), group)[1][:count]"},
        ),
        "with repeats": Mistake(
            "the same picture may come twice: .sample draws without putting back, .choices with",
            {DRAW: "stream.choices(group, k=count)"},
        ),
        "all classes": Mistake("novel classes are still in it: drop them after drawing", {KEEP: "first, second"}),
        "the novel half": Mistake(
            "those are the novel classes: base classes are the first half of the labels", {"< half": ">= half"}
        ),
        "the smaller half": Mistake(
            "of an odd number of classes, the base half is the larger one: (n + 1) // 2", {"(2 + max": "(1 + max"}
        ),
        "as many for validation": Mistake(
            "of each class min(shots, 4) pictures are for validation", {"min(shots, 4)": "shots"}
        ),
        "four at any rate": Mistake(
            "with fewer shots than 4, as few are for validation: min(shots, 4)", {"min(shots, 4)": "4"}
        ),
        "no seed": Mistake(words="two calls draw different pictures", patch={STREAM: "stream = random"}),
        "another seed": Mistake(words="one stream, all classes", patch={"Random(seed)": "Random(seed + 1)"}),
        "paths": Mistake(
            words="return entries of the training list as they are",
            patch={KEEP: "[one[0] for one in first], [one[0] for one in second]"},
        ),
        "one list": Mistake(words="two lists", patch={KEEP: "first + second"}),
        "no validation": Mistake(
            words="the second of validation", patch={", [one for one in second if one[1] < half]": ", None"}
        ),
        "no return": Mistake(
            words="did you forget", patch={"return [one for one in first": "kept = [one for one in first"}
        ),
    },
    SOURCE,
    {"random": random},
)


def _scene(classes: int, grouped: bool) -> tuple[list[Picture], list[Picture]]:
    """A train list and a val list in a mixed order, novel classes among the first, or class after class."""
    lists = []
    for name, count in (("train", 12), ("val", 9)):
        items = [(f"{name}/{c}/{i:02}.png", c, f"class {c}") for c in range(classes) for i in range(count)]
        if not grouped:
            random.Random(f"{name} {classes}").shuffle(items)
        lists.append(items)
    return lists[0], lists[1]


def _sampled(fn: Function, given: Sequence[Any]) -> tuple[list[Picture], list[Picture]]:
    """What a submission returns for (train, val, shots, seed), two lists of pictures; Finding for what are none."""
    expected = "two lists of pictures (path, label, class name)"
    before = random.getstate()
    random.seed()  # so that whoever draws from it draws otherwise each time
    try:
        came = call(fn, given)
    finally:
        random.setstate(before)
    if not isinstance(came, list | tuple) or len(came) != 2:
        raise Finding(expected, describe(came), "return the training pictures and the validation pictures: two lists")
    known = [{tuple(item) for item in part} for part in given[:2]]
    for part, own, name in zip(came, known, ("training", "validation"), strict=True):
        if not isinstance(part, list | tuple):
            raise Finding(
                expected, describe(came), "the first is a list of training pictures, the second of validation"
            )
        if not all(isinstance(item, list | tuple) and tuple(item) in own for item in part):
            what = describe(part[0]) if part else "nothing"
            cause = f"return entries of the {name} list as they are: whole triples, labels and paths unchanged"
            raise Finding(expected, f"{what} among the {name} pictures", cause)
    return [tuple(item) for item in came[0]], [tuple(item) for item in came[1]]


def _half(fn: Function) -> None:
    """The right number of pictures of the base classes, and none of the novel ones."""
    for classes, shots in ((5, 8), (5, 2)):
        given = (*_scene(classes, grouped=False), shots, 3)
        half, parts = len(base_and_novel(classes)[0]), _sampled(fn, given)
        for part, name, count in zip(parts, ("training", "validation"), (shots, min(shots, 4)), strict=True):
            expected = (
                f"{count} {name} pictures of each of the {half} base classes, of {classes} classes, {shots} shots"
            )
            found = {label: sum(item[1] == label for item in part) for label in sorted({item[1] for item in part})}
            if found == dict.fromkeys(range(half), count):
                continue
            cause = "draw as many of every class, and keep the base classes"
            raise Finding(expected, f"pictures by class: {found}", cause, [name, shots, list(found), [*found.values()]])


def _same_draws(grouped: bool, seed: int) -> Callable[[Function], None]:
    """The authors' pictures, in whatever order they are returned."""

    def test(fn: Function) -> None:
        given = (*_scene(6, grouped), 8, seed)
        wanted, came = authors_sample(*given), _sampled(fn, given)
        if _alike(wanted, came):
            return
        if not _alike(_sampled(fn, given), came):
            cause = "two calls draw different pictures: draw from random.Random(seed), not from random itself"
            raise Finding("the pictures that the authors' code draws", "other ones in each call", cause)
        theirs = [len(set(one) & set(other)) for one, other in zip(wanted, came, strict=True)]
        raise Finding(
            "the pictures that the authors' code draws",
            f"{theirs[0]} of {len(wanted[0])} training, {theirs[1]} of {len(wanted[1])} validation pictures are theirs",
            "one stream, all classes as they first appear: .sample for training, then .sample for validation",
            [sorted(path for path, _, _ in part) for part in came],
        )

    return test


def _alike(first: Any, second: Any) -> bool:
    return all(sorted(one) == sorted(other) for one, other in zip(first, second, strict=True))


def _no_validation(fn: Function) -> None:
    """A dataset without a validation list has no validation sample."""
    none: list[Picture] = []
    given = (_scene(4, grouped=True)[0], none, 8, 1)
    first, second = _sampled(fn, given)
    if second or not _alike(authors_sample(*given), (first, second)):
        cause = "own pictures have no validation list: the training sample is the same, the other one empty"
        raise Finding("the same draws, and an empty second list", f"{len(first)} and {len(second)} pictures", cause)


SAMPLE = Exercise(
    number="12.3",
    title="The authors' few-shot sample",
    reference=authors_sample,
    facets=(
        Facet("so many of each base class", _half),
        Facet("the authors' draws, mixed list", _same_draws(grouped=False, seed=1)),
        Facet("the authors' draws, sorted list", _same_draws(grouped=True, seed=2)),
        Facet("no validation list", _no_validation),
    ),
    hints=(
        "Randomness is a stream: whoever draws once more or once less changes all that comes after. When do the novel "
        "classes go, before the draws or after?",
        "stream = random.Random(seed), once. A dict from label to pictures keeps the order of first appearance. For "
        "each class stream.sample(pictures, shots); then the same over the validation list with min(shots, 4). Last, "
        "keep labels below the base half.",
        "for items, count in ((train, shots), (val, min(shots, 4))): groups = {}; for item in items: "
        "groups.setdefault(item[1], []).append(item); chosen = [one for group in groups.values() for one in "
        "stream.sample(group, count)]; keep those with one[1] < (classes + 1) // 2.",
    ),
    meaning="The same list, seed and order of draws give the same pictures as the paper's runs, file by file.",
    mistakes=SAMPLE_MISTAKES,
)


# 12.4: the gain to expect


def _gains(column: str = "hm", other: str = "cocoop") -> pd.Series:
    """What MaPLe gains over another method on each dataset of the paper's table, in points."""
    table = read_paper("base-to-novel").pivot(index="dataset", columns="method", values=column)
    return table["maple"] - table[other]


def _of_averages() -> float:
    table = read_paper("base-to-novel-average").set_index("method").hm
    return table["maple"] - table["cocoop"]


def _of_medians() -> float:
    table = read_paper("base-to-novel").pivot(index="dataset", columns="method", values="hm").median()
    return table["maple"] - table["cocoop"]


GAIN = float(_gains().median())
GAIN_MISTAKES = Mistakes(
    {
        "of the averages": Mistake(
            "that is the gain of the average row: two datasets far out pull it up. Order the eleven gains, and take "
            "the one in the middle",
            value=_of_averages(),
        ),
        "mean": Mistake(
            "that is the mean of the eleven gains: the middle one is asked for, the median",
            value=float(_gains().mean()),
        ),
        "two medians": Mistake(
            "that is a difference of two medians, of two different datasets perhaps: first the gain of each dataset, "
            "then the median",
            value=_of_medians(),
        ),
        "base": Mistake("that is for base classes: take the column hm", value=float(_gains("base").median())),
        "novel": Mistake("that is for novel classes: take the column hm", value=float(_gains("novel").median())),
        "zero-shot": Mistake(
            "that is against zero-shot CLIP: take CoCoOp", value=float(_gains(other="zeroshot").median())
        ),
        "CoOp": Mistake("that is against CoOp: take CoCoOp", value=float(_gains(other="coop").median())),
        "largest": Mistake("that is the largest gain: take the one in the middle", value=float(_gains().max())),
        "smallest": Mistake("that is the smallest gain: take the one in the middle", value=float(_gains().min())),
        "the other way": Mistake(words="the sign is wrong", value=-GAIN),
        "in quotes": Mistake(words="without quotes", value="1.46"),
    }
)
TYPICAL_GAIN = Exercise(
    number="12.4",
    title="The gain to expect on one dataset",
    reference=GAIN,
    facets=(number(GAIN, 0.006),),
    hints=(
        "Eleven datasets, eleven differences. An average is pulled by the largest; which number is not?",
        "pivot the table: a row per dataset, a column per method, values hm. Subtract two columns; .median() of a "
        "column is its middle entry.",
        'hm = table.pivot(index="dataset", columns="method", values="hm"); then (hm["maple"] - hm["cocoop"]) and its '
        "median.",
    ),
    meaning="On a dataset of your own, expect the gain in the middle, and not the one that two datasets make.",
    mistakes=GAIN_MISTAKES,
)


# 12.5: the authors' names


def our_name(theirs: str) -> str | None:
    """Our name of a tensor in a checkpoint of MaPLe's authors; None for what is not learned."""
    start, *rest = theirs.split(".")
    if start != "prompt_learner":
        return None
    if rest[0] == "ctx":
        return "text.0"
    if rest[0] == "compound_prompts_text":
        return f"text.{int(rest[1]) + 1}"
    if rest[0] == "proj":
        return f"couple.0.{rest[1]}"
    if rest[0] == "compound_prompt_projections":
        return f"couple.{int(rest[1]) + 1}.{rest[2]}"
    return None


LEARNED = 'if start != "prompt_learner":\n    return None'
TEXT, DEEP = 'f"text.{int(rest[1]) + 1}"', 'f"couple.{int(rest[1]) + 1}.{rest[2]}"'
COUPLED = 'f"couple.0.{rest[1]}"'
FROM_ZERO = "the authors count their compound prompts from 0, and these belong to the second layer on: add 1"
ONE_TOO_MANY = "one too many: compound prompt i belongs to layer i + 1"
ENDINGS = "couplings have two tensors: '.weight' or '.bias' goes at the end, as in theirs"
NAME_MISTAKES = Mistakes(
    {
        "prompts count from 0": Mistake(FROM_ZERO, {TEXT: 'f"text.{rest[1]}"'}),
        "couplings count from 0": Mistake(FROM_ZERO, {DEEP: 'f"couple.{rest[1]}.{rest[2]}"'}),
        "two too far": Mistake(ONE_TOO_MANY, {TEXT: TEXT.replace("1}", "2}")}),
        "couplings two too far": Mistake(ONE_TOO_MANY, {DEEP: DEEP.replace("1}.", "2}.")}),
        "theirs": Mistake(
            "that is still the authors' name: cut 'prompt_learner.' off and translate the rest", body="return theirs"
        ),
        "cut only": Mistake(
            "that is the authors' name without what stands before it: translate it",
            body='return theirs.removeprefix("prompt_learner.")',
        ),
        "no ending": Mistake(ENDINGS, {COUPLED: '"couple.0"'}),
        "no deeper ending": Mistake(ENDINGS, {DEEP: 'f"couple.{int(rest[1]) + 1}"'}),
        "the other ending": Mistake("weight and bias changed places", {COUPLED: '"couple.0.bias"'}),
        "exchanged": Mistake(
            "prompts and couplings changed places: 'projections' are our couple, 'prompts_text' our text",
            {TEXT: 'f"couple.{int(rest[1]) + 1}"'},
        ),
        "a name of one's own": Mistake(words="our prompts are called text.0", patch={'"text.0"': '"prompt.0"'}),
        "token embeddings": Mistake(
            "token_prefix and token_suffix are embeddings of the class names' sentences: they are made anew",
            {'if rest[0] == "proj":': 'if rest[0][:5] == "token":\n    return theirs\nif rest[0] == "proj":'},
        ),
        "an empty name": Mistake(
            words="for what is frozen return None",
            patch={LEARNED: 'if start != "prompt_learner" or rest[0][:5] == "token":\n    return ""'},
        ),
        "CLIP's own projection": Mistake(
            "this `proj` is CLIP's own, of the image tower: the coupling's is prompt_learner.proj",
            {LEARNED: "", COUPLED: '"couple.0." + rest[-1]'},
        ),
        "one digit": Mistake(
            "only one digit of the number was read: split the name at its points",
            {TEXT: 'f"text.{int(theirs[-1]) + 1}"'},
        ),
        "eight layers": Mistake(
            words="is a number fixed in your code",
            patch={TEXT: '{"0": "text.1", "7": "text.8", "10": "text.11"}.get(rest[1], "text.2")'},
        ),
        "a number": Mistake(words="a name is a text", patch={'"text.0"': "0"}),
        "no return": Mistake(
            words="Does every branch return", body='name = "text.0" if theirs == "prompt_learner.ctx" else None'
        ),
    },
    our_name,
)
_OURS = {f"prompt_learner.{name}": ours for name, ours in official_names("maple", 24).items()}
FROZEN = (
    "prompt_learner.token_prefix",
    "prompt_learner.token_suffix",
    "image_encoder.proj",
    "image_encoder.class_embedding",
    "image_encoder.transformer.resblocks.3.ln_1.weight",
    "text_encoder.transformer.resblocks.0.mlp.c_proj.bias",
    "logit_scale",
)


def _named(pairs: dict[str, str]) -> Callable[[Function], None]:
    """Each name has its counterpart."""

    def test(fn: Function) -> None:
        for theirs, ours in pairs.items():
            came = fn(theirs)
            if came == ours:
                continue
            wanted = f"{ours!r} for {theirs!r}"
            if came is None:
                cause = "this one is learned: only what is frozen gets None. Does every branch return?"
                raise Finding(wanted, "None", cause)
            if not isinstance(came, str):
                raise Finding(wanted, describe(came), "a name is a text such as 'text.0'")
            cause = "compare the two, piece by piece between the points"
            if came.split(".")[0] not in ("text", "couple"):
                cause = (
                    "our prompts are called text.0, text.1, ..., and our couplings couple.0.weight, couple.0.bias, ..."
                )
            raise Finding(wanted, repr(came), cause, [theirs, came])

    return test


def _frozen_names(fn: Function) -> None:
    """What is not learned has no counterpart."""
    for theirs in FROZEN:
        came = fn(theirs)
        if came is None:
            continue
        cause = "this is frozen, or made anew from class names: return None for all but the learned tensors"
        if not came:
            cause = "for what is frozen return None, and nothing else"
        raise Finding(f"None for {theirs!r}", describe(came), cause, [theirs, came])


def _whole_file(fn: Function) -> None:
    """All names of a checkpoint of nine layers give the names of a MaPLe of nine layers, each once."""
    given = [f"prompt_learner.{name}" for name in official_names("maple", 9)]
    came = [fn(name) for name in given]
    wanted = [_OURS[name] for name in given]
    if came == wanted:
        return
    wrong = next(i for i, pair in enumerate(zip(wanted, came, strict=True)) if pair[0] != pair[1])
    cause = "some layers are right and this one is not: is a number fixed in your code?"
    raise Finding(f"{wanted[wrong]!r} for {given[wrong]!r}", describe(came[wrong]), cause)


def _prompt(name: str) -> str:
    return f"prompt_learner.{name}"


OUR_NAME = Exercise(
    number="12.5",
    title="The authors' names and ours",
    reference=our_name,
    facets=(
        Facet("the first layer", _named({_prompt("ctx"): "text.0", _prompt("proj.weight"): "couple.0.weight"})),
        Facet(
            "deeper layers",
            _named(
                {
                    _prompt("compound_prompts_text.0"): "text.1",
                    _prompt("compound_prompts_text.7"): "text.8",
                    _prompt("compound_prompt_projections.0.weight"): "couple.1.weight",
                    _prompt("compound_prompt_projections.7.bias"): "couple.8.bias",
                }
            ),
        ),
        Facet("what is frozen", _frozen_names),
        Facet(
            "two digits",
            _named(
                {
                    _prompt("compound_prompts_text.10"): "text.11",
                    _prompt("compound_prompt_projections.9.weight"): "couple.10.weight",
                }
            ),
        ),
        Facet("a whole checkpoint", _whole_file),
    ),
    hints=(
        "Four kinds of names are learned: the first text prompt, the deeper ones, the first coupling, the deeper ones. "
        "Where does each begin to count?",
        "name.split('.') gives the pieces. The deeper ones have a number in the third piece, counted from 0 for the "
        "SECOND layer. Return None for all that does not begin with 'prompt_learner', and for its two token_ tensors.",
        "start, *rest = theirs.split('.'); if rest[0] is 'ctx' it is text.0; 'compound_prompts_text' gives "
        "f'text.{int(rest[1]) + 1}'; 'proj' gives f'couple.0.{rest[1]}'; 'compound_prompt_projections' gives "
        "f'couple.{int(rest[1]) + 1}.{rest[2]}'; anything else None. `start` must be 'prompt_learner'.",
    ),
    meaning="A checkpoint is a table of named tensors: with the names you can move prompts between two code bases.",
    mistakes=NAME_MISTAKES,
)

EXERCISES: tuple[Exercise, ...] = (RUN_STEPS, KEPT_MIB, SAMPLE, TYPICAL_GAIN, OUR_NAME)
