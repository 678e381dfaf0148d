"""Pretraining: a folder that loads, the same bits after a kill, objectives against a second way, clear errors."""

import re

import open_clip
import pandas as pd
import pytest
import torch
from torch.testing import assert_close

from maple_lite import PromptedCLIP, PromptLearner, accuracy, load_clip, seeded, tokenize
from maple_lite.cli.main import main
from maple_lite.datasets import open_dataset
from maple_lite.datasets.emoji.drawn import KIND, TEMPLATES, VARIANTS
from maple_lite.datasets.emoji.grounds import COLOURS
from maple_lite.datasets.emoji.looks import EVERY
from maple_lite.datasets.emoji.table import all_emoji
from maple_lite.datasets.handwritten import TEMPLATE
from maple_lite.pretraining import captions as captioning
from maple_lite.pretraining import gauges as zero_shot
from maple_lite.pretraining import pretrain as pretraining
from maple_lite.pretraining.captions import (
    GENERAL_TEMPLATES,
    CaptionedPictures,
    caption_words,
    draw_captioned,
    frequencies,
    things,
    usual_looks,
    with_look,
)
from maple_lite.pretraining.digits import draw_digits
from maple_lite.pretraining.loss import UNNAMED, Heads, contrast, head_targets, true_captions
from maple_lite.pretraining.pretrain import PretrainingSettings, pretrain
from maple_lite.pretraining.tiny import Vocabulary, architecture, build, encode
from maple_lite.support.counter_rng import random_keys

