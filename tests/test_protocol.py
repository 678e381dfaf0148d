"""Few-shot samples, splits, the harmonic mean, presets and templates."""

import random

import pandas as pd
import pytest

from maple_lite import METHODS, base_and_novel, few_shot, harmonic_mean, is_published, preset, template
from maple_lite.presets import TASKS
from maple_lite.support.files import data_folder
from maple_lite.support.names import require_name

PAPER = data_folder() / "paper"


def test_few_shot_draws_as_the_authors_do():
    labels = [2, 0, 0, 2, 1, 2, 0, 1, 1, 2]
    generator = random.Random(1)
    expected = [*generator.sample([0, 3, 5, 9], 2), *generator.sample([1, 2, 6], 2), *generator.sample([4, 7, 8], 2)]
    assert few_shot(labels, 2, seed=1) == expected
    assert few_shot(labels, 2, seed=1) == few_shot(labels, 2, seed=random.Random(1))
    assert few_shot(labels, 2, seed=2) != expected


@pytest.mark.parametrize(
    "labels, message", [([], "labels is empty"), (["cat"], "label must be a whole number, got 'cat'")]
)
def test_few_shot_refuses_what_are_no_labels(labels, message):
    with pytest.raises(ValueError, match=message):
        few_shot(labels, 1, seed=1)


def test_few_shot_goes_on_with_a_generator():
    generator = random.Random(1)
    first = few_shot([0] * 9, 3, generator)
    assert few_shot([0] * 9, 3, generator) != first


@pytest.mark.parametrize("shots, message", [(0, "shots must be at least 1"), (3, "class 1 has 2 images, 3 shots")])
def test_few_shot_refuses_bad_counts(shots, message):
    with pytest.raises(ValueError, match=message):
        few_shot([0, 0, 0, 1, 1], shots, seed=1)


@pytest.mark.parametrize("classes, base", [(2, 1), (5, 3), (10, 5), (47, 24)])
def test_base_is_the_first_half_rounded_up(classes, base):
    first, second = base_and_novel(classes)
    assert (len(first), first + second) == (base, list(range(classes)))


def test_a_single_class_has_no_halves():
    with pytest.raises(ValueError, match="n_classes must be at least 2, got 1"):
        base_and_novel(1)


def test_harmonic_means_are_the_published_ones():
    rows = pd.concat([pd.read_csv(PAPER / name) for name in ("base_to_novel.csv", "base_to_novel_average.csv")])
    for row in rows.itertuples():
        assert harmonic_mean(row.base, row.novel) == pytest.approx(row.hm, abs=0.0051)  # two printed decimals
    assert harmonic_mean(0, 0) == 0


@pytest.mark.parametrize("base, novel", [(-1, 50), (50, 101), (float("nan"), 50)])
def test_harmonic_mean_refuses_what_is_no_percentage(base, novel):
    with pytest.raises(ValueError, match="accuracies are percent from 0 to 100"):
        harmonic_mean(base, novel)


WORDS = "a photo of a"
MAPLE = dict(epochs=5, lr=0.0035, batch_size=4)
COOP = dict(lr=0.002, batch_size=32)
SRC, SRC_RUN = dict(n_ctx=4, init=WORDS), dict(epochs=20, lr=0.0025, batch_size=4)


