"""`maple-lite train`, `evaluate` and `predict` as a researcher types them, on small files laid out as the real ones."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from layouts import lay_out, picture
from PIL import Image
from test_fetch import hub, use_as_hub  # noqa: F401 (a fixture)

from maple_lite import MaPLe, learner_notes, load_clip, load_learner, open_dataset, save_learner, seeded
from maple_lite.cli import main as cli
from maple_lite.storage.official import save_official

SHORT = ("--epochs", "1", "--shots", "1")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """An empty folder to work in, on the CPU."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MAPLE_LITE_DATASETS", raising=False)
    return tmp_path


def run(*words, status=0):
    assert cli.main([str(word) for word in words]) == status


def said(capsys):
    """What was printed, without the progress bar."""
    return capsys.readouterr().out


def trained(*options, method="maple", dataset="sea"):
    run("train", "--method", method, "--dataset", dataset, *SHORT, "--device", "cpu", *options)


def test_train_prints_the_published_row_and_keeps_prompts_and_results(here, capsys):
    lay_out(here / "datasets", "eurosat")
    trained(dataset="EuroSAT")
    out = said(capsys)
    name = "prompts/EuroSAT-maple-base-to-novel-1shots-seed1"
    assert "maple on eurosat: base-to-novel, 1 shots, seed 1, fp32 on CPU" in out
    assert "but for epochs" in out
    assert [line.split()[-1] for line in out.splitlines() if line.split()[:1] in (["base"], ["novel"], ["hm"])] == [
        "94.07",
        "73.23",
        "82.35",
    ]
    assert sorted(path.name for path in (here / "prompts").iterdir()) == [f"{name[8:]}.csv", f"{name[8:]}.safetensors"]
    rows = pd.read_csv(here / f"{name}.csv")
    assert rows.split.tolist() == ["base", "novel", "hm"]
    assert set(rows.columns) >= {"method", "dataset", "seed", "shots", "task", "model", "precision", "torch", "seconds"}
    notes = learner_notes(here / f"{name}.safetensors")
    assert notes["class_names"] == ["Annual Crop Land", "Forest", "Sea or Lake"]
    assert (notes["dataset"], notes["model"], notes["method"]) == ("eurosat", "tiny", "MaPLe")


def test_evaluate_prints_what_train_printed(here, capsys):
    trained("--output", "one.safetensors")
    first = said(capsys).splitlines()
    run("evaluate", "one.safetensors", "--device", "cpu")
    again = said(capsys).splitlines()
    assert again[0] == "MaPLe on sea, base-to-novel, fp32 on CPU"
    assert again[1:5] == first[3:7]
    run("evaluate", "one.safetensors", "--dataset", "plants", "--task", "few-shot", "--device", "cpu")
    assert "MaPLe on plants, few-shot" in said(capsys)
    run("evaluate", "one.safetensors", "--device", "cpu", "--details")
    details = said(capsys).splitlines()
    assert details[1].split() == ["split", "accuracy", "calibration", "error", "precision", "recall"]
    base, novel = (line.split() for line in details[2:4])
    assert base[:2] == first[4].split()
    assert novel[:2] == first[5].split()
    assert base[1] == base[-1]  # every class has as many test pictures: accuracy is macro recall
    assert "asked with the names of base and novel classes at once: base" in details[-1]


@pytest.mark.parametrize("method", ["zeroshot", "coop", "cocoop", "vpt", "language", "ivlp"])
def test_every_method_trains_and_is_read_back(here, capsys, method):
    for label, name in enumerate(("cat", "dog")):
        for i in range(3):
            picture(here / "pets" / name / f"{i}.png", label)
    trained("--output", "own.safetensors", dataset="./pets", method=method)
    assert "paper" not in said(capsys)
    run("predict", "own.safetensors", "pets/cat/0.png", "pets/dog/1.png", "--device", "cpu")
    lines = said(capsys).splitlines()
    assert len(lines) == 1 + 2 * 2
    assert lines[1].split()[:2] == ["pets/cat/0.png", "1"]
    run("evaluate", "own.safetensors", "--device", "cpu", status=2)
    assert "own.safetensors does not say on which dataset to test: name one with --dataset" in capsys.readouterr().err


