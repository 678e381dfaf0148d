"""A run of the protocol in one call: equal to its parts, beside the paper's row, resumable, in bounded memory."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from layouts import lay_out, picture
from torch.utils.data import TensorDataset

from maple_lite import (
    MaPLe,
    PromptedCLIP,
    PromptLearner,
    accuracy,
    base_and_novel,
    evaluate,
    few_shot,
    fit,
    load_clip,
    open_dataset,
    preset,
    seeded,
    train,
)
from maple_lite.analysis.cost import saved_bytes
from maple_lite.experiments.published import find_published
from maple_lite.support.seeds import derived_seed
from maple_lite.support.small import small_open_clip

SHORT = {"epochs": 1}
NAMES = ["cat", "dog", "red fox", "snow owl", "ox", "ant", "bee"]


@pytest.fixture(scope="module")
def tiny():
    return load_clip("tiny", device="cpu")


def test_a_run_is_the_sum_of_its_parts(tiny):
    """Base-to-novel written out with the package's plain functions gives the same numbers to the last bit."""
    data, (learner_kwargs, fit_kwargs) = open_dataset("plants", resolution=48), preset("maple", clip=tiny)
    base, novel = (data.subset(half) for half in base_and_novel(len(data.class_names)))
    with seeded(derived_seed(2)):
        learner = MaPLe(tiny, **learner_kwargs)
    fit(PromptedCLIP(tiny, learner, base.class_names), base.train(2, 2), **(fit_kwargs | SHORT), seed=2, bar=False)
    run = train("maple", data, tiny, shots=2, seed=2, fit_kwargs=SHORT, bar=False)
    by_hand = [accuracy(PromptedCLIP(tiny, learner, half.class_names), half.test()) for half in (base, novel)]
    assert run.results.accuracy.tolist()[:2] == by_hand
    assert run.results.columns.tolist() == ["method", "dataset", "seed", "shots", "split", "accuracy"]
    assert run.results.split.tolist() == ["base", "novel", "hm"]
    again = evaluate(run.learner, data, tiny)
    assert again.results.accuracy.tolist() == run.results.accuracy.tolist()
    assert again.results.method.unique().tolist() == ["maple"]


def test_few_shot_is_tested_on_all_classes_and_transfer_on_its_targets(tiny):
    data, target = open_dataset("plants", resolution=48), open_dataset("sea", resolution=48)
    assert train("zeroshot", data, tiny, "few-shot").results.split.tolist() == ["all"]
    run = train("zeroshot", data, tiny, "cross-dataset", targets=[target])
    expected = [
        accuracy(PromptedCLIP(tiny, PromptLearner(one.template), one.class_names), one) for one in (data, target)
    ]
    assert run.results.split.tolist() == ["plants", "sea"]
    assert run.results.accuracy.tolist() == expected
    named = train("zeroshot", data, tiny, "cross-dataset", targets={"the sky": target}).results
    assert named.split.tolist() == ["plants", "the sky"]


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(method="mapple"), "unknown method 'mapple': did you mean 'maple'"),
        (dict(task="base-to-new"), "unknown task 'base-to-new'"),
        (dict(targets=[open_dataset("sea")]), "base-to-novel is tested on its own dataset"),
        (dict(chunk=0), "chunk must be at least 1, got 0"),
        (dict(seed=-1), "seed must be at least 0, got -1"),
        (dict(precision="int8"), "precision must be 'fp32', 'bf16'"),
    ],
)
def test_what_cannot_be_run_is_a_sentence(options, message, tiny):
    data = open_dataset("plants", resolution=48)
    chosen = dict(method="maple", data=data, clip=tiny, shots=1, fit_kwargs=SHORT, bar=False) | options
    with pytest.raises(ValueError, match=message):
        train(**chosen)


def test_the_published_row_stands_beside_the_result(tmp_path, tiny):
    lay_out(tmp_path, "eurosat")
    data = open_dataset("eurosat", tmp_path, tiny)
    run = train("maple", data, tiny, shots=2, fit_kwargs=SHORT, bar=False)
    assert run.table.paper.tolist() == [94.07, 73.23, 82.35]
    assert run.table.split.tolist() == ["base", "novel", "hm"]
    assert train("vpt", data, tiny, shots=2, fit_kwargs=SHORT, bar=False).table.paper.isna().all()


