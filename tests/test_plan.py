"""Plans: a run is decided once, is printed as it will be run, and runs as it was printed."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from maple_lite import (
    METHODS,
    CoOp,
    MaPLe,
    PromptedCLIP,
    PromptLearner,
    accuracy,
    base_to_novel,
    execute,
    make_plan,
    open_dataset,
    train,
)
from maple_lite.experiments.ablations import maple_variants
from maple_lite.experiments.run import make_learner

SHORT = {"epochs": 1}


class Shouting(CoOp):
    """A learner of one's own whose constructor takes fewer settings than its parent's."""

    def __init__(self, clip, init="a photo of a", loud=1.0):
        super().__init__(clip, init=init)
        self.loud = loud


class Apart(PromptLearner):
    """A learner of one's own without an ancestor that has settings."""

    def __init__(self, clip, n_ctx=2):
        super().__init__("X X {}.", clip)
        self.ctx, self.n_ctx = nn.Parameter(torch.zeros(n_ctx, clip.text_width)), n_ctx

    def text_prompts(self, image_features=None):
        return [self.ctx]


@pytest.fixture
def plants(clip):
    return open_dataset("plants", clip=clip)


def test_a_plan_prints_what_is_run_with_whose_settings_and_on_what_it_is_tested(clip, plants):
    first, second, third = str(make_plan("coop", plants, clip, "few-shot", seed=3)).splitlines()
    assert first == "coop on plants: few-shot, 16 shots, seed 3, fp32 on CPU"
    assert second == "settings (as published): n_ctx 16, init None, epochs 200, lr 0.002, batch_size 32"
    assert third == "tested on: all"
    changed = make_plan("maple", plants, clip, shots=2, fit_kwargs=SHORT, learner_kwargs={"depth": 1}, precision="bf16")
    first, second, third = str(changed).splitlines()
    assert first.endswith("base-to-novel, 2 shots, seed 1, bf16 on CPU")
    assert second.startswith(
        "settings (derived, unpublished, but for depth, epochs): n_ctx 2, init a photo of a, depth 1"
    )
    assert "epochs 1" in second
    assert third == "tested on: base, novel"
    assert "settings (as published): none" in str(make_plan("zeroshot", plants, clip))


@pytest.mark.parametrize("task", ["base-to-novel", "few-shot", "cross-dataset"])
def test_what_a_plan_says_is_what_is_run(clip, plants, monkeypatch, task):
    """The settings that reach `fit` and the constructor are those of the plan, for every method."""
    seen = []
    monkeypatch.setattr(
        "maple_lite.experiments.run.fit", lambda model, data, **how: seen.append((model, len(data), how))
    )
    for method in METHODS:
        plan = make_plan(method, plants, clip, task, shots=2, seed=5, chunk=7)
        run = execute(plan)
        assert run.results.split.tolist() == [*plan.tests] + ["hm"] * (task == "base-to-novel")
        assert type(run.learner) is plan.kind
        if method == "zeroshot":
            assert not seen
            continue
        model, images, how = seen.pop()
        assert {name: model.learner.config[name] for name in plan.learner_kwargs} == plan.learner_kwargs
        assert {name: how[name] for name in plan.fit_kwargs} == plan.fit_kwargs
        assert (how["seed"], how["precision"], model.chunk) == (5, "fp32", 7)
        assert model.class_names == plan.train_data.class_names
        assert images == 2 * len(model.class_names)


def test_train_is_a_plan_executed(clip, plants):
    how = dict(shots=1, seed=2, fit_kwargs=SHORT)
    once, again = (
        train("ivlp", plants, clip, **how, bar=False),
        execute(make_plan("ivlp", plants, clip, **how), bar=False),
    )
    assert once.results.equals(again.results)
    assert all(torch.equal(*pair) for pair in zip(once.learner.parameters(), again.learner.parameters(), strict=True))


def test_a_learner_of_a_plan_starts_from_the_same_bits_every_time(clip, plants):
    plan = make_plan("maple", plants, clip, seed=4)
    first = make_learner(plan).state_dict()
    torch.randn(3)
    assert all(torch.equal(first[name], value) for name, value in make_learner(plan).state_dict().items())
    other = make_learner(make_plan("maple", plants, clip, seed=5)).state_dict()
    assert not torch.equal(first["couple.0.weight"], other["couple.0.weight"])


