"""Naming pictures from files: probabilities, order, and every kind of file that is no picture."""

import pytest
import torch
from PIL import Image

from maple_lite import CoCoOp, MaPLe, PromptedCLIP, PromptLearner, load_clip, name_pictures, seeded
from maple_lite.datasets import open_dataset

NAMES = ["cat", "dog", "red fox"]


@pytest.fixture
def files(tmp_path):
    """Three pictures of different shapes and kinds."""
    generator = torch.Generator().manual_seed(3)
    for i, (mode, size) in enumerate((("RGB", (40, 32)), ("L", (32, 50)), ("RGBA", (64, 64)))):
        pixels = torch.randint(0, 255, (size[1], size[0], 4), dtype=torch.uint8, generator=generator).numpy()
        Image.fromarray(pixels, "RGBA").convert(mode).save(tmp_path / f"{i}.png")
    return [tmp_path / f"{i}.png" for i in range(3)]


@pytest.mark.parametrize("kind", [MaPLe, CoCoOp])
@pytest.mark.parametrize("batch_size", [1, 2, 32])
def test_probabilities_are_the_softmax_of_the_model(clip, files, kind, batch_size):
    with seeded(1):
        model = PromptedCLIP(clip, kind(clip), NAMES)
    table = name_pictures(model, files, top=3, batch_size=batch_size)
    images = torch.stack([clip.transform()(Image.open(file).convert("RGB")) for file in files])
    expected = 100 * model(images).softmax(dim=-1).detach()
    for row, file in zip(expected, files, strict=True):
        own = table[table.path == str(file)]
        assert own["rank"].tolist() == [1, 2, 3]
        assert own.probability.is_monotonic_decreasing
        found = own.set_index("class_name").probability.reindex(NAMES).to_numpy()
        torch.testing.assert_close(torch.tensor(found).float(), row, atol=1e-3, rtol=0)
        assert own.probability.sum() == pytest.approx(100, abs=1e-3)


def test_top_shows_no_more_than_there_are(clip, files):
    model = PromptedCLIP(clip, PromptLearner(), NAMES)
    assert len(name_pictures(model, files, top=99)) == 9
    first = name_pictures(model, files[0], top=1)
    assert first.path.tolist() == [str(files[0])]


def test_the_tiny_clip_names_a_drawn_file_rightly(tmp_path):
    clip, data = load_clip("tiny", device="cpu"), open_dataset("sea", resolution=48, look="clean")
    for label in range(3):
        picture = data.pictures(torch.tensor([label]), torch.tensor([0]))[0]
        Image.fromarray((255 * picture.permute(1, 2, 0)).byte().numpy()).save(tmp_path / f"{label}.png")
    model = PromptedCLIP(clip, PromptLearner(data.template), data.class_names)
    best = name_pictures(model, [tmp_path / f"{label}.png" for label in range(3)], top=1)
    assert best.class_name.tolist() == data.class_names[:3]


def test_pictures_are_turned_as_the_camera_says(clip, files, tmp_path):
    model = PromptedCLIP(clip, PromptLearner(), NAMES)
    picture = Image.open(files[0])
    exif = picture.getexif()
    exif[0x0112] = 3  # upside down
    picture.rotate(180).save(tmp_path / "turned.png", exif=exif)
    upright, turned = (name_pictures(model, file).probability.tolist() for file in (files[0], tmp_path / "turned.png"))
    assert turned == pytest.approx(upright, abs=1e-4)


def test_files_that_hold_no_picture_are_counted_and_left_out_only_if_asked(clip, files, tmp_path):
    model = PromptedCLIP(clip, PromptLearner(), NAMES)
    broken, text = tmp_path / "broken.png", tmp_path / "notes.txt"
    broken.write_bytes(files[0].read_bytes()[:60])
    text.write_text("not a picture")
    mixed = [files[0], broken, files[1], text]
    with pytest.raises(ValueError, match=r"2 of 4 files hold no picture, the first is .*broken.png: .*--skip-damaged"):
        name_pictures(model, mixed)
    table = name_pictures(model, mixed, skip_damaged=True)
    assert table.path.unique().tolist() == [str(files[0]), str(files[1])]
    assert table.attrs["damaged"] == [str(broken), str(text)]
    with pytest.raises(ValueError, match="1 of 1 files hold no picture"):
        name_pictures(model, [text], skip_damaged=True)


def test_what_is_no_list_of_files_is_a_sentence(clip, files, tmp_path):
    model = PromptedCLIP(clip, PromptLearner(), NAMES)
    with pytest.raises(ValueError, match="no picture to name"):
        name_pictures(model, [])
    with pytest.raises(ValueError, match=r"is a folder: name the pictures in it, such as .*\*\.jpg"):
        name_pictures(model, [tmp_path])
    with pytest.raises(FileNotFoundError, match=r"no picture at .*missing.png: correct the path"):
        name_pictures(model, [files[0], tmp_path / "missing.png"])
    with pytest.raises(ValueError, match="top must be at least 1"):
        name_pictures(model, files, top=0)