def test_your_own_folder_has_no_published_row_whatever_it_is_called(tmp_path, tiny):
    for label, name in enumerate(("cat", "dog")):
        for i in range(4):
            picture(tmp_path / "eurosat" / name / f"{i}.png", label)
    run = train("maple", open_dataset(tmp_path / "eurosat", clip=tiny), tiny, shots=1, fit_kwargs=SHORT, bar=False)
    assert run.published.empty
    assert run.table.accuracy.notna().all()


def test_published_rows_are_those_of_the_papers():
    assert find_published("zeroshot", "DTD", "base-to-novel").accuracy.tolist() == [53.24, 59.9, 56.37]
    transfer = find_published("maple", "imagenet", "cross-dataset").set_index("split").accuracy
    assert transfer["eurosat"] == 48.06
    assert len(transfer) == 11
    domains = find_published("coop", "imagenet", "domain-generalisation").set_index("split").accuracy
    assert domains["imagenet_a"] == 49.71
    for nothing in (
        ("vpt", "dtd", "base-to-novel"),
        ("maple", "dtd", "cross-dataset"),
        ("maple", "sea", "few-shot"),
    ):
        assert find_published(*nothing).empty


def test_a_run_goes_on_from_its_checkpoint_and_refuses_another_sample(tiny, tmp_path):
    file, data = tmp_path / "run.pt", open_dataset("plants", resolution=48)
    whole = train("coop", data, tiny, shots=2, fit_kwargs={"epochs": 3}, bar=False)
    stopped = StopsAfter(data, epochs=2)
    with pytest.raises(KeyboardInterrupt):
        train(
            "coop",
            stopped,
            tiny,
            shots=2,
            fit_kwargs={"epochs": 3, "cache_features": False},
            checkpoint=file,
            bar=False,
        )
    resumed = train(
        "coop", data, tiny, shots=2, fit_kwargs={"epochs": 3, "cache_features": False}, checkpoint=file, bar=False
    )
    plain = train("coop", data, tiny, shots=2, fit_kwargs={"epochs": 3, "cache_features": False}, bar=False)
    assert torch.equal(resumed.learner.ctx, plain.learner.ctx)
    torch.testing.assert_close(whole.learner.ctx, plain.learner.ctx, atol=1e-5, rtol=0)  # features in batches of 100
    model = PromptedCLIP(tiny, resumed.learner, data.class_names[:3])
    settings = dict(epochs=3, lr=0.002, batch_size=32, bar=False, checkpoint=tmp_path / "other.pt")
    base = data.subset([0, 1, 2])
    fit(model, base.train(2, 1), **settings)
    with pytest.raises(ValueError, match="belongs to another run: its sample is"):
        fit(model, base.train(2, 2), **settings)


class StopsAfter:
    """A dataset whose training pictures are interrupted after some epochs."""

    def __init__(self, data, epochs):
        self.data, self.epochs = data, epochs

    def __getattr__(self, name):
        return getattr(self.data, name)

    def subset(self, class_ids):
        return StopsAfter(self.data.subset(class_ids), self.epochs)

    def train(self, shots, seed):
        return Interrupted(self.data.train(shots, seed), self.epochs)


class Interrupted:
    """A sample that raises KeyboardInterrupt once it was read so many times over."""

    def __init__(self, inner, epochs):
        self.inner, self.left = inner, epochs * len(inner)

    def __getattr__(self, name):
        if name == "__getitems__":  # of whole batches: items one by one will do
            raise AttributeError(name)
        return getattr(self.inner, name)

    def __len__(self):
        return len(self.inner)

    def __getitem__(self, index):
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return self.inner[index]


@pytest.mark.parametrize("method", ["MaPLe", "CoCoOp", "CoOp"])
def test_chunks_change_no_gradient(clip, images, method):
    """Computing chunks again in the backward pass gives the gradients of the whole, up to the order of sums."""
    import maple_lite

    with seeded(1):
        learner = getattr(maple_lite, method)(clip)
    gradients = []
    for chunk in (None, 3):
        learner.zero_grad()
        F.cross_entropy(PromptedCLIP(clip, learner, NAMES, chunk)(images), torch.tensor([0, 1, 2, 3, 4])).backward()
        gradients.append([weight.grad.clone() for weight in learner.parameters()])
    for whole, parts in zip(*gradients, strict=True):
        assert (parts - whole).norm() <= 1e-5 * whole.norm()  # float32, sums of seven classes in another order


