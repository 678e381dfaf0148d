"""Laws of the drawn datasets: pure functions, legible, apart from each other, and plain words for bad input."""

from __future__ import annotations

import math
import sys
from collections import Counter
from dataclasses import replace

import matplotlib
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from maple_lite.course.gallery import plot_gallery, write_ladder
from maple_lite.datasets import HANDWRITTEN, open_dataset
from maple_lite.datasets.balanced import TEST_IMAGES
from maple_lite.datasets.glyphs.captions import caption_words, draw_captioned, symbol_frequencies
from maple_lite.datasets.glyphs.drawn import DRAWN, TARGETS, TEMPLATES
from maple_lite.datasets.glyphs.glyphs import (
    FONTS,
    STORED,
    _stored_masks,
    draw_masks,
    glyph_masks,
    symbols,
    symbols_of,
    write_sheets,
)
from maple_lite.datasets.glyphs.painting import COLOURS, CONTRAST, LUMA, Layers, choose_colours, warp
from maple_lite.datasets.glyphs.styles import CLEAN, EFFECTS, FAR_TILT, KINDS, STYLES, TILT, VARIANTS, Style, draw
from maple_lite.support.counter_rng import random_keys, uniform
from maple_lite.support.files import data_folder

matplotlib.use("agg")

APART = 0.22  # between what looks alike (outlined and solid hearts 0.20) and the likest two classes (0.23)
EVERY = [(name, None) for name in (*DRAWN, HANDWRITTEN)] + [("objects", variant) for variant in VARIANTS]


def opened(name, **options):
    """A dataset of symbols, or handwritten digits."""
    return open_dataset(name if name == HANDWRITTEN else f"glyphs:{name}", **options)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


# The table of symbols


def test_every_name_and_every_character_belongs_to_one_symbol_of_one_dataset():
    for part in ("name", "character"):
        counts = Counter(getattr(symbol, part) for symbol in symbols())
        assert [value for value, count in counts.items() if count > 1] == []


def test_the_table_holds_the_eleven_datasets_and_no_other():
    assert {symbol.dataset for symbol in symbols()} == set(DRAWN) == set(STYLES)
    assert 80 <= len(symbols_of("objects")) <= 100
    assert len(TARGETS) == 10
    assert min(len(symbols_of(name)) for name in TARGETS) >= 10


def test_own_styles_and_templates_differ_between_datasets():
    assert len({style.kind for style in STYLES.values()}) == len(DRAWN)
    templates = {opened(name).template for name in (*DRAWN, HANDWRITTEN)}
    assert len(templates) == len(DRAWN) + 1
    assert all(template.count("{}") == 1 for template in templates)


# Pictures are a pure function


@pytest.mark.parametrize("name, variant", EVERY)
def test_an_item_is_the_same_alone_in_a_batch_and_whatever_ran_before(name, variant):
    state = torch.random.get_rng_state()
    data = opened(name, variant=variant).train(3, seed=2)
    indices = [len(data) - 1, 0, 4, 0]
    images, labels = data.batch(indices)
    assert images.shape == (4, 3, 48, 48)
    assert images.dtype == torch.float32
    assert torch.equal(torch.random.get_rng_state(), state)
    with torch.random.fork_rng():
        torch.manual_seed(9)
        torch.rand(5)
        again = opened(name, variant=variant).train(3, seed=2)
        for i, image, label in zip(indices, images, labels, strict=True):
            assert torch.equal(again[i][0], image)
            assert again[i][1] == label


def test_a_picture_does_not_depend_on_the_number_of_pictures_drawn_with_it():
    data = open_dataset("glyphs:objects", variant="r")
    assert torch.equal(data.batch(range(300))[0][7:9], data.batch([7, 8])[0])


def test_pictures_differ_between_splits_seeds_classes_items_and_variants():
    zodiac, objects = open_dataset("zodiac"), open_dataset("glyphs:objects")
    firsts = [
        zodiac[0][0],
        zodiac[1][0],
        zodiac[TEST_IMAGES][0],
        zodiac.train(2, 1)[0][0],
        zodiac.train(2, 2)[0][0],
    ]
    firsts += [objects[0][0], open_dataset("glyphs:objects", variant="v2")[0][0]]
    assert min((a - b).abs().mean() for i, a in enumerate(firsts) for b in firsts[:i]) > 0.1


