"""The ladder of the README against the learners: depths, couplings, meta-net."""

from __future__ import annotations

from collections import Counter

import matplotlib.pyplot as plt
import pytest
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

from maple_lite import METHODS, FrozenCLIP, PromptLearner, load_clip, seeded
from maple_lite.course.exercises import LESSONS
from maple_lite.course.ladder import LAYERS, STEPS, plot_ladder, plot_step
from maple_lite.course.plots import TITLES
from maple_lite.learners import SEVEN


@pytest.fixture(scope="module")
def tiny() -> FrozenCLIP:
    return load_clip()


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.method)
def test_a_step_of_the_ladder_has_the_prompts_of_its_method_on_the_tiny_clip(step, tiny):
    with seeded(0):
        learner = METHODS[step.method](tiny) if step.method != "zeroshot" else PromptLearner()
    features = F.normalize(torch.ones(1, tiny.embed_dim), dim=-1)
    assert step.depths == (len(learner.vision_prompts()), len(learner.text_prompts(features)))
    assert (step.coupled, step.meta_net) == (hasattr(learner, "couple"), hasattr(learner, "meta_net"))
    assert (tiny.vision_layers, tiny.text_layers) == (LAYERS, LAYERS)


def test_the_ladder_has_a_panel_for_every_method_and_one_that_explains():
    figure = plot_ladder()
    words = [[text.get_text() for text in ax.texts] for ax in figure.axes]
    titles = [f"{step.lesson}  {TITLES[step.method]}" for step in STEPS]
    assert all(title in found for title, found in zip([*titles, "How to read it"], words, strict=True))
    assert [step.method for step in STEPS] == [*SEVEN[:3], "language", "vpt", *SEVEN[5:]]
    lessons = [f"{step.lesson}_" for step in STEPS]
    assert lessons == [name[:3] for name in LESSONS[: len(STEPS) + 2] if name[:2] not in ("00", "02")]
    plt.close(figure)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.method)
def test_a_panel_of_the_ladder_shows_where_prompts_enter_and_what_links_the_towers(step):
    ax = plot_step(step, ax=Figure().subplots())
    labels = Counter(text.get_text() for text in ax.texts)
    arrows = [patch for patch in ax.patches if isinstance(patch, FancyArrowPatch)]
    assert sum(labels[f"P{layer}"] for layer in range(1, LAYERS + 1)) == sum(step.depths)
    assert labels["↑"] == sum(LAYERS - depth for depth in step.depths if depth)
    assert len(arrows) == (min(step.depths) if step.coupled else 2 * step.meta_net)
