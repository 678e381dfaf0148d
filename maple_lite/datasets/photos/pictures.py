"""Pictures from files: RGB whatever they were, cropped for training or for testing, normalised for a CLIP."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import open_clip
import torch
from open_clip.transform import PreprocessCfg
from PIL import ExifTags, Image, ImageOps
from torch import Tensor
from torchvision.transforms import Compose, InterpolationMode, Normalize, RandomResizedCrop, ToTensor
from torchvision.transforms import functional as F

T = TypeVar("T")
DAMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError, IndexError, KeyError)
SCALE, RATIO = (0.08, 1.0), (3 / 4, 4 / 3)  # area and shape of a training crop, the authors' and torchvision's own
SIDEWAYS = (5, 6, 7, 8)  # the camera's orientations that swap width and height


class DamagedPicture(ValueError):
    """A file that holds no picture, or half of one."""


def read_picture(path: str | Path, upright: bool = False) -> Image.Image:
    """The RGB picture of a file: palettes, greys, CMYK and 16-bit greys are converted, transparency is dropped.

    `upright` turns it as its camera says. Raises DamagedPicture for a file that is not a picture, and the system's
    OSError for one that cannot be opened.
    """
    with _opened(path) as picture:
        return _rgb(ImageOps.exif_transpose(picture) if upright else picture)


def picture_size(path: str | Path, upright: bool = False) -> tuple[int, int]:
    """(height, width) of the picture that `read_picture` will give, from the head of its file."""
    with _opened(path) as picture:
        width, height = picture.size
        turned = upright and picture.getexif().get(ExifTags.Base.Orientation) in SIDEWAYS
        return (width, height) if turned else (height, width)


def is_readable(path: str | Path) -> bool:
    """Whether a file holds a whole picture; it is read to its end."""
    try:
        read_picture(path, upright=True)
    except DamagedPicture:
        return False
    return True


@contextmanager
def _opened(path: str | Path) -> Iterator[Image.Image]:
    """A block with an open picture, in which the errors of Pillow's decoders become DamagedPicture."""
    try:
        with Image.open(path) as picture:
            yield picture
    except DAMAGE as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the system refused to open it; the picture may be whole
        raise DamagedPicture(f"{path} cannot be read as a picture ({error})") from error


def _rgb(picture: Image.Image) -> Image.Image:
    """A picture in RGB; ValueError for pixels without a known range."""
    if picture.mode.startswith("I;16"):
        return picture.point(lambda value: value / 256).convert("L").convert("RGB")
    if picture.mode in ("I", "F"):
        raise ValueError(f"its pixels of kind {picture.mode!r} have no known range: save it with 8 bits per channel")
    if "transparency" in picture.info and picture.mode == "P":
        picture = picture.convert("RGBA")  # Pillow warns of the direct way
    return picture.convert("RGB")


class Crop(Protocol):
    """How pictures become squares: `plan` draws what is random, one after another; `cut` may run on any thread."""

    def plan(self, height: int, width: int) -> Any:
        """What is random for a picture of this size."""
        ...

    def cut(self, picture: Image.Image, plan: Any) -> Image.Image:
        """The part of the picture that the model sees."""
        ...


@dataclass(frozen=True)
class RandomCrop:
    """The authors' training crop: a random area of 8 to 100%, resized (bicubic), in half of the cases mirrored.

    Like torchvision's own transforms, it draws from torch's global generator, which `fit` seeds in every epoch.
    """

    size: tuple[int, int]

    def plan(self, height: int, width: int) -> tuple[tuple[int, int, int, int], bool]:
        """(top, left, height, width) of the area, and whether it is mirrored."""
        shape = torch.empty(3, height, width, device="meta")
        area = RandomResizedCrop.get_params(shape, list(SCALE), list(RATIO))
        return area, bool(torch.rand(1) < 0.5)

    def cut(self, picture: Image.Image, plan: tuple[tuple[int, int, int, int], bool]) -> Image.Image:
        """The area of `plan`, resized and perhaps mirrored."""
        area, mirrored = plan
        part = F.resized_crop(picture, *area, size=list(self.size), interpolation=InterpolationMode.BICUBIC)
        return F.hflip(part) if mirrored else part


@dataclass(frozen=True)
class CentreCrop:
    """The crop of the CLIP's own evaluation: the shorter side resized (bicubic), the centre kept."""

    steps: Callable[[Image.Image], Image.Image]

    def plan(self, height: int, width: int) -> None:
        """Nothing is random."""

    def cut(self, picture: Image.Image, plan: None) -> Image.Image:
        """The centre of the resized picture."""
        return self.steps(picture)


@dataclass(frozen=True)
class Preparation:
    """How a CLIP's pictures are cropped, for training and for testing, and normalised."""

    training: RandomCrop
    testing: CentreCrop
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def tensor(self, picture: Image.Image) -> Tensor:
        """A normalised image [3, H, W] of a cropped picture."""
        return F.normalize(F.to_tensor(picture), list(self.mean), list(self.std))


def make_preparation(config: PreprocessCfg | None = None) -> Preparation:
    """The preparation of a CLIP's `preprocess`; without one, OpenAI's of 224 pixels."""
    config = config or PreprocessCfg()
    steps = open_clip.transform.image_transform_v2(config, is_train=False).transforms
    crop = Compose([step for step in steps if not isinstance(step, ToTensor | Normalize)])
    return Preparation(RandomCrop(config.input_size[1:]), CentreCrop(crop), config.mean, config.std)


def map_in_threads(work: Callable[[Any], T], things: Sequence[Any]) -> list[T]:
    """`work(thing)` of each of the things, in their order, on as many threads as torch may use."""
    threads = min(len(things), torch.get_num_threads())
    if threads < 2:
        return [work(thing) for thing in things]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, things))