SMALL = dict(pairs=160, batch_size=8, every=10, warmup=2, precision="fp32", resolution=16, width=32, layers=1)
FLAGS = [part for name, value in SMALL.items() for part in (f"--{name.replace('_', '-')}", str(value))]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A folder in which 20 steps were trained into "clip", with the checkpoint "state"."""
    folder = tmp_path_factory.mktemp("run")
    pretrain(folder / "clip", PretrainingSettings(**SMALL), folder / "state")
    return folder


def weights(checkpoint):
    return torch.load(checkpoint, weights_only=True)["model"]


def pictures(n=16):
    return draw_captioned(n, torch.Generator().manual_seed(1), frequencies(), resolution=16)


def test_the_folder_loads_and_is_complete(run):
    clip = load_clip(f"local-dir:{run / 'clip'}", device="cpu")
    assert (clip.text_layers, clip.vision_layers, clip.text_width, clip.visual.image_size) == (1, 1, 32, (16, 16))
    assert all(weight.isfinite().all() for weight in open_clip.create_model(f"local-dir:{run / 'clip'}").parameters())
    curve = pd.read_csv(run / "clip" / "training.csv")
    assert curve["step"].tolist() == [10, 20]
    assert curve["pairs"].tolist() == [80, 160]
    table = pd.read_csv(run / "clip" / "frequencies.csv", keep_default_na=False)
    assert table["frequency"].sum() == pytest.approx(1, abs=1e-5)
    assert {"snowman", "fox", "red", "blurry"} <= set((run / "clip" / "words.txt").read_text().split())


def test_the_frozen_clip_computes_what_was_trained(run):
    recipe, vocabulary, sample = PretrainingSettings(**SMALL), Vocabulary(), pictures()
    model = build(architecture(recipe.width, recipe.layers, recipe.embed_dim, recipe.resolution), vocabulary)
    model.load_state_dict(weights(run / "state"))
    clip = load_clip(f"local-dir:{run / 'clip'}", device="cpu")
    mean, std = (torch.tensor(values)[:, None, None] for values in (clip.preprocess.mean, clip.preprocess.std))
    theirs = clip.encode_image((sample.images - mean) / std), clip.encode_text(tokenize(sample.captions))
    ours = encode(model.eval(), sample.images, vocabulary.tokenize(sample.captions))
    assert_close(theirs, tuple(part.detach() for part in ours), atol=2e-3, rtol=0)  # the folder is half precision


@pytest.mark.parametrize("at", [3, 15])
def test_a_killed_run_goes_on_to_the_same_bits(run, tmp_path, monkeypatch, capsys, at):
    draws = iter(range(at))

    def draw_or_be_killed(*arguments):
        if next(draws, None) is None:
            raise KeyboardInterrupt
        return draw_captioned(*arguments)

    command = ["pretrain", "--out", str(tmp_path / "clip"), *FLAGS]
    monkeypatch.setattr(pretraining, "draw_captioned", draw_or_be_killed)
    assert main(command) == 2
    assert "stopped: the same command goes on from the last checkpoint" in capsys.readouterr().err
    monkeypatch.undo()
    assert (tmp_path / "clip.checkpoint").exists() == (at > SMALL["every"])
    torch.rand(3)  # what else ran in between changes nothing
    assert main(command) == 0
    whole, resumed = weights(run / "state"), weights(tmp_path / "clip.checkpoint")
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    curves = [pd.read_csv(folder / "clip" / "training.csv").drop(columns="seconds") for folder in (run, tmp_path)]
    pd.testing.assert_frame_equal(*curves)


def test_the_seed_decides_the_weights(run, tmp_path):
    pretrain(tmp_path / "clip", PretrainingSettings(**SMALL | {"seed": 1}), tmp_path / "state")
    ours, others = weights(run / "state"), weights(tmp_path / "state")
    assert not any(torch.equal(ours[name], others[name]) for name in ("visual.proj", "token_embedding.weight"))


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--pairs", "50"], "the run one batch, got batches of 128 and 50 pairs"),
        (["--lr", "0"], "lr must be above 0"),
        (["--width", "100"], "width must be a multiple of 32"),
        (["--every", "0"], "every must be at least 1, got 0"),
        (["--precision", "int8"], "precision must be 'fp32', 'bf16'"),
    ],
)
def test_a_bad_argument_is_one_sentence(tmp_path, capsys, flags, message):
    assert main(["pretrain", "--out", str(tmp_path / "clip"), *flags]) == 2
    (sentence,) = capsys.readouterr().err.splitlines()
    assert message in sentence


def test_a_damaged_checkpoint_and_one_of_another_run_are_refused(run, tmp_path):
    path, clip = tmp_path / "state", tmp_path / "clip"
    path.write_bytes((run / "state").read_bytes()[:1000])
    with pytest.raises(ValueError, match="state is damaged"):
        pretrain(clip, PretrainingSettings(**SMALL), path)
    torch.save({"learner": 1}, path)
    with pytest.raises(ValueError, match="checkpoint of something else"):
        pretrain(clip, PretrainingSettings(**SMALL), path)
    with pytest.raises(ValueError, match="its seed is 0, now it is 5"):
        pretrain(clip, PretrainingSettings(**SMALL | {"seed": 5}), run / "state")
    assert not clip.exists()


def test_a_gradient_that_is_not_finite_stops_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr(pretraining, "contrast", lambda image, *_: (image.sum() * torch.inf, torch.zeros(())))
    with pytest.raises(ValueError, match="no finite gradient: lower lr"):
        pretrain(tmp_path / "clip", PretrainingSettings(**SMALL), tmp_path / "state")


def test_the_vocabulary_knows_every_caption_and_keeps_the_order():
    vocabulary = Vocabulary()
    names = [name for thing in things() for name in (thing.name, *thing.other_names)]
    templates = [with_look(t, "blurry") for t in [*GENERAL_TEMPLATES, *TEMPLATES.values(), TEMPLATE]]
    sentences = [template.format(name) for template in templates for name in names]
    tokens, ours = tokenize(sentences), vocabulary.tokenize(sentences)
    assert (ours >= 0).all()
    assert torch.equal(vocabulary.token_ids[ours], tokens)
    assert torch.equal(ours.argmax(dim=1), tokens.argmax(dim=1))  # EOT is where it was


def test_contrast_is_clips_where_no_caption_fits_twice():
    image, text = torch.nn.functional.normalize(torch.randn(2, 6, 4), dim=-1)
    theirs = open_clip.ClipLoss()(image, text, torch.tensor(3.0).exp())
    ours, _ = contrast(image, text, torch.tensor(3.0), torch.eye(6, dtype=torch.bool))
    assert_close(ours, theirs)


def test_a_caption_that_is_true_of_two_pictures_is_no_false_negative():
    features = torch.eye(3)[[0, 0, 1]]
    same = torch.tensor([[True, True, False], [True, True, False], [False, False, True]])
    loss, found = contrast(features, features, torch.tensor(10.0), same)
    assert loss < 1e-4
    assert found == 1


def test_true_captions():
    sample = CaptionedPictures(
        torch.zeros(4),
        ["a blurry fox on a red background.", "a fox.", "a blurry fox.", "a cat."],  # the last is a wrong one of a fox
        shown=torch.tensor([0, 0, 0, 0]),
        named=torch.tensor([0, 0, 0, 1]),
        looks=torch.tensor([1, 2, 1, 1]),
        grounds=torch.tensor([5, 5, 6, 5]),
        names_look=torch.tensor([True, False, True, False]),
        names_ground=torch.tensor([True, False, False, False]),
    )
    assert true_captions(sample).int().tolist() == [[1, 1, 1, 0], [0, 1, 0, 0], [0, 1, 1, 0], [1, 1, 1, 0]]


def test_captions_say_what_is_seen_but_for_the_wrong_ones():
    sample = draw_captioned(2000, torch.Generator().manual_seed(1), frequencies(), resolution=16)
    assert sample.images.shape == (2000, 3, 16, 16)
    assert 0 <= sample.images.min() <= sample.images.max() <= 1
    looks, words = set(EVERY[1:-1]), set(caption_words())
    rows = zip(sample.captions, *(ids.tolist() for ids in sample[3:]), strict=True)
    for caption, named, look, ground, names_look, names_ground in rows:
        thing = things()[named]
        name = max((name for name in (thing.name, *thing.other_names) if name in caption), key=len)
        assert set(re.sub(r"[,.?]", "", caption).split()) <= words
        before_ground = caption.replace(name, "").split(" on a ")[0].split()  # gray is a look and a colour
        assert looks & set(before_ground) == ({EVERY[look]} if names_look else set())
        assert (f" on a {list(COLOURS)[ground]} background." in caption) == names_ground
    wrong = sample.named != sample.shown
    assert 0.08 < wrong.float().mean() < 0.13
    assert torch.equal(true_captions(sample).diagonal(), ~wrong)


def test_where_a_thing_has_two_names_the_formal_one_is_the_rarer(monkeypatch):
    monkeypatch.setattr(captioning, "SENTENCES", {"bare": 1.0})
    only = torch.tensor([float(len(thing.other_names) > 0) for thing in things()])
    sample = draw_captioned(1000, torch.Generator().manual_seed(1), only, resolution=16)
    formal = [caption == things()[named].name for caption, named in zip(sample.captions, sample.named, strict=True)]
    assert 0.1 < sum(formal) / len(formal) < 0.2


def test_a_look_is_named_before_the_photo():
    assert with_look("a photo of {}, a kind of food.", "dark") == "a dark photo of {}, a kind of food."
    assert with_look("an image of the {}.", "dark") == "a dark image of the {}."
    assert with_look("a {}.", "dark") == "a dark {}."
    with pytest.raises(ValueError, match=r"no \{\} for the class name"):
        with_look("a fox.", "dark")


def test_heads_ask_captions_only_what_they_name():
    sample = pictures(200)
    shown, named = head_targets(sample)
    assert torch.equal(shown[1], sample.looks)
    assert torch.equal(named[1] != UNNAMED, sample.names_look)
    assert torch.equal(named[2] != UNNAMED, sample.names_ground)
    with seeded(0):
        heads = Heads(8)
    loss, _ = heads(torch.randn(200, 8), [sample.shown, *[torch.full([200], UNNAMED)] * 2])
    loss.backward()
    assert heads.linear.weight.grad[len(things()) :].abs().sum() == 0


def test_frequencies_are_a_tail_of_twenty_to_one_over_all_things():
    ours = frequencies()
    assert ours.shape == (len(things()),)
    assert_close(ours.sum(), torch.tensor(1.0))
    emoji = ours[: len(all_emoji())]
    assert_close(emoji.max() / emoji.min(), torch.tensor(20.0))
    assert not torch.equal(ours, frequencies(1))


def test_things_have_usual_looks():
    often = usual_looks()
    assert_close(often.sum(1), torch.ones(len(things())))
    assert often[:, EVERY.index("rendered")].max() == 0
    assert (often[len(all_emoji()) :, 0] == 1).all()
    fox = torch.eye(len(things()))[7]
    sample = draw_captioned(4000, torch.Generator().manual_seed(1), fox, resolution=16)
    assert_close(sample.looks.bincount(minlength=len(EVERY)) / 4000, often[7], atol=0.03, rtol=0)


def test_digits_are_drawn_whole_and_apart():
    keys = random_keys(10, torch.Generator().manual_seed(0))
    upright = draw_digits(torch.arange(10), keys, 48, jitter=0)
    assert upright.shape == (10, 3, 48, 48)
    ink = (upright - upright[:, :, :1, :1]).abs().amax(1)  # [10, 48, 48]
    assert ink[:, [0, -1]].max() < 0.05
    shapes = torch.nn.functional.normalize(ink.flatten(1))
    assert (torch.cdist(shapes, shapes) + torch.eye(10)).min() > 0.3


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda g: draw_captioned(0, g, frequencies()), "n must be at least 1"),
        (lambda g: draw_captioned(2, g, frequencies(), jitter=2), "jitter=2"),
        (lambda g: draw_captioned(2, g, torch.ones(3)), "one per thing"),
    ],
)
def test_what_cannot_be_drawn(call, words):
    with pytest.raises(ValueError, match=words):
        call(torch.Generator())


def test_the_quick_look_is_accuracy(run):
    clip = load_clip(f"local-dir:{run / 'clip'}", device="cpu")
    sets = [open_dataset(name, clip=clip, look="clean").train(2, seed=0) for name in KIND.names]
    models = [PromptedCLIP(clip, PromptLearner(data.template), data.class_names) for data in sets]
    within = [accuracy(model, data) for model, data in zip(models, sets, strict=True)]
    assert zero_shot.clean_accuracy(clip)[1] == pytest.approx(sum(within) / len(within), abs=1e-3)


def test_the_table_and_its_gauges(run, monkeypatch, capsys):
    monkeypatch.setattr(zero_shot, "KIND", KIND._replace(names=("objects", "sea")))  # what is asked is the same
    assert main(["pretrain", "--evaluate", str(run / "clip")]) == 0, capsys.readouterr().err
    printed = capsys.readouterr().out
    clip = load_clip(f"local-dir:{run / 'clip'}", device="cpu")
    table = zero_shot.zero_shot_table(clip)
    assert table["look"].tolist() == ["mixed", "pixelated", *VARIANTS, "photographs"]
    sea = open_dataset("sea", clip=clip)
    named = PromptedCLIP(clip, PromptLearner("a pixelated photo of a {}, a thing of the sea."), sea.class_names)
    assert table["look_named"].tolist()[1] == pytest.approx(accuracy(named, sea), abs=1e-4)
    assert table["look_named"].isna().tolist() == [True, False, *[True] * 5]
    read = zero_shot.read_gauges(table).set_index("gauge")
    assert list(read.index) == list(zero_shot.GAUGES)
    assert read.value["naming the look"] == pytest.approx(table.look_named[1] - table.own[1])
    assert read.value["sketch"] == pytest.approx(table.clean[0] - table.own[3])
    assert read.within.tolist() == [low <= value <= high for value, low, high in read[["value", "low", "high"]].values]
    assert all(name in printed for name in ("naming the look", "photographs"))
