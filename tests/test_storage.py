"""Learners and CLIPs on disk: round trips, and damaged, missing or foreign files."""

import json

import open_clip
import pytest
import torch
from safetensors.torch import save_file

from maple_lite import (
    METHODS,
    CoOp,
    FrozenCLIP,
    MaPLe,
    PromptedCLIP,
    learner_notes,
    load_clip,
    load_learner,
    save_learner,
    seeded,
)
from maple_lite.support.files import atomic_write, data_folder
from maple_lite.support.small import SMALL_TEXT, SMALL_VISION, small_open_clip

NAMES = ["cat", "dog"]


def make(clip, method: str):
    with seeded(1):
        return METHODS[method](templates=["a {}.", "the {}."]) if method == "zeroshot" else METHODS[method](clip)


@pytest.mark.parametrize("method", METHODS)
def test_a_learner_comes_back_and_takes_other_class_names(clip, images, tmp_path, method):
    learner, path = make(clip, method), tmp_path / "learner.safetensors"
    save_learner(learner, path)
    back = load_learner(path, clip)
    assert type(back) is type(learner)
    assert back.config == learner.config
    with torch.no_grad():
        for names in (NAMES, ["bird", "red car", "tree"]):
            assert torch.equal(PromptedCLIP(clip, back, names)(images), PromptedCLIP(clip, learner, names)(images))


def test_class_specific_contexts_come_back_for_as_many_classes(clip, tmp_path):
    path = tmp_path / "learner.safetensors"
    save_learner(CoOp(clip, n_ctx=3, n_classes=2, position="middle"), path)
    back = load_learner(path, clip)
    PromptedCLIP(clip, back, NAMES)
    with pytest.raises(ValueError, match="contexts of its own for 2 classes"):
        PromptedCLIP(clip, back, ["bird", "car", "tree"])


def test_files_are_small(clip, tmp_path):
    save_learner(MaPLe(clip, depth=3), tmp_path / "learner.safetensors")
    numbers = 3 * (2 * 48 + 48 * 64 + 64)
    assert (tmp_path / "learner.safetensors").stat().st_size < 4 * numbers + 2000


def test_your_own_learner_comes_back_as_your_own(clip, tmp_path):
    class MyMaPLe(MaPLe):
        pass

    path = tmp_path / "mine.safetensors"
    save_learner(MyMaPLe(clip), path)
    assert type(load_learner(path, clip, MyMaPLe)) is MyMaPLe
    with pytest.raises(ValueError, match=r"holds a learner of MyMaPLe, .*: pass that class"):
        load_learner(path, clip)


def test_a_learner_that_could_not_be_made_again_is_refused(clip, tmp_path):
    class Mine(MaPLe):
        def __init__(self, clip, extra):
            super().__init__(clip)

    with pytest.raises(ValueError, match=r"Mine could not be made again .*: set self.config"):
        save_learner(Mine(clip, object()), tmp_path / "mine.safetensors")
    with pytest.raises(ValueError, match=r"save_learner writes a learner, got PromptedCLIP: pass model.learner"):
        save_learner(PromptedCLIP(clip, MaPLe(clip), NAMES), tmp_path / "mine.safetensors")


def test_a_file_of_another_method_is_refused(clip, tmp_path):
    path = tmp_path / "learner.safetensors"
    save_learner(make(clip, "cocoop"), path)
    with pytest.raises(ValueError, match="holds a learner of CoCoOp, not of CoOp"):
        load_learner(path, clip, CoOp)


def test_a_file_of_another_clip_is_refused(clip, tmp_path):
    path = tmp_path / "learner.safetensors"
    save_learner(make(clip, "maple"), path)
    wider = FrozenCLIP(small_open_clip(layers=2))
    with pytest.raises(ValueError, match=r"belongs to a CLIP of .*'text_layers': 3.*this one has .*'text_layers': 2"):
        load_learner(path, wider)
    other = small_open_clip()
    torch.nn.init.normal_(other.visual.proj)
    with pytest.raises(ValueError, match="belongs to a CLIP of the same sizes with other weights"):
        load_learner(path, FrozenCLIP(other))