@pytest.mark.parametrize("name", ["zodiac", "handwritten"])
def test_fewer_shots_are_the_first_of_more_and_subsets_compose_in_either_order(name):
    data = opened(name)
    one, four = data.train(1, seed=3), data.train(4, seed=3)
    assert torch.equal(one.batch([0, 1, 2])[0], four.batch([0, 4, 8])[0])
    before, after = data.subset([7, 2]).train(4, seed=3), four.subset([7, 2])
    assert torch.equal(before.batch(range(8))[0], after.batch(range(8))[0])
    assert torch.equal(after.batch(range(8))[0], four.batch([*range(28, 32), *range(8, 12)])[0])
    assert after.labels == [0] * 4 + [1] * 4 == after.batch(range(8))[1].tolist()
    assert after.class_names == [data.class_names[7], data.class_names[2]]
    assert after.subset([1]).class_names == [data.class_names[2]] == data.subset([data.class_names[2]]).class_names
    assert torch.equal(after.test()[0][0], data[7 * TEST_IMAGES][0])


@pytest.mark.parametrize("name, variant", EVERY)
def test_there_are_fifty_test_pictures_per_class_and_as_many_training_pictures_as_shots(name, variant):
    data = opened(name, variant=variant)
    assert Counter(data.labels) == {label: TEST_IMAGES for label in range(len(data.class_names))}
    assert Counter(data.train(16).labels) == {label: 16 for label in range(len(data.class_names))}
    assert len(data) == len(data.labels) == len(data.train(16).test())


def test_a_loader_gives_the_batches_of_the_dataset():
    data = open_dataset("chess").train(2)
    images, labels = next(iter(torch.utils.data.DataLoader(data, batch_size=5)))
    assert torch.equal(images, data.batch(range(5))[0])
    assert labels.tolist() == [0, 0, 1, 1, 2]


def test_images_are_normalised_by_the_given_mean_and_std():
    data = open_dataset("greek", resolution=32)
    plain = replace(data, mean=(0, 0, 0), std=(1, 1, 1)).batch(range(9))[0]
    shifted = replace(data, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4)).batch(range(9))[0]
    mean, std = torch.tensor([0.5, 0.4, 0.3])[:, None, None], torch.tensor([0.2, 0.3, 0.4])[:, None, None]
    assert plain.shape == (9, 3, 32, 32)
    assert plain.min() >= 0
    assert plain.max() <= 1
    torch.testing.assert_close(shifted * std + mean, plain, atol=1e-6, rtol=0)  # one rounding each way


def test_uniform_numbers_are_uniform_and_unrelated_between_purposes():
    keys = random_keys(4000, generator())
    numbers = uniform(keys, "one", 3)
    assert numbers.min() >= 0
    assert numbers.max() < 1
    torch.testing.assert_close(numbers.mean(0), torch.full((3,), 0.5), atol=0.025, rtol=0)  # 5 standard errors
    together = torch.corrcoef(torch.cat([numbers, uniform(keys, "two", 3)], 1).T) - torch.eye(6)
    assert together.abs().max() < 0.08  # 5 standard errors


# Legible, and apart


def test_background_and_second_colour_stand_clear_of_the_foreground_on_the_same_side():
    luma = torch.tensor(list(COLOURS.values())) @ torch.tensor(LUMA)
    foreground, background, second = (luma[ids] for ids in choose_colours(random_keys(5000, generator())))
    assert min((background - foreground).abs().min(), (second - foreground).abs().min()) >= CONTRAST
    assert torch.equal(background > foreground, second > foreground)
    assert (background != second).all()


@pytest.mark.parametrize("kind", KINDS)
def test_strength_zero_of_every_style_is_the_clean_picture(kind):
    glyphs, ids, keys = glyph_masks("☃☂♞", 48), torch.tensor([0, 1, 2, 1]), random_keys(4, generator())
    assert torch.equal(draw(glyphs, ids, keys, Style(kind, 0.0)), draw(glyphs, ids, keys, CLEAN))
    if kind != "clean":
        assert (draw(glyphs, ids, keys, Style(kind, 0.6)) - draw(glyphs, ids, keys)).abs().mean() > 0.005


def turned(masks, degrees):
    """Masks [S, 1, R, R] turned and made a little smaller, so that their corners stay in the picture."""
    cos, sin = (torch.full((len(masks),), 1.3 * f(math.radians(degrees))) for f in (math.cos, math.sin))
    return warp(masks, (cos, sin, -sin, cos), 0 * cos, 0 * cos)


def least_difference(masks, degrees):
    """How far the two likest masks differ in the patch where they differ most, and which they are.

    0 to 1; patches are 1/12 of the picture wide, and one mask may be turned by any of the `degrees`.
    """
    upright = F.avg_pool2d(turned(masks, 0), 8, padding=4).flatten(1)
    patches = (F.avg_pool2d(turned(masks, d), 8, padding=4).flatten(1) for d in degrees)
    differences = torch.stack([torch.cdist(turn, upright, p=torch.inf) for turn in patches]).amin(0)
    differences.fill_diagonal_(1)
    return float(differences.min()), divmod(int(differences.argmin()), len(masks))