def test_a_class_of_ones_own_takes_the_settings_of_its_nearest_ancestor(clip, plants):
    plan = make_plan(Shouting, plants, clip, learner_kwargs={"loud": 2.0}, fit_kwargs=SHORT)
    line = str(plan).splitlines()[1]
    assert line.startswith("settings (derived from those of coop, but for loud, epochs): init a photo of a, loud 2.0, ")
    assert plan.fit_kwargs == {**make_plan("coop", plants, clip).fit_kwargs, "epochs": 1}
    run = execute(plan, bar=False)
    assert run.learner.loud == 2.0
    assert run.results.method.unique().tolist() == ["Shouting"]
    halves = [PromptedCLIP(clip, run.learner, data.class_names) for data in plan.tests.values()]
    found = [accuracy(model, data.test()) for model, data in zip(halves, plan.tests.values(), strict=True)]
    assert run.results.accuracy.tolist()[:2] == found
    frame = base_to_novel(clip, [plants], [Shouting, "zeroshot"], seeds=[1], shots=1)
    assert frame.method.unique().tolist() == ["Shouting", "zeroshot"]


def test_a_class_without_such_an_ancestor_needs_settings(clip, plants):
    with pytest.raises(
        ValueError, match=r"^Apart has no published settings: give fit_kwargs with epochs, lr, batch_size; "
    ):
        train(Apart, plants, clip)
    with pytest.raises(ValueError, match="lr and batch_size are missing"):
        train(Apart, plants, clip, fit_kwargs=SHORT)
    run = train(Apart, plants, clip, shots=1, fit_kwargs=dict(epochs=2, lr=0.01, batch_size=4), bar=False)
    assert run.results.method.unique().tolist() == ["Apart"]
    assert run.learner.ctx.abs().sum() > 0
    plan = make_plan(Apart, plants, clip, fit_kwargs=dict(epochs=2, lr=0.01, batch_size=4))
    assert str(plan).splitlines()[1] == "settings (given by you): epochs 2, lr 0.01, batch_size 4"


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(method="mapple"), "unknown method 'mapple': did you mean 'maple'"),
        (dict(method=nn.Linear), "Linear is no class of learners: make it a subclass of PromptLearner"),
        (dict(task="base_to_novel"), "unknown task 'base_to_novel': did you mean 'base-to-novel'"),
        (dict(data="sea"), r"data must be a dataset such as open_dataset\('sea'\), got 'sea'"),
        (dict(shots=0), "shots must be at least 1, got 0"),
        (dict(seed=-1), "seed must be at least 0, got -1"),
        (dict(learner_kwargs={"dept": 3}), "unknown setting of maple 'dept': did you mean 'depth'"),
        (dict(method="coop", learner_kwargs={"depth": 3}), "unknown setting of coop 'depth'"),
        (dict(fit_kwargs={"seed": 3}), "seed is an argument of its own, and not one of fit_kwargs"),
    ],
)
def test_what_cannot_be_planned_is_a_sentence(clip, plants, options, message):
    chosen = dict(method="maple", data=plants, clip=clip) | options
    with pytest.raises(ValueError, match=message):
        make_plan(**chosen)


def test_a_variant_changes_a_plan_in_one_thing(clip, plants):
    plan, variants = make_plan("maple", plants, clip), maple_variants(clip)
    deeper = variants["depth: 2"].apply(plan)
    assert (deeper.kind, deeper.learner_kwargs) == (MaPLe, {**plan.learner_kwargs, "depth": 2})
    assert deeper.given == ("depth",)
    assert plan.given == ()
    assert type(variants["deep prompts: added"].apply(plan).clip) is not type(clip)
    assert variants["coupling: none"].apply(plan).kind is METHODS["ivlp"]


class Hearing(PromptLearner):
    """A learner that is told the sentence of its dataset."""

    def __init__(self, clip, sentence="a photo of a {}."):
        super().__init__(sentence, clip)
        self.shift = torch.nn.Parameter(torch.zeros(1, clip.text_width))


def test_a_learner_that_asks_for_the_sentence_of_its_dataset_gets_it(clip, plants):
    how = dict(fit_kwargs=dict(epochs=1, lr=0.01, batch_size=4))
    assert make_learner(make_plan(Hearing, plants, clip, **how)).templates == [plants.template]
    own = make_plan(Hearing, plants, clip, learner_kwargs={"sentence": "one {}."}, **how)
    assert make_learner(own).templates == ["one {}."]
