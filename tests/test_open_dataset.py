"""The one door to data: what each kind takes from a CLIP, which options it has, and what all of them offer."""

import inspect

import pytest
import torch
from layouts import lay_out, picture

from maple_lite.clip import FrozenCLIP
from maple_lite.datasets import CATALOG, DRAWN, HANDWRITTEN, VARIANTS, ClassificationDataset, open_dataset
from maple_lite.datasets.opening import DEFAULTS, KINDS
from maple_lite.experiments.targets import transfer_targets
from maple_lite.support.small import small_open_clip


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder to work in, with EuroSAT in "datasets" and a user's own pictures in "pets"."""
    monkeypatch.chdir(tmp_path)
    lay_out(tmp_path / "datasets", "eurosat")
    for label, name in enumerate(("cat", "dog")):
        for i in range(4):
            picture(tmp_path / "pets" / name / f"{i}.png", label)
    return tmp_path


@pytest.fixture
def other_clip():
    """A CLIP whose pictures are normalised by other numbers than OpenAI's."""
    model = small_open_clip()
    model.visual.preprocess_cfg = {"size": 32, "mean": (0.5, 0.4, 0.3), "std": (0.2, 0.3, 0.4)}
    return FrozenCLIP(model)


EVERY_KIND = ["sea", HANDWRITTEN, "eurosat", "./pets"]


@pytest.mark.parametrize("name", EVERY_KIND)
def test_every_kind_offers_what_a_dataset_must_offer(here, clip, name):
    data = open_dataset(name, "datasets", clip)
    assert isinstance(data, ClassificationDataset)
    train = data.train(1, seed=1)
    half = train.subset([1, 0])
    assert half.class_names == data.class_names[1::-1]
    assert len(half) == len(half.labels) == 2
    images, labels = half.batch(range(2))
    assert images.shape == (2, 3, 32, 32)
    assert labels.tolist() == half.labels
    assert half[0][1] == half.labels[0]
    assert data.template.count("{}") == 1
    assert data.own is (name == "./pets")
    assert (data.augmented, train.augmented) == (False, name in ("eurosat", "./pets"))
    assert len(train.test()) == len(data)
    same = [data.train(1, seed=1), data.subset(data.class_names).train(1, seed=1)]
    others = [data, half, data.train(2, seed=1), data.train(1, seed=2)]
    assert all(view.identity == train.identity for view in same)
    assert all(view.identity != train.identity for view in others)


@pytest.mark.parametrize("name", EVERY_KIND)
def test_images_have_the_clips_size_mean_and_standard_deviation(here, clip, other_clip, name):
    pictures = []
    for looking in (clip, other_clip):
        data = open_dataset(name, "datasets", looking)
        assert (tuple(data.mean), tuple(data.std)) == (looking.preprocess.mean, looking.preprocess.std)
        images, _ = data.batch([0])
        assert images.shape == (1, 3, 32, 32)
        mean, std = (torch.tensor(values)[:, None, None] for values in (data.mean, data.std))
        pictures.append(images * std + mean)
    assert data.mean == (0.5, 0.4, 0.3)
    torch.testing.assert_close(*pictures, atol=1e-6, rtol=0)  # one rounding each way
    usual = 48 if name in ("sea", HANDWRITTEN) else 224
    assert open_dataset(name, "datasets").batch([0])[0].shape == (1, 3, usual, usual)


def test_a_resolution_replaces_the_clips(clip):
    assert open_dataset("sea", clip=clip, resolution=20).batch([0])[0].shape == (1, 3, 20, 20)
    assert open_dataset(HANDWRITTEN, resolution=20).batch([0])[0].shape == (1, 3, 20, 20)


OPTIONS = {
    "style": "clean",
    "look": "clean",
    "variant": "sketch",
    "resolution": 32,
    "template": "a {}.",
    "test_share": 0.5,
    "split_seed": 3,
    "augment": False,
    "skip_damaged": True,
}
APPLY = {  # which of them a kind has
    "objects": {"look", "variant", "resolution"},
    "glyphs:objects": {"style", "variant", "resolution"},
    HANDWRITTEN: {"resolution"},
    "eurosat": {"template", "augment", "skip_damaged"},
    "./pets": {"template", "test_share", "split_seed", "augment", "skip_damaged"},
}


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("name", APPLY)
def test_an_option_that_does_not_apply_is_one_sentence(here, name, option):
    given = {option: OPTIONS[option]}
    if option in APPLY[name]:
        assert len(open_dataset(name, "datasets", **given))
        return
    with pytest.raises(ValueError, match=r"leave (it|test_share=0\.5) out") as error:
        open_dataset(name, "datasets", **given)
    assert f"{option}={OPTIONS[option]!r}" in str(error.value)
    assert str(error.value).count(". ") == 0