def test_what_is_no_class_and_no_file_is_refused(clip, tmp_path):
    with pytest.raises(ValueError, match="kind must be a class of learners such as MaPLe, got 'maple'"):
        load_learner(tmp_path / "learner.safetensors", clip, "maple")
    with pytest.raises(ValueError, match="is a folder: name a file in it"):
        save_learner(MaPLe(clip), tmp_path)


def test_missing_and_damaged_learners_are_refused(clip, tmp_path):
    path = tmp_path / "learner.safetensors"
    with pytest.raises(FileNotFoundError, match=r"no learner at .*learner.safetensors"):
        load_learner(path, clip)
    save_learner(make(clip, "maple"), path)
    content = path.read_bytes()
    for size in (0, 5, 200, len(content) - 4):
        path.write_bytes(content[:size])
        with pytest.raises(ValueError, match=r"the learner in .* is damaged"):
            load_learner(path, clip)
    save_file({"ctx": torch.zeros(2)}, path)
    with pytest.raises(ValueError, match="was not written by save_learner"):
        load_learner(path, clip)


@pytest.fixture
def folder(tmp_path):
    """A CLIP in open_clip's folder format."""
    model = small_open_clip()
    config = dict(embed_dim=32, quick_gelu=True, vision_cfg=SMALL_VISION, text_cfg=SMALL_TEXT)
    preprocess = dict(mean=[0.5, 0.5, 0.5], std=[0.25, 0.25, 0.25])
    folder = tmp_path / "model"
    folder.mkdir()
    content = json.dumps(dict(model_cfg=config, preprocess_cfg=preprocess))
    (folder / "open_clip_config.json").write_text(content)
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    return folder


def test_a_clip_comes_from_a_folder(clip, folder, images):
    loaded = load_clip(f"local-dir:{folder}", device="cpu")
    assert torch.equal(loaded.encode_image(images), clip.encode_image(images))
    assert loaded.fingerprint == clip.fingerprint
    assert tuple(loaded.preprocess.mean) == (0.5, 0.5, 0.5)
    assert loaded.preprocess.size == 32


def test_reading_weights_leaves_the_random_numbers_alone(folder, named):
    before = torch.get_rng_state()
    load_clip(f"local-dir:{folder}", device="cpu")
    load_clip("small-clip", named, device="cpu")
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("file", ["open_clip_config.json", "open_clip_model.safetensors"])
def test_a_missing_or_damaged_folder_is_refused(folder, file):
    content = (folder / file).read_bytes()
    (folder / file).write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"the CLIP in .*model is damaged"):
        load_clip(f"local-dir:{folder}", device="cpu")
    (folder / file).unlink()
    with pytest.raises(FileNotFoundError, match=f"no CLIP in .*model: {file} is missing"):
        load_clip(f"local-dir:{folder}", device="cpu")


def test_weights_of_another_model_are_refused(folder):
    other = small_open_clip(layers=2)
    save_file(other.state_dict(), folder / "open_clip_model.safetensors")
    with pytest.raises(ValueError, match="is damaged"):
        load_clip(f"local-dir:{folder}", device="cpu")


@pytest.fixture
def named(tmp_path, monkeypatch):
    """The small CLIP as an open_clip architecture "small-clip", with a checkpoint file beside it."""
    config = dict(embed_dim=32, quick_gelu=True, vision_cfg=SMALL_VISION, text_cfg=SMALL_TEXT)
    (tmp_path / "small-clip.json").write_text(json.dumps(config))
    monkeypatch.setattr(open_clip.factory, "_MODEL_CONFIG_PATHS", list(open_clip.factory._MODEL_CONFIG_PATHS))
    monkeypatch.setattr(open_clip.factory, "_MODEL_CONFIGS", dict(open_clip.factory._MODEL_CONFIGS))
    open_clip.add_model_config(tmp_path / "small-clip.json")
    torch.save(small_open_clip().state_dict(), tmp_path / "small.pt")
    return tmp_path / "small.pt"


