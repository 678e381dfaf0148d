"""The figures of what a lesson measures itself: sweeps, bars, pairs of dots, and CLIP's space."""

from __future__ import annotations

import matplotlib
import matplotlib.pyplot as plt
import pandas as pd
import pytest
import torch
import torch.nn.functional as F

from maple_lite import load_clip
from maple_lite.course import plots
from maple_lite.course.planted import HIDDEN, planted_curves, planted_tower
from maple_lite.tokens import tokenize

matplotlib.use("agg")


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def tiny():
    return load_clip(device="cpu")


def test_a_line_per_group_has_the_means_and_a_band():
    table = pd.DataFrame({"shots": [1, 1, 4, 4] * 2, "way": ["a"] * 4 + ["b"] * 4, "percent": [10, 20, 30, 40] * 2})
    ax = plots.plot_lines(table, "shots", "percent", "way", log=True, xlabel="pictures", ax=plt.figure().gca())
    assert [line.get_label() for line in ax.get_lines()] == ["a", "b"]
    assert ax.get_lines()[0].get_ydata().tolist() == [15, 35]
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_xscale()) == ("pictures", "percent", "log")
    assert len(ax.collections) == 2


def test_bars_stand_in_their_order_with_numbers_and_notes():
    ax = plots.plot_bars({"one": 10.4, "two": 30.0}, notes={"two": "best"}, line=20, errors={"one": 1, "two": 2})
    assert [text.get_text().strip() for text in ax.texts] == ["10", "30, best"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["one", "two"]
    assert ax.yaxis_inverted()


def test_two_dots_per_row_and_a_line_between_them():
    table = pd.DataFrame({"clean": [90.0, 80.0], "own": [60.0, 70.0]}, ["sea", "food"])
    ax = plots.plot_two(table, "clean", "own", labels=("before", "after"))
    before, after = ax.collections[1:]
    assert before.get_offsets()[:, 0].tolist() == [90, 80]
    assert after.get_offsets()[:, 0].tolist() == [60, 70]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["before", "after"]


def test_arrows_cross_length_one_where_their_circles_are():
    ax = plots.plot_angles({"a": (2.0, 0.0, "red"), "b": (0.5, 90.0, "blue")})
    circles = [line.get_xydata()[0].tolist() for line in ax.get_lines() if line.get_marker() == "o"]
    assert circles[0] == pytest.approx([1, 0])
    assert circles[1] == pytest.approx([0, 1])


def test_pictures_and_similarities_show_what_they_are_given(tiny):
    images = torch.zeros(3, 3, 48, 48)
    figure = plots.plot_pictures(tiny, images, ["one", "two", "three"], columns=2)
    assert [ax.get_title() for ax in figure.axes] == ["one", "two", "three", ""]
    ax = plots.plot_similarities(tiny, torch.eye(3), images, ["a", "b", "c"], ax=plt.figure().gca())
    assert [text.get_text() for text in ax.texts][:2] == ["1.00", "0.00"]
    assert len(ax.images) == 3


def test_every_picture_has_a_line_to_its_sentence():
    features = F.normalize(torch.randn(6, 8, generator=torch.Generator().manual_seed(0)), dim=-1)
    ax = plots.plot_pairs(features[:4], torch.tensor([0, 0, 1, 1]), features[4:], ["cat", "dog"])
    assert len(ax.get_lines()) == 4
    ends = [line.get_xydata()[1].tolist() for line in ax.get_lines()]
    assert ends[0] == ends[1] != ends[2]
    assert {text.get_text() for text in ax.texts} >= {"cat", "dog"}


def test_the_way_through_the_meta_net_is_drawn():
    plain, own = plots.plot_prompts((3, 4), (1, 0), n_ctx=2), None
    texts = {text.get_text() for text in plain.texts}
    own = plots.plot_conditional_prompts((3, 4), n_ctx=2, ax=plt.figure().gca())
    assert {"meta-\nnet", "+ the same shift"} <= {text.get_text() for text in own.texts} - texts


def test_planted_towers_are_wrong_in_their_own_ways(tiny):
    names = ["cat", "four leaf clover"]
    tokens = tokenize([f"a photo of a {name}." for name in names])
    own = tiny.encode_text(tokens)
    words = [tiny.text.token_embedding(tokens)[0, 1:5].detach().requires_grad_()]
    found = {letter: planted_tower(tiny, letter).encode_text(tokens, words) for letter in HIDDEN}
    gaps = {letter: (features - own).abs().max().item() for letter, features in found.items()}
    assert gaps["B"] < 1e-5
    assert gaps["C"] < 1e-5
    assert all(gaps[letter] > 1e-4 for letter in "ADE")
    assert torch.allclose(found["A"][0], found["A"][1])  # SOS sees no word
    assert torch.autograd.grad(found["C"].sum(), words)[0].abs().max() == 0
    features = F.normalize(torch.randn(8, tiny.embed_dim, generator=torch.Generator().manual_seed(1)), dim=-1)
    curves = planted_curves(tiny, names, features, torch.arange(8) % 2, epochs=2)
    assert curves.groupby("tower").size().to_dict() == dict.fromkeys("ABCDE", 2)