def after(style, masks):
    """Masks after a style that changes every mask in the same way."""
    colour = torch.ones(1, 3, 1, 1)
    return EFFECTS[style.kind](Layers(random_keys(1, generator()), masks, colour, colour, colour), style.strength).mask


@pytest.mark.parametrize("name, variant", [*((name, None) for name in DRAWN), ("objects", "sketch")])
def test_the_style_and_its_turns_keep_classes_apart(name, variant):
    style = VARIANTS[variant] if variant else STYLES[name]
    masks = glyph_masks("".join(symbol.character for symbol in symbols_of(name)), 96, style.font)
    if style.kind in ("outlined", "pixelated"):
        masks = after(style, masks)
    most = TILT + (FAR_TILT * style.strength if style.kind == "tilted" else 0)
    difference, (one, other) = least_difference(masks, torch.linspace(-2 * most, 2 * most, 9).tolist())
    names = [symbol.name for symbol in symbols_of(name)]
    assert difference > APART, f"{names[one]} looks like {names[other]}"


@pytest.mark.parametrize("pair", ["♠♤", "♥♡", "♦♢"])
def test_outlines_would_make_outlined_suits_equal_to_solid_ones_so_objects_has_only_the_solid(pair):
    assert least_difference(after(VARIANTS["sketch"], glyph_masks(pair, 96)), [0])[0] < APART
    assert pair[0] in {symbol.character for symbol in symbols_of("objects")}


def test_turns_beyond_the_allowed_would_permute_arrows_and_make_six_nine():
    assert least_difference(glyph_masks("⬆➡", 96), [90, -90])[0] < APART
    assert least_difference(glyph_masks("69", 96), [180])[0] < APART


# Captions


def test_captions_say_what_is_drawn_in_words_of_the_list():
    pictures = draw_captioned(2000, generator(), symbol_frequencies())
    colours, words = list(COLOURS), set(caption_words())
    assert pictures.images.shape == (2000, 3, 48, 48)
    assert pictures.images.min() >= 0
    assert pictures.images.max() <= 1
    for caption, symbol_id, foreground, background in zip(
        pictures.captions, *(ids.tolist() for ids in pictures[2:]), strict=True
    ):
        assert symbols()[symbol_id].name in caption
        assert caption.endswith(".")
        assert set(caption.replace(",", "").removesuffix(".").split()) <= words
        assert {word for word in caption.removesuffix(".").split() if word in colours} <= {
            colours[foreground],
            colours[background],
        }
    assert any(" on a " in caption for caption in pictures.captions)
    for template in (*TEMPLATES.values(), open_dataset(HANDWRITTEN).template):
        assert any(caption.startswith(template.split("{")[0]) for caption in pictures.captions)


def test_without_jitter_all_pictures_of_a_symbol_have_it_in_the_same_place():
    pictures = draw_captioned(64, generator(), symbol_frequencies(), jitter=0.0)
    one = pictures.symbol_ids == pictures.symbol_ids.mode().values
    inks = (pictures.images[one] - pictures.images[one][:, :, :1, :1]).abs().sum(1)
    masks = inks / inks.amax((1, 2), keepdim=True)
    assert one.sum() > 1
    torch.testing.assert_close(masks[0], masks[1], atol=1e-5, rtol=0)  # rounding of colours


def test_the_generator_and_the_seed_alone_decide():
    frequencies = symbol_frequencies(3)
    one, two = (draw_captioned(8, generator(5), frequencies) for _ in range(2))
    assert one.captions == two.captions
    assert torch.equal(one.images, two.images)
    assert draw_captioned(8, generator(6), frequencies).captions != one.captions
    assert torch.equal(frequencies, symbol_frequencies(3))
    assert not torch.equal(frequencies, symbol_frequencies(4))


def test_frequencies_are_a_tail_of_ten_to_one_over_all_symbols():
    frequencies = symbol_frequencies()
    assert frequencies.shape == (len(symbols()),)
    torch.testing.assert_close(frequencies.sum(), torch.tensor(1.0))
    torch.testing.assert_close(frequencies.max() / frequencies.min(), torch.tensor(10.0))


# Handwritten digits


def test_handwritten_digits_have_the_names_of_digits_and_training_never_sees_a_test_image():
    data = open_dataset("handwritten")
    assert data.class_names == open_dataset("digits").class_names
    train = data.train(120, seed=1)
    seen = {train[i][0].numpy().tobytes() for i in range(0, 120)}
    assert len(seen) == 120
    assert not seen & {data[i][0].numpy().tobytes() for i in range(TEST_IMAGES)}


