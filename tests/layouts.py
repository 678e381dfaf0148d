"""The fifteen datasets in small, laid out exactly as the real ones, for the tests of maple_lite.datasets."""

import json
from pathlib import Path

from PIL import Image

WNIDS = {"n01440764": "tench", "n01443537": "goldfish", "n01498041": "stingray", "n01514668": "rooster"}
SPLIT_SETS = {  # name: (folder, split file, images, {class name: path of picture i})
    "caltech101": (
        "caltech-101",
        "split_zhou_Caltech101.json",
        "101_ObjectCategories",
        {"face": "Faces/image_{:04}.jpg", "leopard": "Leopards/image_{:04}.jpg", "anchor": "anchor/image_{:04}.jpg"},
    ),
    "oxford_pets": (
        "oxford_pets",
        "split_zhou_OxfordPets.json",
        "images",
        {"abyssinian": "Abyssinian_{}.jpg", "american_bulldog": "american_bulldog_{}.jpg", "pug": "pug_{}.jpg"},
    ),
    "stanford_cars": (
        "stanford_cars",
        "split_zhou_StanfordCars.json",
        "",
        {"2000 AM General Hummer SUV": "cars_{s}/1{:04}.jpg", "2012 Acura RL Sedan": "cars_{s}/2{:04}.jpg"},
    ),
    "oxford_flowers": (
        "oxford_flowers",
        "split_zhou_OxfordFlowers.json",
        "jpg",
        {
            "pink primrose": "image_1{:04}.jpg",
            "globe thistle": "image_2{:04}.jpg",
            "daffodil": "image_3{:04}.jpg",
        },
    ),
    "food101": (
        "food-101",
        "split_zhou_Food101.json",
        "images",
        {"apple_pie": "apple_pie/{}.jpg", "baby_back_ribs": "baby_back_ribs/{}.jpg", "waffles": "waffles/{}.jpg"},
    ),
    "sun397": (
        "sun397",
        "split_zhou_SUN397.json",
        "SUN397",
        {
            "abbey": "a/abbey/sun_{}.jpg",
            "indoor apse": "a/apse/indoor/sun_{}.jpg",
            "zoo": "z/zoo/sun_{}.jpg",
        },
    ),
    "dtd": (
        "dtd",
        "split_zhou_DescribableTextures.json",
        "images",
        {"banded": "banded/banded_{:04}.jpg", "blotchy": "blotchy/blotchy_{:04}.jpg", "zigzagged": "zigzagged/z{}.jpg"},
    ),
    "eurosat": (
        "eurosat",
        "split_zhou_EuroSAT.json",
        "2750",
        {
            "Annual Crop Land": "AnnualCrop/AnnualCrop_{}.jpg",
            "Forest": "Forest/Forest_{}.jpg",
            "Sea or Lake": "SeaLake/SeaLake_{}.jpg",
        },
    ),
    "ucf101": (
        "ucf101",
        "split_zhou_UCF101.json",
        "UCF-101-midframes",
        {"Apply_Eye_Makeup": "Apply_Eye_Makeup/v_{}.jpg", "Yo_Yo": "Yo_Yo/v_{}.jpg", "Archery": "Archery/v_{}.jpg"},
    ),
}
VARIANTS = ("707-320", "Falcon 2000", "F/A-18")
COUNTS = {"train": 9, "val": 6, "test": 4}  # pictures per class
Lists = dict[str, list[tuple[str, int]]]


def picture(path: Path, label: int = 0, size: tuple[int, int] = (12, 9)) -> None:
    """A picture of one grey, which tells its label (see `label_of`)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (20 + 40 * label,) * 3).save(path, "JPEG")


def lay_out(root: Path, name: str) -> tuple[list[str], Lists]:
    """Makes a dataset below `root`; its class names, and its lists of (path below its pictures' folder, label)."""
    if name in SPLIT_SETS:
        return _with_split_file(root, name)
    return {"imagenet": _imagenet, "fgvc_aircraft": _aircraft}.get(name, _domain)(root, name)


def shuffled(rows: list) -> list:
    """Rows in another order, in which the last class comes first."""
    return rows[::-2] + rows[-2::-2]


def _with_split_file(root: Path, name: str) -> tuple[list[str], Lists]:
    folder, split_file, images, classes = SPLIT_SETS[name]
    rows, first = {}, 1
    for split, count in COUNTS.items():
        side = "test" if split == "test" else "train"
        rows[split] = shuffled(
            [
                [path.format(i, s=side), label, class_name]
                for label, (class_name, path) in enumerate(classes.items())
                for i in range(first, first + count)
            ]
        )
        first += count
        for path, label, _ in rows[split]:
            picture(root / folder / images / path, label)
    (root / folder / split_file).write_text(json.dumps(rows))
    return list(classes), {split: [(path, label) for path, label, _ in rows[split]] for split in rows}


def _aircraft(root: Path, name: str) -> tuple[list[str], Lists]:
    folder, lists, number = root / name, {}, 1000000
    for split, count in COUNTS.items():
        rows = shuffled([(number + 100 * label + i, label) for label in range(len(VARIANTS)) for i in range(count)])
        number += 1000
        lists[split] = [(f"{n}.jpg", label) for n, label in rows]
        for path, label in lists[split]:
            picture(folder / "images" / path, label)
        lines = "".join(f"{n} {VARIANTS[label]}\n" for n, label in rows)
        (folder / f"images_variant_{split}.txt").write_text(lines)
    (folder / "variants.txt").write_text("".join(f"{variant}\n" for variant in VARIANTS))
    return list(VARIANTS), lists


def class_names_file(folder: Path) -> None:
    """classnames.txt with four of ImageNet's classes."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "classnames.txt").write_text("".join(f"{wnid} {name}\n" for wnid, name in WNIDS.items()))


def _imagenet(root: Path, name: str) -> tuple[list[str], Lists]:
    folder = root / name
    class_names_file(folder)
    lists: Lists = {"train": [], "test": []}
    for split, place in (("train", "train"), ("test", "val")):
        for label, wnid in enumerate(WNIDS):
            for i in range(COUNTS[split]):
                path = f"{place}/{wnid}/{wnid}_{i}.JPEG"
                picture(folder / "images" / path, label)
                lists[split].append((path, label))
    (folder / "images" / "val" / WNIDS_FIRST / ".DS_Store").write_text("hidden")
    return list(WNIDS.values()), lists


def _domain(root: Path, name: str) -> tuple[list[str], Lists]:
    folder, images, names = {
        "imagenetv2": ("imagenetv2", "imagenetv2-matched-frequency-format-val", ["0", "1", "2", "3"]),
        "imagenet_sketch": ("imagenet-sketch", "images", list(WNIDS)),
        "imagenet_a": ("imagenet-adversarial", "imagenet-a", list(WNIDS)[2:]),
        "imagenet_r": ("imagenet-rendition", "imagenet-r", list(WNIDS)[1:3]),
    }[name]
    class_names_file(root / folder)
    rows = [(f"{own}/{i}_{own}.jpg", label) for label, own in enumerate(names) for i in range(COUNTS["test"])]
    for path, label in rows:
        picture(root / folder / images / path, label)
    (root / folder / images / "README.txt").write_text("of the authors")
    known = list(WNIDS.values()) if name == "imagenetv2" else [WNIDS[own] for own in names]
    return known, {"test": rows}


WNIDS_FIRST = next(iter(WNIDS))
