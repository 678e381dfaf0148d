"""The one door to data: drawn emoji and symbols, handwritten digits, the papers' fifteen, and your own pictures."""

from __future__ import annotations

import os
from pathlib import Path

from maple_lite.clip import FrozenCLIP
from maple_lite.datasets import handwritten
from maple_lite.datasets.emoji import drawn as emoji
from maple_lite.datasets.emoji.looks import Look
from maple_lite.datasets.glyphs import drawn as glyphs
from maple_lite.datasets.glyphs.styles import Style
from maple_lite.datasets.kinds import Kind
from maple_lite.datasets.photos.opening import OWN, PAPERS
from maple_lite.protocol import ClassificationDataset
from maple_lite.support.names import require_name

KINDS = (emoji.KIND, glyphs.KIND, handwritten.KIND, PAPERS, OWN)
"""All kinds of datasets, in the order in which a name is looked up. A new kind is registered here."""

DEFAULTS = {"split_seed": 0, "augment": True, "skip_damaged": False}  # of options; the others are None


def open_dataset(
    name_or_path: str | Path,
    root: str | Path | None = None,
    clip: FrozenCLIP | None = None,
    *,
    style: str | Style | None = None,
    look: str | Look | None = None,
    variant: str | None = None,
    resolution: int | None = None,
    template: str | None = None,
    test_share: float | None = None,
    split_seed: int = 0,
    augment: bool = True,
    skip_damaged: bool = False,
) -> ClassificationDataset:
    """The test set of a dataset: (normalised image [3, H, W], label) pairs; `.train(shots, seed)` has the rest.

    Images have the size, mean and standard deviation that `clip` needs. Without a CLIP they have OpenAI's mean and
    standard deviation, and 48 pixels if they are drawn, 224 if they are photographs.

    *Drawn datasets and handwritten digits* ("sea", "objects", "handwritten") need no files. `look` is the name of
    another look than the dataset's own, "clean" for none. `variant` chooses other pictures of objects: "v2", "sketch",
    "a" or "r". `resolution`, in pixels, replaces the CLIP's.

    *Datasets of symbols* ("zodiac", "chess", "glyphs:objects", "glyphs:faces") are drawn as well. `style` is the name
    of another style than the dataset's own, "clean" for none. `variant` and `resolution` are as above. "glyphs:" may
    stand before each of their names. Objects and faces need it, because the emoji have datasets of these names, too.

    *The papers' fifteen* ("eurosat", "OxfordPets", "ImageNet-A") lie below `root`, in the layout of the CoOp
    repository. Without `root`, the environment variable MAPLE_LITE_DATASETS names that folder.

    *Your own pictures* are opened by their path: a `Path`, or a str that has a "/", ends in ".csv" or is not the name
    of a dataset. ("./sea" is your folder, "sea" the drawn dataset.) The path is a folder with a folder per class,
    or with train/ and test/ of such. Or it is a CSV with the columns path and class, and perhaps split; its paths
    start in `root`, or else beside the CSV. If you have made no test set, `test_share` (0.3) of each class is held out
    for testing, drawn by `split_seed`.

    For photographs, `template` replaces the zero-shot sentence, which is the paper's, or "a photo of a {}." for your
    own pictures. Training pictures are cropped and mirrored at random, as the authors do it. That spoils signs,
    letters, and left from right: `augment=False` shows them in training as in a test. `skip_damaged=True` leaves out
    files that cannot be read; without it, the first of them is an error.

    Raises ValueError or FileNotFoundError, in one sentence, for what is missing, damaged or ambiguous, and for an
    option that does not apply to this kind of dataset. Raises ImportError if a package of fonts that emoji are drawn
    with is missing or of another version.

    >>> sea = open_dataset("sea")
    >>> images, labels = sea.train(shots=16, seed=1).batch(range(4))     # [4, 3, 48, 48], [4]
    >>> len(sea.class_names)
    24
    >>> eurosat = open_dataset("eurosat", root="datasets", clip=clip)  # doctest: +SKIP
    """
    if isinstance(root, FrozenCLIP):
        raise ValueError("root must be a folder, got a FrozenCLIP: pass the CLIP as clip=.")
    options = {
        "style": style,
        "look": look,
        "variant": variant,
        "resolution": resolution,
        "template": template,
        "test_share": test_share,
        "split_seed": split_seed,
        "augment": augment,
        "skip_damaged": skip_damaged,
    }
    kind, name = find_kind(name_or_path)
    for option, value in options.items():
        if option not in kind.options and value != DEFAULTS.get(option):
            raise ValueError(f"{option}={value!r} does not apply to {name}, which is {kind.title}: leave it out.")
    chosen = {option: options[option] for option in kind.options}
    return kind.open(name, root, clip.preprocess if clip else None, **chosen)


def find_kind(name_or_path: str | Path) -> tuple[Kind, str]:
    """The kind of a dataset and its name there; ValueError, with the close names, for a name that no kind has.

    A name wins over a folder of that name; "./sea" and `Path("sea")` are the folder.

    >>> find_kind("ImageNet-A")[1]
    'imagenet_a'
    """
    spelling = str(name_or_path)
    if isinstance(name_or_path, Path) or os.sep in spelling or spelling.lower().endswith(".csv"):
        return OWN, spelling
    for kind in KINDS:
        name = kind.find(spelling)
        if name is not None:
            return kind, name
    return OWN, require_name("dataset", spelling, [name for kind in KINDS for name in kind.names])