# Galleries


def test_a_gallery_shows_the_chosen_pictures_over_their_names():
    ax = plot_gallery(open_dataset("zodiac"), [0, TEST_IMAGES], columns=2)
    assert len(ax.images) == 2
    assert [text.get_text() for text in ax.texts] == ["aries", "taurus"]
    matplotlib.pyplot.close(ax.figure)


def test_the_ladder_of_the_readme_is_small(tmp_path):
    path = write_ladder(tmp_path)
    assert path.name == "ladder.png"
    assert path.stat().st_size < 400_000


# Bad input


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: open_dataset("zodiak"), "unknown dataset 'zodiak': did you mean 'zodiac'"),
        (lambda: open_dataset("chess", style="chequred"), "unknown style 'chequred': did you mean 'chequered'"),
        (lambda: open_dataset("chess", style=Style("doted", 0.5)), "unknown style 'doted': did you mean 'dotted'"),
        (lambda: open_dataset("chess", style=Style("dotted", 1.5)), r"must lie in 0\.\.1, got 1.5"),
        (lambda: open_dataset("glyphs:objects", variant="sketsh"), "unknown variant 'sketsh': did you mean 'sketch'"),
        (lambda: open_dataset("chess", variant="sketch"), "chess has no variants"),
        (lambda: open_dataset("glyphs:objects", style="clean", variant="a"), "leave style='clean' out"),
        (lambda: open_dataset("handwritten", style="dotted"), "style='dotted' does not apply to handwritten"),
        (lambda: open_dataset("chess", resolution=8), "resolution must be at least 16, got 8"),
        (lambda: open_dataset("chess").train(0), "shots must be at least 1, got 0"),
        (lambda: open_dataset("handwritten").train(0), "shots must be at least 1, got 0"),
        (lambda: open_dataset("handwritten").train(500), "handwritten has 124 training images per class, 500 shots"),
        (lambda: open_dataset("chess").subset([12]), "chess has no class 12: its 12 classes are 0 to 11"),
        (
            lambda: open_dataset("chess").subset(["solid kink"]),
            "unknown class of chess 'solid kink': did you mean 'solid king'",
        ),
        (lambda: open_dataset("chess").subset([]), "at least one class"),
        (lambda: open_dataset("chess").subset([1, 1]), "each class once"),
        (lambda: draw_captioned(0, generator(), symbol_frequencies()), "n must be at least 1"),
        (lambda: draw_captioned(2, generator(), symbol_frequencies(), jitter=2), "jitter=2"),
        (lambda: draw_captioned(2, generator(), torch.ones(3)), "one per symbol"),
        (lambda: glyph_masks("⌛", 48), r"DejaVuSans.ttf has no character '⌛' \(U\+231B\)"),
        (lambda: glyph_masks("A", 48, "italic"), "unknown font 'italic'"),
    ],
)
def test_bad_input_is_answered_with_what_to_do(call, words):
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.parametrize("index", [-1, 600])
def test_an_index_beyond_the_pictures_is_an_index_error(index):
    with pytest.raises(IndexError, match="items 0 to 599"):
        open_dataset("chess")[index]


@pytest.mark.parametrize("font", FONTS)
def test_the_stored_masks_are_those_that_matplotlib_draws(font):
    characters = "".join(symbol.character for symbol in symbols())
    stored, now = glyph_masks(characters, STORED, font), draw_masks(characters, STORED, font)
    torch.testing.assert_close(stored, now, atol=0.1, rtol=0)  # another FreeType rounds edges otherwise
    assert (stored != now).float().mean() < 0.01


def test_sheets_are_read_as_they_were_written(tmp_path):
    write_sheets(tmp_path)
    for font in FONTS:
        written, there = (Image.open(folder / f"{font}.png") for folder in (tmp_path, data_folder() / "glyphs"))
        assert (np.array(written) != np.array(there)).mean() < 0.01


def test_a_missing_sheet_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("MAPLE_LITE_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"regular.png is missing: restore the data folder"):
        _stored_masks.__wrapped__("regular")


def test_a_mask_of_another_size_without_matplotlib_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert glyph_masks("B", 48).shape == (1, 1, 48, 48)
    with pytest.raises(ImportError, match=r"needs matplotlib: pip install 'maple-lite\[plots\]'"):
        glyph_masks("B", 47)


def test_a_missing_font_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(matplotlib, "get_data_path", lambda: str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"matplotlib's font DejaVuSans.ttf is missing: reinstall matplotlib"):
        glyph_masks("A", 47)


def test_a_missing_table_of_symbols_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("MAPLE_LITE_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"glyphs.csv is missing: restore the data folder"):
        symbols.__wrapped__()