@pytest.mark.parametrize(
    "arguments, learner, fit",
    [
        (("maple",), dict(n_ctx=2, init=WORDS, depth=9), MAPLE),
        (("maple", "few-shot", 4), dict(n_ctx=2, init=WORDS, depth=9), dict(MAPLE, epochs=20)),
        (("maple", "cross-dataset"), dict(n_ctx=2, init=WORDS, depth=3), dict(epochs=2, lr=0.0026, batch_size=4)),
        (("vpt",), dict(n_ctx=8, depth=12), dict(epochs=5, lr=0.0025, batch_size=4)),
        (("language",), dict(n_ctx=4, init=WORDS, depth=12), dict(epochs=5, lr=0.0025, batch_size=4)),
        (("ivlp", "domain-generalisation"), dict(n_ctx=2, init=WORDS, depth=12), MAPLE),
        (("cocoop",), dict(n_ctx=4, init=WORDS), dict(epochs=10, lr=0.002, batch_size=1)),
        (("coop",), dict(n_ctx=4, init=WORDS), dict(COOP, epochs=200)),
        (("coop", "base-to-novel", 16, "ImageNet"), dict(n_ctx=4, init=WORDS), dict(COOP, epochs=50)),
        (("coop", "cross-dataset", 16, "objects"), dict(n_ctx=4, init=WORDS), dict(COOP, epochs=50)),
        (("coop", "few-shot", 16), dict(n_ctx=16, init=None), dict(COOP, epochs=200)),
        (("coop", "few-shot", 2), dict(n_ctx=16, init=None), dict(COOP, epochs=100)),
        (("coop", "few-shot", 1), dict(n_ctx=16, init=None), dict(COOP, epochs=50)),
        (("coop", "few-shot", 16, "imagenet"), dict(n_ctx=16, init=None), dict(COOP, epochs=50)),
        (("zeroshot",), {}, {}),
        (("kgcoop",), dict(n_ctx=4, init=WORDS), dict(epochs=100, lr=0.002, batch_size=128)),
        (("promptsrc",), dict(SRC, depth=9, mean=15, std=1), SRC_RUN),
        (("promptsrc", "cross-dataset"), dict(SRC, depth=3, mean=6, std=10), SRC_RUN),
        (("promptsrc", "few-shot", 2), dict(SRC, depth=9, mean=30, std=30), dict(SRC_RUN, epochs=50)),
        (("promptsrc", "few-shot", 16, "dtd"), dict(SRC, depth=9, mean=45, std=5), dict(SRC_RUN, epochs=50)),
        (("maple-src",), dict(n_ctx=2, init=WORDS, depth=9, mean=15, std=1), dict(SRC_RUN, lr=0.0035)),
    ],
)  # fmt: skip
def test_presets_are_the_papers(arguments, learner, fit):
    assert preset(*arguments) == (learner, fit)


def test_presets_scale_the_depth_to_the_model(clip):
    depths = {method: preset(method, clip=clip)[0].get("depth") for method in METHODS}
    assert depths == dict(
        zeroshot=None,
        coop=None,
        cocoop=None,
        vpt=4,
        language=3,
        ivlp=3,
        maple=3,
        **{"kgcoop": None, "promptsrc": 3, "maple-src": 3},
    )
    assert preset("maple", "cross-dataset", clip=clip)[0]["depth"] == 1  # ceil(3 * 3 / 12)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("method", METHODS)
def test_every_preset_builds_its_learner(clip, method, task):
    learner_kwargs, _ = preset(method, task, clip=clip)
    assert METHODS[method](**learner_kwargs) if method == "zeroshot" else METHODS[method](clip, **learner_kwargs)


def test_what_is_unpublished_is_labelled():
    assert is_published("maple", "cross-dataset")
    assert not is_published("vpt", "cross-dataset")
    assert not is_published("maple", "few-shot")
    assert not is_published("maple", "base-to-novel", shots=4)
    assert is_published("coop", "few-shot", shots=4)
    assert not is_published("coop", "few-shot", shots=3)
    assert is_published("promptsrc", "few-shot", shots=8)
    assert is_published("promptsrc", "domain-generalisation")
    assert not is_published("kgcoop", "cross-dataset")
    assert not any(is_published("maple-src", task) for task in TASKS)


def test_templates_cover_the_eleven_datasets_of_the_paper():
    titles = list(pd.read_csv(PAPER / "datasets.csv").title)
    assert sorted(titles) == sorted(set(pd.read_csv(PAPER / "base_to_novel.csv").dataset))
    assert template("oxford_pets") == "a photo of a {}, a type of pet."
    assert template("dtd") == "{} texture."


BAD_NAMES = [
    (lambda: preset("MAPLE"), "unknown method 'MAPLE': did you mean 'maple'"),
    (lambda: template("EuroSAT"), "unknown dataset 'EuroSAT': did you mean 'eurosat'"),
    (lambda: preset("mapel"), "unknown method 'mapel': did you mean 'maple'"),
    (lambda: preset("maple", "base-to-new"), "unknown task 'base-to-new': did you mean 'base-to-novel'"),
    (lambda: preset("maple", shots=0), "shots must be at least 1, got 0"),
    (lambda: template("eurosta"), "unknown dataset 'eurosta': did you mean 'eurosat'"),
    (lambda: require_name("method", "zzz", ["coop", "vpt"]), "unknown method 'zzz': choose one of coop, vpt"),
]


@pytest.mark.parametrize("call, message", BAD_NAMES)
def test_unknown_names_are_refused_with_the_close_ones(call, message):
    with pytest.raises(ValueError, match=message):
        call()