def test_without_augmentation_training_sees_what_a_test_sees(here, capsys):
    for name in ("cat", "dog"):
        for i in range(3):
            (here / "pets" / name).mkdir(parents=True, exist_ok=True)
            Image.linear_gradient("L").resize((40 + i, 30)).save(here / "pets" / name / f"{i}.png")
    whole, cut = (open_dataset("./pets", augment=augment).train(2, 1) for augment in (False, True))
    assert whole.paths == cut.paths
    assert torch.equal(whole.batch(range(4))[0], replace(cut, augmented=False).batch(range(4))[0])
    assert not torch.equal(cut.batch(range(4))[0], cut.batch(range(4))[0])
    trained("--no-augment", "--output", "whole.safetensors", dataset="./pets")
    assert "training pictures: as they are, neither cut nor mirrored at random" in said(capsys)
    assert learner_notes("whole.safetensors")["augment"] is False


def test_your_own_csv_trains(here, capsys):
    rows = ["path,class"]
    for label, name in enumerate(("cat", "dog")):
        for i in range(3):
            picture(here / "pictures" / f"{name}{i}.png", label)
            rows.append(f"pictures/{name}{i}.png,{name}")
    (here / "pets.csv").write_text("\n".join(rows))
    trained(dataset="pets.csv")
    assert (here / "prompts/pets-maple-base-to-novel-1shots-seed1.safetensors").is_file()
    (here / "wrong.csv").write_text("file,class\na.png,cat\n")
    run("train", "--method", "maple", "--dataset", "wrong.csv", status=2)
    assert "path" in capsys.readouterr().err


def test_predict_takes_any_list_of_classes(here, capsys):
    picture(here / "a.png")
    trained("--output", "one.safetensors")
    said(capsys)
    words = ("predict", "one.safetensors", "a.png", "--classes", "snow man", "umbrella", "--top", "1", "--csv", "a.csv")
    run(*words, "--device", "cpu")
    table = pd.read_csv(here / "a.csv")
    assert table.class_name.isin(["snow man", "umbrella"]).all()
    assert len(table) == 1
    assert table.probability[0] >= 50


def test_an_authors_checkpoint_is_evaluated_and_predicts(here, capsys):
    clip = load_clip("tiny", device="cpu")
    with seeded(3):
        learner = MaPLe(clip)
    save_official(learner, here / "model.pth.tar-5", epoch=5)
    save_learner(learner, here / "ours.safetensors")
    for file in ("model.pth.tar-5", "ours.safetensors"):
        run("evaluate", file, "--dataset", "sea", "--device", "cpu")
    theirs, ours = said(capsys).split("MaPLe on sea")[1:]
    assert theirs == ours
    picture(here / "a.png")
    run("predict", "model.pth.tar-5", "a.png", "--classes", "cat", "dog", "--device", "cpu")
    assert "cat" in said(capsys)
    run("predict", "model.pth.tar-5", "a.png", "--device", "cpu", status=2)
    assert "name them with --classes" in capsys.readouterr().err


def test_transfer_is_tested_on_the_targets_that_are_there(here, capsys):
    for name in ("imagenet", "eurosat", "imagenet_a"):
        lay_out(here / "datasets", name)
    trained("--task", "cross-dataset", dataset="imagenet", method="coop")
    out = said(capsys)
    assert "left out, because they are not there (name them with --targets to fetch them): caltech101" in out
    assert [line.split()[0] for line in out.splitlines()[-5:-2]] == ["split", "imagenet", "eurosat"]
    trained("--task", "domain-generalisation", "--output", "a.safetensors", dataset="imagenet", method="coop")
    rows = pd.read_csv(here / "a.csv")
    assert rows.split.tolist() == ["imagenet", "imagenet_a"]
    named = ("--targets", "sea", "plants", "--output", "o.safetensors")
    trained("--task", "cross-dataset", *named, dataset="fruits", method="zeroshot")
    assert pd.read_csv(here / "o.csv").split.tolist() == ["fruits", "sea", "plants"]


