"""Pretraining: a folder that loads, the same bits after a kill, objectives against a second way, clear errors."""

import open_clip
import pandas as pd
import pytest
import torch
from torch.testing import assert_close

from maple_lite import PromptedCLIP, PromptLearner, accuracy, load_clip, seeded, tokenize
from maple_lite.cli.main import main
from maple_lite.datasets import DRAWN, open_dataset
from maple_lite.datasets.glyphs.drawn import TEMPLATES
from maple_lite.datasets.glyphs.painting import COLOURS
from maple_lite.datasets.handwritten import TEMPLATE
from maple_lite.pretraining import gauges as zero_shot
from maple_lite.pretraining import pretrain as pretraining
from maple_lite.pretraining.captions import GENERAL_TEMPLATES, CaptionedPictures, draw_captioned, symbol_frequencies
from maple_lite.pretraining.loss import UNNAMED, Heads, contrast, head_targets, mentions, true_captions
from maple_lite.pretraining.pretrain import PretrainingSettings, pretrain
from maple_lite.pretraining.tiny import Vocabulary, architecture, build, encode

pytestmark = pytest.mark.xdist_group("pretrain")  # one worker, whose costly fixtures or answers they share

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
    return draw_captioned(n, torch.Generator().manual_seed(1), symbol_frequencies(), resolution=16)


def test_the_folder_loads_and_is_complete(run):
    clip = load_clip(f"local-dir:{run / 'clip'}", device="cpu")
    assert (clip.text_layers, clip.vision_layers, clip.text_width, clip.visual.image_size) == (1, 1, 32, (16, 16))
    assert all(weight.isfinite().all() for weight in open_clip.create_model(f"local-dir:{run / 'clip'}").parameters())
    curve = pd.read_csv(run / "clip" / "training.csv")
    assert curve["step"].tolist() == [10, 20]
    assert curve["pairs"].tolist() == [80, 160]
    frequencies = pd.read_csv(run / "clip" / "frequencies.csv", keep_default_na=False)
    assert frequencies["frequency"].sum() == pytest.approx(1, abs=1e-5)
    assert {"snowman", "queen", "red"} <= set((run / "clip" / "words.txt").read_text().split())


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
        (["--pairs", "50"], "the run one batch, got batches of 96 and 50 pairs"),
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
    names = [name for dataset in DRAWN for name in open_dataset(dataset).class_names]
    sentences = [t.format(f"red {n}") for t in [*GENERAL_TEMPLATES, *TEMPLATES.values(), TEMPLATE] for n in names]
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


def test_mentions_and_true_captions():
    captions = ["a red airplane on blue.", "a airplane.", "a red airplane.", "a airplane on a blue background."]
    symbols, red, background = torch.zeros(4).long(), torch.tensor([0, 0, 0, 1]), torch.tensor([5, 6, 6, 5])
    sample = CaptionedPictures(torch.zeros(4), captions, symbols, red, background)
    named = mentions(sample)
    assert named.foreground.tolist() == [True, False, True, False]
    assert named.background.tolist() == [True, False, False, True]
    assert true_captions(sample, named).int().tolist() == [[1, 1, 1, 1], [0, 1, 1, 0], [0, 1, 1, 0], [0, 1, 0, 1]]


def test_every_drawn_caption_is_true_of_its_picture_and_heads_ask_captions_only_what_they_name():
    sample = pictures(200)
    named = mentions(sample)
    assert true_captions(sample, named).diagonal().all()
    colour = {name: i for i, name in enumerate(COLOURS)}
    for caption, target in zip(sample.captions, head_targets(sample, named)[1][2].tolist(), strict=True):
        words = caption.removesuffix(".").removesuffix(" background").split()
        assert target == (colour[words[-1]] if " on " in caption else UNNAMED)
    with seeded(0):
        heads = Heads(8)
    loss, _ = heads(torch.randn(200, 8), [sample.symbol_ids, *[torch.full([200], UNNAMED)] * 2])
    loss.backward()
    assert heads.linear.weight.grad[-24:].abs().sum() == 0


def test_the_quick_look_is_accuracy(run):
    clip = load_clip(f"local-dir:{run / 'clip'}", device="cpu")
    sets = [open_dataset(name, clip=clip, style="clean").train(2, seed=0) for name in DRAWN]
    models = [PromptedCLIP(clip, PromptLearner(data.template), data.class_names) for data in sets]
    within = [accuracy(model, data) for model, data in zip(models, sets, strict=True)]
    assert zero_shot.clean_accuracy(clip)[1] == pytest.approx(sum(within) / len(within), abs=1e-3)


def test_the_table_has_a_row_per_test_set(run, monkeypatch, capsys):
    monkeypatch.setattr(zero_shot, "accuracy", lambda model, data: len(data) / len(model.class_names))
    main(["pretrain", "--evaluate", str(run / "clip")])
    printed = capsys.readouterr().out
    table = zero_shot.zero_shot_table(load_clip(f"local-dir:{run / 'clip'}", device="cpu"))
    assert len(table) == 11 + 11 + 4 + 1
    assert (table["accuracy"] == 50).all()
    assert len(printed.splitlines()) == 1 + len(table)