def test_every_option_of_the_door_is_one_of_a_kind_and_has_the_default_that_is_said():
    options = inspect.signature(open_dataset).parameters
    named = {name: options[name].default for name in list(options)[3:]}
    assert set(named) == {option for kind in KINDS for option in kind.options} == set(OPTIONS)
    assert {name: default for name, default in named.items() if default is not None} == DEFAULTS


def test_a_name_wins_over_a_folder_of_that_name(here, clip):
    for name in ("sea", "eurosat"):
        for i in range(2):
            picture(here / name / "cat" / f"{i}.png")
            picture(here / name / "dog" / f"{i}.png")
        assert not open_dataset(name, "datasets", clip).own
        for path in (f"./{name}", here / name):
            assert open_dataset(path, "datasets", clip).class_names == ["cat", "dog"]
    assert open_dataset("pets").own  # the name of no dataset


def test_mistakes_are_answered_with_what_to_do(clip):
    for wrong, close in (("seaa", "sea"), ("eurosatt", "eurosat"), ("hand-written", HANDWRITTEN)):
        with pytest.raises(ValueError, match=f"unknown dataset '{wrong}': did you mean.* '{close}'"):
            open_dataset(wrong)
    with pytest.raises(ValueError, match="root must be a folder, got a FrozenCLIP: pass the CLIP as clip="):
        open_dataset("sea", clip)


def test_a_name_means_one_dataset():
    names = [name for kind in KINDS for name in kind.names]
    assert len(set(names)) == len(names) == 2 * len(DRAWN) + 1 + len(CATALOG)


# What a transfer is tested on


def test_the_targets_of_a_drawn_source_are_the_other_drawn_sets_or_its_variants(clip):
    targets, left_out = transfer_targets("cross-dataset", open_dataset("sea"), clip)
    assert set(targets) == {*DRAWN, HANDWRITTEN} - {"sea"}
    assert left_out == []
    assert {data.resolution for data in targets.values()} == {32}
    targets, _ = transfer_targets("domain-generalisation", open_dataset("objects"), clip)
    assert {name: data.variant for name, data in targets.items()} == {name: name for name in VARIANTS}
    assert transfer_targets("domain-generalisation", open_dataset("sea"), clip) == ({}, [])
    symbols = transfer_targets("cross-dataset", open_dataset("glyphs:objects"), clip)[0]
    assert {"glyphs:faces", "zodiac", HANDWRITTEN} <= set(symbols)
    assert "sea" not in symbols


def test_the_targets_of_photographs_are_those_in_the_folder(here, clip, monkeypatch):
    for name in ("imagenet", "imagenet_a"):
        lay_out(here / "datasets", name)
    source = open_dataset("imagenet", "datasets", clip)
    targets, left_out = transfer_targets("cross-dataset", source, clip, "datasets")
    assert list(targets) == ["eurosat"]
    assert {*left_out, *targets} == {name for name, entry in CATALOG.items() if not entry.domain_of} - {"imagenet"}
    targets, left_out = transfer_targets("domain-generalisation", source, clip, "datasets")
    assert (list(targets), left_out) == (["imagenet_a"], ["imagenetv2", "imagenet_sketch", "imagenet_r"])
    monkeypatch.setenv("MAPLE_LITE_DATASETS", str(here / "datasets"))
    assert list(transfer_targets("cross-dataset", source, clip)[0]) == ["eurosat"]


def test_your_own_pictures_have_photographs_as_targets_whatever_they_are_called(here, clip):
    (here / "pets").rename(here / "objects")
    source = open_dataset("./objects", clip=clip)
    assert list(transfer_targets("cross-dataset", source, clip, "datasets")[0]) == ["eurosat"]
    assert transfer_targets("domain-generalisation", source, clip, "datasets") == ({}, [])