def test_a_clip_comes_from_a_name_and_a_checkpoint_file(clip, named):
    assert load_clip("small-clip", str(named), device="cpu").fingerprint == clip.fingerprint
    named.write_bytes(named.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"could not load the weights .*small.pt' of small-clip"):
        load_clip("small-clip", str(named), device="cpu")


def test_random_weights_are_asked_for_by_name(clip, named, capfd):
    assert load_clip("small-clip", "random", device="cpu").shape == clip.shape
    assert capfd.readouterr().err == ""
    with pytest.raises(ValueError, match="say which weights of small-clip to load: pretrained='random', or a file"):
        load_clip("small-clip")


@pytest.mark.parametrize(
    "name, tag, message",
    [
        ("ViT-B16", "openai", "unknown model 'ViT-B16': did you mean 'ViT-B-16'"),
        ("ViT-B-16-quickgelu", "openia", "unknown weights of ViT-B-16-quickgelu 'openia': did you mean 'openai'"),
        ("ViT-B-16", "openai", "need another activation: load 'ViT-B-16-quickgelu' with them"),
        ("ViT-L-14", None, "say which weights of ViT-L-14 to load: pretrained='openai' or "),
        ("vit-b-16", "openai", "unknown model 'vit-b-16': did you mean 'ViT-B-16'"),
        ("tiny", "openai", "tiny brings its own weights: leave pretrained='openai' out"),
        ("models/mine", None, "looks like a path: load a folder that open_clip wrote as 'local-dir:models/mine'"),
        ("tinny", None, "unknown model 'tinny': did you mean 'tiny'"),
    ],
)
def test_unknown_and_mismatched_models_are_refused(name, tag, message):
    with pytest.raises(ValueError, match=message):
        load_clip(name, tag)


def test_a_device_that_is_not_there_is_refused(named):
    with pytest.raises(ValueError, match="the device 'vulkan' cannot be used here"):
        load_clip("small-clip", "random", device="vulkan")


def test_a_missing_weights_file_is_named():
    with pytest.raises(FileNotFoundError, match=r"no weights of ViT-B-32 at nowhere/weights.pt: correct the path"):
        load_clip("ViT-B-32", "nowhere/weights.pt")


def test_no_network_is_one_sentence(monkeypatch):
    def refuse(*args, **kwargs):
        raise RuntimeError("Failed to download weights for tag 'openai': connection refused")

    monkeypatch.setattr(open_clip, "create_model", refuse)
    with pytest.raises(
        ValueError, match=r"could not load the weights 'openai' of ViT-B-16-quickgelu: Failed to download"
    ):
        load_clip("ViT-B-16-quickgelu", "openai")


def test_the_data_folder_is_the_named_one_or_the_checkouts(tmp_path, monkeypatch):
    assert (data_folder() / "paper" / "presets.csv").is_file()
    monkeypatch.setenv("MAPLE_LITE_DATA", str(tmp_path))
    assert data_folder() == tmp_path
    with pytest.raises(FileNotFoundError, match=r"no CLIP in .*tiny-clip: open_clip_config.json is missing"):
        load_clip()
    monkeypatch.setenv("MAPLE_LITE_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match="which is no folder: correct or unset it"):
        data_folder()


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "new" / "file.txt"
    atomic_write(path, lambda file: file.write_text("first"))

    def fail(file):
        file.write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        atomic_write(path, fail)
    assert path.read_text() == "first"
    assert [file.name for file in path.parent.iterdir()] == ["file.txt"]


def test_notes_come_back_and_are_optional(clip, tmp_path):
    notes = {"dataset": "eurosat", "class_names": ["river", "forêt"], "shots": 16, "pretrained": None}
    save_learner(CoOp(clip), tmp_path / "with.safetensors", notes)
    save_learner(CoOp(clip), tmp_path / "without.safetensors")
    assert learner_notes(tmp_path / "with.safetensors") == notes | {"method": "CoOp"}
    assert learner_notes(tmp_path / "without.safetensors") == {"method": "CoOp"}
    assert isinstance(load_learner(tmp_path / "with.safetensors", clip), CoOp)
    with pytest.raises(FileNotFoundError, match="no learner at"):
        learner_notes(tmp_path / "none.safetensors")
