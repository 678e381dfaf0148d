"""Base-to-novel as a frame: the rows, the protocol behind them, and the same result whatever ran before."""

import pandas as pd
import pytest
import torch

from maple_lite import PromptedCLIP, PromptLearner, accuracy, base_to_novel, harmonic_mean
from maple_lite.datasets import open_dataset
from maple_lite.experiments import plan, run
from maple_lite.experiments.tasks import summarise
from maple_lite.learners import SEVEN


@pytest.fixture
def sea():
    return open_dataset("sea", resolution=32).subset(range(5))


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Presets with two epochs: the protocol is tested here, not the training."""
    whole = plan.preset

    def two_epochs(*arguments):
        learner_kwargs, fit_kwargs = whole(*arguments)
        return learner_kwargs, fit_kwargs and dict(fit_kwargs, epochs=2)

    monkeypatch.setattr(plan, "preset", two_epochs)


def test_there_is_a_row_per_method_dataset_seed_and_split(clip, sea):
    frame = base_to_novel(clip, [sea], SEVEN, seeds=[1, 2], shots=2)
    assert list(frame.columns) == ["method", "dataset", "seed", "shots", "split", "accuracy", "seconds"]
    assert len(frame) == 7 * 2 * 3
    cells = frame.pivot(index=["method", "seed"], columns="split", values="accuracy")
    assert set(cells.index.get_level_values("method")) == set(SEVEN)
    for cell in cells.itertuples():
        assert cell.hm == pytest.approx(harmonic_mean(cell.base, cell.novel))


def test_zero_shot_uses_the_datasets_template_and_both_halves(clip, sea):
    frame = base_to_novel(clip, [sea], ["zeroshot"], seeds=[1]).set_index("split").accuracy
    for split, half in {"base": [0, 1, 2], "novel": [3, 4]}.items():
        data = sea.subset(half)
        model = PromptedCLIP(clip, PromptLearner("a photo of a {}, a thing of the sea."), data.class_names)
        assert frame[split] == accuracy(model, data.test())


def test_a_cell_is_the_same_whatever_ran_before_and_other_seeds_differ(clip, sea):
    def losses(seed: int) -> dict[str, torch.Tensor]:
        settings = dict(shots=2, seed=seed)
        return run.train_learner(plan.make_plan("maple", sea, clip, **settings), bar=False).state_dict()

    first = losses(1)
    torch.randn(3)
    again, other = losses(1), losses(2)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["text.1"], other["text.1"])


def test_the_learner_trains_on_base_classes_alone(clip, sea, monkeypatch):
    seen = []
    monkeypatch.setattr(run, "fit", lambda model, data, **kwargs: seen.append((model.class_names, len(data), kwargs)))
    base_to_novel(clip, [sea], ["maple", "coop"], seeds=[5], shots=4)
    assert [(names, images) for names, images, _ in seen] == [(sea.class_names[:3], 12)] * 2
    assert [kwargs["cache_features"] for _, _, kwargs in seen] == [False, True]  # MaPLe prompts the image tower
    assert [kwargs["seed"] for _, _, kwargs in seen] == [5, 5]


def test_features_are_not_cached_where_pictures_change_from_epoch_to_epoch(clip, sea, monkeypatch):
    seen = []
    monkeypatch.setattr(run, "fit", lambda model, data, **kwargs: seen.append(kwargs["cache_features"]))
    for augmented in (False, True):
        monkeypatch.setattr(type(sea), "augmented", augmented)
        run.train_learner(plan.make_plan("coop", sea, clip, "few-shot", shots=2))
    assert seen == [True, False]


def test_an_unknown_method_is_refused_before_anything_is_trained(clip, sea, monkeypatch):
    trained = []
    monkeypatch.setattr(run, "fit", lambda *arguments, **options: trained.append(arguments))
    with pytest.raises(ValueError, match="unknown method 'mapel': did you mean 'maple'"):
        base_to_novel(clip, [sea], ["coop", "mapel"])
    assert not trained
    with pytest.raises(ValueError, match="nothing to run: name at least one dataset, method, seed and number"):
        base_to_novel(clip, [], "coop")
    with pytest.raises(ValueError, match=r"such as open_dataset\('sea'\), got 'sea'"):
        base_to_novel(clip, ["sea"], "coop")


def test_the_summary_is_mean_and_sample_deviation():
    rows = [("maple", "sea", seed, "base", value, 2.0) for seed, value in ((1, 80.0), (2, 90.0), (3, 100.0))]
    table = summarise(pd.DataFrame(rows, columns=["method", "dataset", "seed", "split", "accuracy", "seconds"]))
    assert table.to_dict("records") == [dict(dataset="sea", method="maple", base="90.0 ± 10.0", seconds=2.0)]
