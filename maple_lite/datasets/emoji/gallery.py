"""Galleries of the emoji; `python -m maple_lite.datasets.emoji.gallery FOLDER` writes them as PNG files."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from maple_lite.datasets.emoji.drawn import TEMPLATES, VARIANTS, Drawn, open_emoji
from maple_lite.datasets.emoji.fonts import LETTERS, open_font
from maple_lite.datasets.emoji.looks import LOOKS, Look
from maple_lite.datasets.handwritten import Handwritten, open_handwritten

COLUMNS = 9
RESOLUTION = 128  # pixels of a picture's side
STRENGTHS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
SHOWN = ("fox", "parrot", "panda", "ladybird")  # in the gallery of looks, by formal or common name
GAP, MARGIN, CORNER = 0.07, 0.16, 0.08  # in pictures
INK, PALE = (40, 44, 52), (116, 122, 132)


class Row(NamedTuple):
    """A row of a gallery: a title, a remark in paler letters, pictures [n, 3, R, R] in 0..1, a label for each."""

    title: str
    remark: str
    pictures: Tensor
    labels: Sequence[str]


def write_galleries(folder: str | Path, resolution: int = RESOLUTION) -> list[Path]:
    """Writes datasets.png, variants.png, looks.png and everything.png into `folder` and returns their paths."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    catalogue = [row for name in TEMPLATES for row in catalogue_rows(_opened(name, resolution // 2, "clean"))]
    variants = [_opened("objects", resolution, variant=variant) for variant in (None, *VARIANTS)]
    looks = look_rows(resolution)
    digits = dataset_row(open_handwritten("handwritten", None, None, resolution=resolution))
    galleries = {
        "datasets": draw_gallery([*(dataset_row(_opened(name, resolution)) for name in TEMPLATES), digits]),
        "variants": draw_gallery([dataset_row(data) for data in variants]),
        "looks": _beside(draw_gallery(looks[: len(looks) // 2]), draw_gallery(looks[len(looks) // 2 :])),
        "everything": draw_gallery(catalogue).quantize(256),  # a third of the bytes
    }
    paths = []
    for name, page in galleries.items():
        paths.append(Path(folder) / f"{name}.png")
        page.save(paths[-1], optimize=True)
    return paths


def _opened(name: str, resolution: int, look: str | Look | None = None, variant: str | None = None) -> Drawn:
    """A dataset of emoji in a resolution."""
    return open_emoji(name, None, None, look=look, variant=variant, resolution=resolution)


def dataset_row(data: Drawn | Handwritten, columns: int = COLUMNS) -> Row:
    """A row of a dataset's test pictures, of classes spread evenly over it, each over its class name."""
    class_ids = torch.arange(columns) * len(data.class_names) // columns
    title, look = data.name, "photographs"
    if isinstance(data, Drawn):
        title = f"{data.name}, variant {data.variant}" if data.variant else data.name
        look = f"{data.look.name} ({data.look.strength:g})"
    pictures = data.pictures(class_ids, torch.arange(columns))
    return Row(title, f"{look}  ·  “{data.template}”", pictures, [data.class_names[i] for i in class_ids])


def catalogue_rows(data: Drawn, columns: int = 2 * COLUMNS) -> list[Row]:
    """Rows of one picture of every class of a dataset."""
    everything = torch.arange(len(data.class_names))
    pictures = data.pictures(everything, torch.zeros_like(everything))
    title = f"{data.name} ({len(everything)})"
    return [
        Row("" if first else title, "", part, data.class_names[first : first + columns])
        for first, part in zip(range(0, len(everything), columns), pictures.split(columns), strict=True)
    ]


def look_rows(resolution: int) -> list[Row]:
    """A row for each of the twelve looks: emoji that everyone knows, in six strengths."""
    rows = []
    for number, look in enumerate(LOOKS):
        shown = SHOWN[number % len(SHOWN)]
        pictures = torch.cat([_in_look(shown, Look(look, strength), resolution) for strength in STRENGTHS])
        rows.append(Row(look, "", pictures, [f"{strength:g}" for strength in STRENGTHS]))
    return rows


def _in_look(name: str, look: Look, resolution: int) -> Tensor:
    """The same picture [1, 3, R, R] of an animal in a look."""
    data = _opened("animals", resolution, look)
    place = torch.tensor([(data.common_names if name in data.common_names else data.class_names).index(name)])
    return data.pictures(place, torch.tensor([7]))


def draw_gallery(rows: Sequence[Row]) -> Image.Image:
    """The rows below each other, pictures with round corners, each over its label."""
    side = rows[0].pictures.shape[-1]
    step, margin = round(side * (1 + GAP)), round(side * MARGIN)
    heights = [round(side * (0.28 if row.title else 0.0)) + step + round(side * 0.17) for row in rows]
    columns = max(len(row.labels) for row in rows)
    page = Image.new("RGB", (columns * step + 2 * margin, sum(heights) + 2 * margin), "white")
    top = margin
    for row, height in zip(rows, heights, strict=True):
        _draw_row(page, row, margin, top)
        top += height
    return page


def _beside(left: Image.Image, right: Image.Image) -> Image.Image:
    """Two pages of equal height as one."""
    page = Image.new("RGB", (left.width + right.width, left.height), "white")
    page.paste(left, (0, 0))
    page.paste(right, (left.width, 0))
    return page


def _draw_row(page: Image.Image, row: Row, left: int, top: int) -> None:
    """Draws one row into a page."""
    side = row.pictures.shape[-1]
    pen = ImageDraw.Draw(page)
    if row.title:
        bold, plain = (open_font(LETTERS._replace(weight=weight), max(9, side // 7)) for weight in (700, 400))
        pen.text((left, top), row.title, font=bold, fill=INK)
        pen.text((left + bold.getlength(row.title) + side / 10, top), row.remark, font=plain, fill=PALE)
        top += round(side * 0.28)
    mask = Image.new("L", (4 * side, 4 * side))
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, 4 * side - 1, 4 * side - 1), round(4 * side * CORNER), fill=255)
    mask = mask.resize((side, side), Image.Resampling.LANCZOS)
    for number, (picture, label) in enumerate(zip(row.pictures, row.labels, strict=True)):
        x = left + number * round(side * (1 + GAP))
        image = Image.fromarray((picture * 255).round().byte().permute(1, 2, 0).numpy())
        page.paste(image, (x, top), mask)
        _draw_label(pen, label, x, top + side, side)


def _draw_label(pen: ImageDraw.ImageDraw, label: str, x: int, y: int, side: int) -> None:
    """Draws a label in the middle below a picture, in smaller letters if it is long."""
    size = max(7, side // 9)
    font = open_font(LETTERS, size)
    while font.getlength(label) > side * (1 + GAP) and size > 6:
        size -= 1
        font = open_font(LETTERS, size)
    pen.text((x + side / 2, y + side * 0.02), label, font=font, fill=INK, anchor="ma")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write galleries of the emoji.")
    parser.add_argument("folder", help="where datasets.png, variants.png, looks.png and everything.png go")
    parser.add_argument("--resolution", type=int, default=RESOLUTION, help=f"pixels of a picture ({RESOLUTION})")
    arguments = parser.parse_args()
    for path in write_galleries(arguments.folder, arguments.resolution):
        print(path)
