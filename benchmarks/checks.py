"""How long checks take: `python benchmarks/checks.py` prints the slowest verdict of each exercise, in CPU seconds."""

from __future__ import annotations

import time
from pathlib import Path

import pandas as pd

from maple_lite.course.session import exercises_of
from maple_lite.course.teach.exercise import Exercise
from maple_lite.course.teach.verdicts import judge

LESSONS = sorted(path.stem for path in (Path(__file__).parent.parent / "lessons").glob("[0-9][0-9]_*.py"))


def slowest(exercise: Exercise) -> dict[str, str | float]:
    """The submission, the reference or a known mistake, whose check takes longest, after a first check."""
    tried = {"the reference": exercise.reference}
    tried |= {name: exercise.mistakes.submission(name) for name in exercise.mistakes.rows}
    judge(exercise, exercise.reference)
    seconds = {}
    for name, submission in tried.items():
        start = time.process_time()
        judge(exercise, submission)
        seconds[name] = time.process_time() - start
    name = max(seconds, key=seconds.__getitem__)
    return {"exercise": exercise.number, "submissions": len(tried), "slowest": name, "seconds": round(seconds[name], 2)}


def main() -> None:
    """Prints a row per exercise, the slowest first."""
    table = pd.DataFrame([slowest(exercise) for lesson in LESSONS for exercise in exercises_of(lesson)])
    print(table.sort_values("seconds", ascending=False).to_string(index=False))


if __name__ == "__main__":
    main()
