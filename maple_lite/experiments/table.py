"""A result table on disk: the cells that are finished, every one added whole and at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from filelock import FileLock, Timeout

from maple_lite.datasets import DRAWN
from maple_lite.experiments.grid import Cell, Finished
from maple_lite.learners import METHODS
from maple_lite.support.checkpoint import require_writable
from maple_lite.support.files import atomic_write

KEY = ["method", "variant", "dataset", "seed", "shots"]  # of a cell
VERSIONS = ["code", "clip", "torch", "device"]  # the same in a whole table
COLUMNS = [*KEY, "split", "accuracy", "seconds", "cpu_seconds", "parameters", "config", *VERSIONS]
DECIMALS = {"accuracy": 3, "seconds": 1, "cpu_seconds": 1}
WAIT = 60  # seconds for another process to finish writing


class ResultTable:
    """A table of the evaluation in a CSV file, which holds nothing but whole cells of one version of everything.

    Several processes may add to the same file. Raises ValueError for a file that is damaged, or whose cells come
    from other code, another CLIP, torch or device (`versions`), and OSError for one that cannot be written.
    """

    def __init__(self, path: Path, versions: Mapping[str, str]) -> None:
        self.path, self.versions = path, dict(versions)
        try:
            require_writable(path)
        except FileExistsError as error:
            raise OSError(f"{path.parent} is a file: name a folder for the results.") from error
        self._require_same_versions(self.read())

    def read(self) -> pd.DataFrame:
        """The rows so far; ValueError if the file is damaged."""
        if not self.path.is_file():
            return pd.DataFrame(columns=COLUMNS)
        try:
            rows = pd.read_csv(self.path, dtype=dict.fromkeys(["config", *VERSIONS], str))
        except (ValueError, UnicodeDecodeError) as error:  # pandas' errors of parsing are ValueErrors
            raise self._damaged(" ".join(str(error).split())) from error
        missing = [name for name in COLUMNS if name not in rows.columns]
        if missing:
            raise self._damaged(f"it has no column {missing[0]}")
        if rows[[name for name in COLUMNS if name != "parameters"]].isna().any(axis=None):
            raise self._damaged("values are missing")
        if rows.duplicated([*KEY, "split"]).any():
            raise self._damaged("a cell stands in it twice")
        return rows.astype({"parameters": "Int64"})

    def finished(self, settings: Mapping[Cell, str]) -> set[Cell]:
        """Those of the cells {cell: its configuration} that the table holds.

        Raises ValueError for one that stands there with another configuration.
        """
        there = {tuple(row[:-1]): row[-1] for row in self.read()[[*KEY, "config"]].itertuples(index=False, name=None)}
        for cell, config in settings.items():
            known = there.get(identify(cell), config)
            if known != config:
                raise ValueError(
                    f"{self.path} holds {' '.join(map(str, identify(cell)))} with other settings ({known}, now "
                    f"{config}): name another folder for the results, or move this file away."
                )
        return {cell for cell in settings if identify(cell) in there}

    def add(self, done: Finished) -> None:
        """Writes the rows of a finished cell, unless they are there already."""
        try:
            with FileLock(self.path.with_name(f".{self.path.name}.lock"), timeout=WAIT):
                rows, new = self.read(), _rows(done)
                self._require_same_versions(new)
                if self.finished({done.cell: done.measured["config"]}):
                    return
                self._write(new if rows.empty else pd.concat([rows, new], ignore_index=True))
        except Timeout as error:
            raise OSError(f"another process has held {self.path} for {WAIT} s: stop it, then run again.") from error

    def _write(self, rows: pd.DataFrame) -> None:
        """Puts all rows in their order into the file, whole or not at all; OSError with advice."""
        text = sort_rows(rows).round(DECIMALS).to_csv(index=False, lineterminator="\n")
        for left in self.path.parent.glob(f".{self.path.name}.*"):  # of a process that was killed while it wrote
            if left.suffix != ".lock":
                left.unlink(missing_ok=True)
        try:
            atomic_write(self.path, lambda file: file.write_bytes(text.encode()))
        except OSError as error:
            raise OSError(
                f"{self.path} could not be written ({error.strerror}): make room or name another folder for the "
                "results; the cells in it are kept, and the same command goes on from them."
            ) from error

    def _require_same_versions(self, rows: pd.DataFrame) -> None:
        """ValueError if rows come from other code, another CLIP, torch or device."""
        for name in VERSIONS:
            others = sorted(set(rows[name].astype(str)) - {self.versions[name]})
            if others:
                raise ValueError(
                    f"{self.path} belongs to another version: its {name} is {others[0]}, now it is "
                    f"{self.versions[name]}; name another folder for the results, or move this file away."
                )

    def _damaged(self, reason: str) -> ValueError:
        """The error of a file that is no whole table."""
        return ValueError(f"the results in {self.path} are damaged ({reason}): restore the file, or move it away.")


def identify(cell: Cell) -> tuple[Any, ...]:
    """What tells a cell from the others of its table, in the order of KEY."""
    return tuple(getattr(cell, name) for name in KEY)


def sort_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows in the order of datasets, methods, variants, shots and seeds, whatever order they were computed in."""
    known = [*DRAWN, *METHODS]

    def rank(column: pd.Series) -> pd.Series:
        return column.map(lambda name: (known.index(name), name) if name in known else (len(known), name))

    return rows.sort_values(["dataset", "method", "variant", "shots", "seed"], key=rank, kind="stable")[COLUMNS]


def _rows(done: Finished) -> pd.DataFrame:
    """The rows of a finished cell, one per split."""
    shared = dict(zip(KEY, identify(done.cell), strict=True)) | done.measured
    rows = [shared | {"split": split, "accuracy": value} for split, value in done.accuracies.items()]
    return pd.DataFrame(rows)[COLUMNS].astype({"parameters": "Int64"})