def test_what_is_missing_is_fetched_first(hub, here, monkeypatch, capsys):  # noqa: F811
    use_as_hub(monkeypatch, hub.endpoint)
    run("train", "--method", "zeroshot", "--dataset", "eurosat", "--root", "data", "--device", "cpu", status=2)
    seen = capsys.readouterr()
    assert seen.out.splitlines()[0] == "eurosat: 18 kB on the mirror"
    assert (here / "data/eurosat/split_zhou_EuroSAT.json").is_file()
    use_as_hub(monkeypatch, "http://127.0.0.1:9")
    run("train", "--method", "zeroshot", "--dataset", "dtd", "--root", "data", status=2)
    assert "nothing was fetched: the hub at http://127.0.0.1:9 does not answer" in capsys.readouterr().err


def test_a_folder_wins_over_a_drawn_dataset_of_its_name_and_a_path_is_never_fetched(here, capsys):
    for name in ("sea", "eurosat"):
        for i in range(4):
            picture(here / name / ("cat", "dog")[i % 2] / f"{i}.png", i % 2)
    trained(dataset="sea", method="zeroshot")
    trained("--output", "own.safetensors", dataset="./eurosat", method="zeroshot")
    assert "on the mirror" not in said(capsys)
    for file in ("prompts/sea-zeroshot-base-to-novel-1shots-seed1.safetensors", "own.safetensors"):
        assert learner_notes(here / file)["class_names"] == ["cat", "dog"]


def test_nothing_that_is_there_is_written_over(here, capsys):
    trained("--output", "one.safetensors")
    before = (here / "one.safetensors").read_bytes()
    for taken in ("one.safetensors", "two.safetensors"):
        (here / "two.csv").write_text("mine")
        run("train", "--method", "coop", "--dataset", "sea", "--output", taken, status=2)
        assert "is there already: name another --output, or remove it" in capsys.readouterr().err
    assert (here / "one.safetensors").read_bytes() == before
    assert (here / "two.csv").read_text() == "mine"