def test_chunks_bound_what_is_kept_for_the_backward_pass(clip, images):
    """Twice the classes keep twice as much at once, and with chunks only the pictures and a little more."""

    def kept(classes, chunk):
        with seeded(1):
            model = PromptedCLIP(clip, MaPLe(clip), (NAMES * 40)[:classes], chunk)
        return saved_bytes(lambda: F.cross_entropy(model(images), torch.arange(5)), model.parameters())

    pictures = kept(7, None)
    assert kept(280, None) > 1.9 * kept(140, None) - pictures
    assert kept(280, 20) < 0.2 * kept(280, None)


def test_chunked_evaluation_gives_the_same_answers(tiny):
    data = open_dataset("sea", resolution=48)
    runs = [train("zeroshot", data, tiny, "few-shot", chunk=chunk).results.accuracy[0] for chunk in (None, 5)]
    assert runs[0] == runs[1]


def out_of_memory(*_, **__):
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has ...")


def no_cpu_memory(*_, **__):
    raise RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried ...")


@pytest.mark.parametrize("failure", [out_of_memory, no_cpu_memory])
def test_out_of_memory_says_which_chunk_and_batch_to_try(clip, images, failure, monkeypatch, tmp_path):
    data, settings = TensorDataset(images, torch.arange(5)), dict(epochs=3, lr=0.01, batch_size=4, bar=False)
    model = PromptedCLIP(clip, MaPLe(clip), NAMES, chunk=6)
    file = tmp_path / "run.pt"
    fit(model, data, **settings, checkpoint=file)
    before = file.read_bytes()
    monkeypatch.setattr(model, "forward", failure)
    sentence = (
        r"out of memory on cpu with 4 images and 7 classes at a time: try chunk=3 \(--chunk 3\), which changes no "
        r"result or a batch size of 2 or precision='bf16'\."
    )
    with pytest.raises(torch.OutOfMemoryError, match=sentence):
        fit(model, data, **settings)
    assert file.read_bytes() == before
    monkeypatch.setattr(clip, "encode_image", failure)
    with pytest.raises(torch.OutOfMemoryError, match="with 100 images and 7 classes"):
        accuracy(model, data)


def test_other_errors_of_torch_pass_as_they_are(clip, images, monkeypatch):
    model = PromptedCLIP(clip, MaPLe(clip), NAMES)
    monkeypatch.setattr(model, "forward", lambda images: torch.zeros(2) @ torch.zeros(3))
    with pytest.raises(RuntimeError, match="size"):
        fit(model, TensorDataset(images, torch.arange(5)), epochs=1, lr=0.01, batch_size=4, bar=False)


def test_the_sample_of_a_run_is_the_authors(tmp_path, tiny):
    """What `train` trains on are the pictures that few_shot draws from the whole list, cut to the base classes."""
    _, lists = lay_out(tmp_path, "eurosat")
    data = open_dataset("eurosat", tmp_path, tiny)
    drawn_first = [lists["train"][i] for i in few_shot([label for _, label in lists["train"]], 2, 1)]
    base, _ = base_and_novel(len(data.class_names))
    expected = [path for path, label in drawn_first if label in base]
    assert [item.path for item in data.subset(base).train(2, 1).items] == expected
    assert np.unique(data.subset(base).train(2, 1).labels).tolist() == base


def test_small_clips_of_other_widths_run_whole(tmp_path):
    """No width is hard-coded: a run on a random CLIP of other sizes."""
    from maple_lite import FrozenCLIP

    clip = FrozenCLIP(small_open_clip())
    lay_out(tmp_path, "dtd")
    run = train("maple", open_dataset("dtd", tmp_path, clip), clip, shots=1, fit_kwargs=SHORT, bar=False)
    assert run.learner.clip_shape == clip.shape
