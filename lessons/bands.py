"""The bands of `ex.expect`, measured: `python lessons/bands.py [NN_name ...]`.

It writes data/expected.json.

Every solved lesson runs with MAPLE_LITE_SEED = 1, 2 and 3. The band of a number is where it was,
and a margin on both sides: as wide as the seeds were apart, 2 points at least. Other lessons' bands
stay as they are. It takes three times the time of the lessons.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from maple_lite.course.session import expected_bands
from maple_lite.support.files import atomic_write, data_folder

import build

SEEDS = (1, 2, 3)
MARGIN = 2.0  # points at least


def band(values: Sequence[float]) -> list[float]:
    """[low, high] around the values of one number, rounded to a tenth.

    >>> band([70.0, 71.0, 75.0])
    [65.0, 80.0]
    """
    margin = max(max(values) - min(values), MARGIN)
    return [round(min(values) - margin, 1), round(max(values) + margin, 1)]


def bands(records: Iterable[dict[str, Any]]) -> dict[str, dict[str, list[float]]]:
    """Bands by lesson and name, from what sessions recorded: lesson, seed, name, value.

    Raises ValueError for a number that is missing with one of the seeds, not a number, or
    recorded twice.
    """
    found: dict[str, dict[str, list[float]]] = {}
    frame = pd.DataFrame(records, columns=["lesson", "seed", "name", "value"])
    for (lesson, name), rows in frame.groupby(["lesson", "name"]):
        if sorted(rows.seed) != list(SEEDS) or rows.value.isna().any():
            came = dict(zip(rows.seed, rows.value, strict=True))
            raise ValueError(f"{lesson}: {name!r} is wanted once with each seed, got {came}.")
        found.setdefault(str(lesson), {})[str(name)] = band(rows.value.tolist())
    return found


def recorded(lesson: Path, seed: int) -> list[dict[str, Any]]:
    """What the session of a solved lesson records when the lesson runs with a seed."""
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder) / "record.jsonl"
        os.environ.update(MAPLE_LITE_SEED=str(seed), MAPLE_LITE_RECORD=str(record))
        build.execute(build.build(lesson, "solutions"))
        lines = record.read_text(encoding="utf-8").splitlines() if record.is_file() else []
        return [json.loads(line) for line in lines]


def write(known: dict[str, dict[str, list[float]]]) -> None:
    """Writes all bands to data/expected.json, lessons and names in alphabetical order."""
    text = json.dumps(known, indent=1, sort_keys=True) + "\n"

    def fill(file: Path) -> None:
        file.write_text(text, encoding="utf-8")

    atomic_write(data_folder() / "expected.json", fill)


def main() -> None:
    """Measures the bands of the lessons named, or of all, and writes them among the others."""
    parser = argparse.ArgumentParser(description="Measure the bands of the lessons' numbers.")
    parser.add_argument("names", nargs="*", help="such as 03_coop; all lessons without one")
    named = build.lessons(parser.parse_args().names)
    known = expected_bands()
    for lesson in named:
        known.pop(lesson.stem, None)
        found = bands(record for seed in SEEDS for record in recorded(lesson, seed))
        known.update(found)
        print(lesson.stem, json.dumps(found.get(lesson.stem, {})))
        write(known)


if __name__ == "__main__":
    main()