def test_a_full_disk_or_a_stop_loses_no_epoch(here, capsys, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    def stop(*_, **__):
        raise KeyboardInterrupt

    words = ("train", "--method", "coop", "--dataset", "plants", *SHORT, "--device", "cpu", "--output", "a.safetensors")
    with monkeypatch.context() as patched:
        patched.setattr("maple_lite.cli.train.save_learner", full)
        run(*words, status=2)
    assert "No space left on device" in capsys.readouterr().err
    assert (here / "a.checkpoint").exists()
    with monkeypatch.context() as patched:
        patched.setattr("maple_lite.experiments.run.accuracy", stop)
        run(*words, status=2)
    assert "stopped: the epochs that were finished are kept, the same command goes on" in capsys.readouterr().err
    monkeypatch.setattr("maple_lite.learners.PromptLearner.loss", full)  # nothing is trained again
    run(*words)
    assert (here / "a.safetensors").exists()
    assert not (here / "a.checkpoint").exists()


@pytest.mark.parametrize(
    "words, message",
    [
        (("train", "--method", "mapple", "--dataset", "sea"), "unknown method 'mapple': did you mean 'maple'"),
        (("train", "--method", "maple", "--dataset", "seaa"), "unknown dataset 'seaa'"),
        (("train", "--method", "maple", "--dataset", "./nowhere"), "is neither a folder nor a CSV"),
        (("train", "--method", "maple", "--dataset", "sea", "--task", "novel"), "unknown task 'novel'"),
        (("train", "--method", "maple", "--dataset", "sea", "--model", "ViT-B16"), "unknown model 'ViT-B16'"),
        (
            ("train", "--method", "maple", "--dataset", "sea", "--model", "ViT-B-16", "--pretrained", "openai"),
            "QuickGELU|activation",
        ),
        (("train", "--method", "maple", "--dataset", "sea", "--depth", "9"), "depth must be 1 to"),
        (
            ("train", "--method", "maple", "--dataset", "sea", "--output", "a.pt"),
            "--output must end in .safetensors",
        ),
        (("train", "--method", "maple", "--dataset", "sea", "--targets", "plants"), "is tested on its own dataset"),
        (
            ("train", "--method", "maple", "--dataset", "sea", "--precision", "fp16", "--device", "cpu"),
            "precision must be",
        ),
        (("train", "--method", "maple", "--dataset", "sea", "--device", "tpu"), "the device 'tpu' cannot be used"),
        (("evaluate", "nothing.safetensors"), "no learner at nothing.safetensors"),
        (("predict", "nothing.pth.tar-5", "a.png", "--classes", "cat"), "nothing.pth.tar-5"),
    ],
)
def test_mistakes_are_one_sentence(words, message, capsys):
    import re

    run(*words, status=2)
    err = [line for line in capsys.readouterr().err.splitlines() if line.startswith("maple-lite: ")]
    assert len(err) == 1
    assert re.search(message, err[0]), err[0]


def test_a_picture_that_is_damaged_stops_a_run_unless_told_to_go_on(here, capsys):
    for label, name in enumerate(("cat", "dog")):
        for i in range(4):
            picture(here / "pets" / name / f"{i}.png", label)
    for i in (1, 2):  # two of four, three of which are tested
        (here / "pets" / "dog" / f"{i}.png").write_bytes(b"no picture")
    run("train", "--method", "zeroshot", "--dataset", "./pets", "--test-share", "0.7", "--device", "cpu", status=2)
    assert "pictures of pets are damaged" in capsys.readouterr().err
    options = ("--dataset", "./pets", "--test-share", "0.7", "--device", "cpu", "--skip-damaged")
    run("train", "--method", "zeroshot", *options)
    assert "novel" in said(capsys)


def test_a_killed_run_goes_on_and_ends_with_the_same_prompts(here):
    """SIGKILL in the middle of training; the same command then finishes, with the prompts of an undisturbed run."""
    options = ["--method", "maple", "--dataset", "plants", "--shots", "4", "--epochs", "6", "--device", "cpu"]
    command = [sys.executable, "-m", "maple_lite.cli.main", "train", *options]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([*command, "--output", "whole.safetensors"], check=True, env=env, capture_output=True)
    process = subprocess.Popen([*command, "--output", "cut.safetensors"], env=env, stderr=subprocess.DEVNULL)
    checkpoint = here / "cut.checkpoint"
    deadline = time.monotonic() + 120
    while not checkpoint.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert checkpoint.exists()
    assert not (here / "cut.safetensors").exists()
    subprocess.run([*command, "--output", "cut.safetensors"], check=True, env=env, capture_output=True)
    assert not checkpoint.exists()
    clip = load_clip("tiny", device="cpu")
    whole, cut = (load_learner(here / f"{name}.safetensors", clip).state_dict() for name in ("whole", "cut"))
    assert all(torch.equal(whole[name], cut[name]) for name in whole)


def test_the_five_lines_of_the_researchers_page_run(here, monkeypatch):
    """The researcher's lines, with the tiny CLIP in the place of the one that cannot be fetched here."""
    page = (Path(__file__).parent.parent / "docs" / "researchers.md").read_text(encoding="utf-8")
    lines = page.split("```python")[1].split("```")[0]
    lay_out(here / "datasets", "eurosat")
    picture(here / "holiday.jpg")
    lines = lines.replace('load_clip("ViT-B-16-quickgelu", "openai")', 'load_clip("tiny", device="cpu")')
    lines = lines.replace("seed=1", 'seed=1, shots=1, fit_kwargs={"epochs": 1}')
    scope: dict = {}
    exec(lines, scope)
    assert scope["run"].table.paper.tolist() == [94.07, 73.23, 82.35]
    assert isinstance(open_dataset("eurosat", "datasets").class_names, list)


def test_what_is_said_of_an_average_outside_the_run_can_be_done(here, capsys):
    short = ("--shots", "1", "--epochs", "2", "--device", "cpu")
    words = ("train", "--method", "promptsrc", "--dataset", "plants", *short)
    run(*words, "--output", "a.safetensors", status=2)
    assert "choose a mean between them, or more epochs" in capsys.readouterr().err
    run(*words, "--mean", "1.5", "--output", "a.safetensors")
    assert (here / "a.safetensors").is_file()
