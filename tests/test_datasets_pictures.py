"""Pictures from files: RGB whatever they were, torchvision's crops, the CLIP's own test crop, threads."""

import warnings

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms

from maple_lite import seeded
from maple_lite.datasets import DamagedPicture
from maple_lite.datasets.photos.listing import Item, Listing
from maple_lite.datasets.photos.photos import Photos
from maple_lite.datasets.photos.pictures import is_readable, make_preparation, picture_size, read_picture

RED, BLUE = (200, 30, 40), (20, 60, 180)


def noise(size=(40, 28), seed=0):
    """An RGB picture of noise."""
    width, height = size
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def photos(folder, clip, count=6):
    """A dataset of noise of several sizes."""
    for i in range(count):
        noise((20 + 7 * i, 40 - 5 * i), i).save(folder / f"{i}.png")
    items = tuple(Item(f"{i}.png", i % 2) for i in range(count))
    listing = Listing("noise", folder, "{}", ("even", "odd"), {"test": list(items), "train": list(items)})
    return Photos(listing, make_preparation(clip.preprocess), (0, 1), items)


def two_colours(mode):
    """A picture [8, 8] of this mode, red above blue, and what its halves are in RGB."""
    picture = Image.new("RGB", (8, 8), RED)
    picture.paste(BLUE, (0, 4, 8, 8))
    if mode == "P with bytes":
        indexed = picture.quantize(4)
        indexed.info["transparency"] = bytes([0, 128, 255, 255])
        return indexed
    if mode == "RGBA":
        picture.putalpha(7)
        return picture
    return picture.quantize(4) if mode == "P" else picture.convert(mode)


@pytest.mark.parametrize(
    "mode, ending",
    [("RGB", "png"), ("P", "png"), ("P", "gif"), ("P with bytes", "png"), ("RGBA", "png"), ("CMYK", "tiff")],
)
def test_every_kind_of_colour_picture_becomes_the_same_rgb(tmp_path, mode, ending):
    path = tmp_path / f"picture.{ending}"
    two_colours(mode).save(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        picture = read_picture(path)
    assert picture.mode == "RGB"
    assert np.abs(np.array(picture)[0, 0] - np.array(RED, dtype=int)).max() <= 2  # palettes are rounded
    assert np.abs(np.array(picture)[7, 7] - np.array(BLUE, dtype=int)).max() <= 2


@pytest.mark.parametrize("mode", ["L", "1", "LA"])
def test_greys_become_three_equal_channels(tmp_path, mode):
    noise().convert(mode).save(tmp_path / "grey.png")
    pixels = np.array(read_picture(tmp_path / "grey.png"))
    assert pixels.shape == (28, 40, 3)
    assert (pixels == pixels[..., :1]).all()


def test_sixteen_bit_greys_keep_their_range(tmp_path):
    values = np.arange(0, 65536, 1024, dtype=np.uint16).reshape(8, 8)
    Image.fromarray(values).save(tmp_path / "deep.png")
    assert (np.array(read_picture(tmp_path / "deep.png"))[..., 0] == values // 256).all()
    Image.fromarray(values.astype(np.float32)).save(tmp_path / "float.tiff")
    with pytest.raises(DamagedPicture, match="have no known range"):
        read_picture(tmp_path / "float.tiff")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_upright_turns_as_the_camera_says_and_plain_does_not(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    noise().save(tmp_path / "phone.jpg", exif=exif)
    for upright in (False, True):
        picture = read_picture(tmp_path / "phone.jpg", upright)
        assert picture_size(tmp_path / "phone.jpg", upright) == (picture.height, picture.width)
    assert (picture.height > picture.width) == (orientation >= 5)


@pytest.mark.parametrize("ending", ["jpg", "png", "gif", "bmp", "tiff", "webp"])
def test_half_a_file_is_damaged_and_names_itself(tmp_path, ending):
    path = tmp_path / f"half.{ending}"
    noise((60, 60)).save(path)
    assert is_readable(path)
    whole = path.read_bytes()
    for share in (0, 0.02, 0.5):
        path.write_bytes(whole[: int(share * len(whole))])
        assert not is_readable(path)
        with pytest.raises(DamagedPicture, match=r"half\.\w+ cannot be read as a picture"):
            read_picture(path)


def test_what_the_system_refuses_is_not_called_damaged(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone\.jpg"):
        is_readable(tmp_path / "gone.jpg")


def test_training_crops_are_torchvisions_with_the_same_draws(tmp_path, clip):
    data = photos(tmp_path, clip)
    mean, std = clip.preprocess.mean, clip.preprocess.std
    theirs = transforms.Compose(
        [
            transforms.RandomResizedCrop(
                (32, 32), scale=(0.08, 1.0), interpolation=transforms.InterpolationMode.BICUBIC
            ),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(mean, std),
        ]
    )
    train = data.train(3, 1)
    with seeded(5):
        expected = torch.stack([theirs(read_picture(path)) for path in train.paths])
    with seeded(5):
        ours, _ = train.batch(range(6))
    assert torch.equal(ours, expected)


def test_test_crops_are_the_clips_own(tmp_path, clip):
    data = photos(tmp_path, clip)
    state = torch.get_rng_state()
    expected = torch.stack([clip.transform()(read_picture(path)) for path in data.paths])
    assert torch.equal(data.batch(range(6))[0], expected)
    assert torch.equal(torch.get_rng_state(), state)


def test_threads_and_batches_change_nothing(tmp_path, clip, monkeypatch):
    train = photos(tmp_path, clip).train(3, 1)
    images = {}
    for threads in (1, 4):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        with seeded(7):
            images[threads] = train.batch(range(6))[0]
    with seeded(7):
        one_by_one = torch.stack([train[i][0] for i in range(6)])
    assert torch.equal(images[1], images[4])
    assert torch.equal(images[1], one_by_one)
    with seeded(8):
        assert not torch.equal(train.batch(range(6))[0], images[1])


def test_places_outside_are_refused_and_iteration_ends(tmp_path, clip):
    data = photos(tmp_path, clip)
    for place in (-1, 6):
        with pytest.raises(IndexError, match="noise holds items 0 to 5"):
            data[place]
    assert [label for _, label in data] == [0, 1, 0, 1, 0, 1]
    assert data.batch(torch.tensor([1, 4]))[1].tolist() == [1, 0]


def test_without_a_clip_pictures_are_openais(tmp_path, clip):
    prepared = make_preparation()
    picture = prepared.testing.cut(noise((300, 500)), None)
    assert picture.size == (224, 224)
    assert prepared.tensor(Image.new("RGB", (4, 4))).flatten(1).mean(1).tolist() == pytest.approx(
        [-0.48145466 / 0.26862954, -0.4578275 / 0.26130258, -0.40821073 / 0.27577711]
    )
