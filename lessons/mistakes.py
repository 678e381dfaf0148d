"""The common mistakes of every exercise: `python lessons/mistakes.py` writes lessons/MISTAKES.md.

They are the tables of mistakes in maple_lite/course/exercises, in their order, each beside what its
check answers: the likely cause, as a student reads it. `--check` compares instead of writing.
"""

from __future__ import annotations

import argparse
import itertools
import re
import sys

from maple_lite.course.teach.exercise import Exercise
from maple_lite.course.teach.verdicts import ERROR, Verdict

import build

sys.path.append(str(build.ROOT / "tests"))
from test_banks import BANKS, EXERCISES, verdict_on, wrong

PAGE = build.ROOT / "lessons" / "MISTAKES.md"
MARKUP = re.compile(r"[\\*<]|(?<!\w)_|_(?!\w)|(?<=\])\(")  # what Markdown might take for its own
SHOWN = 8  # mistakes of an exercise with their answers; the others by name
HEAD = f"""# Common mistakes

What students write, and what the check answers. For every exercise: its first {SHOWN} mistakes
with the likely cause that the check names, then the names of the others. Mistakes with
the same answer share a row. A check also says what it expected and what came, which is left out
here. For teachers: the page gives much away.

Made from the tables in `maple_lite/course/exercises` by `python lessons/mistakes.py`; do not edit.
"""


def page() -> str:
    """The page in Markdown: a part for every lesson, in it a table for every exercise."""
    parts = [HEAD]
    for lesson, of_lesson in itertools.groupby(BANKS, key=lambda number: EXERCISES[number][0]):
        parts.append(f"## {title(lesson)}\n")
        parts += [part(EXERCISES[number][1], answers(number)) for number in of_lesson]
    return "\n".join(parts)


def title(lesson: str) -> str:
    """A lesson's title, as its first line has it."""
    found = re.search(r"^# # (.+)$", build.lessons([lesson])[0].read_text("utf-8"), re.MULTILINE)
    return found[1] if found else lesson


def answers(number: str) -> dict[str, list[str]]:
    """The names of an exercise's mistakes by what the check answers, in their order.

    A submission that raises is answered with its error.
    """
    found: dict[str, list[str]] = {}
    for name, (cause, words) in wrong(number).items():
        said = cause or answer(verdict_on(number, name), words)
        found.setdefault(said, []).append(name)
    return found


def answer(found: Verdict, words: str) -> str:
    """What a verdict says of the cause; where it says none, `words` of it, which name the mistake.

    Of an error only its type is taken: Python and torch change their messages from time to time.
    """
    rows = dict(found.rows)
    cause = rows.get("likely cause") or words
    kind = rows["raised"].partition(":")[0] if found.kind == ERROR else cause
    return cause if kind == cause else f"{kind}: {cause}"


def part(exercise: Exercise, found: dict[str, list[str]]) -> str:
    """The heading of an exercise, the table of its first mistakes, and the names of the others."""
    rows = list(found.items())
    table = [f"| {cell('; '.join(names))} | {cell(said)} |" for said, names in rows[:SHOWN]]
    lines = [f"### {exercise.number} {exercise.title}", "", "| mistake | the check answers |"]
    lines += ["|---|---|", *table, ""]
    if others := [name for _, names in rows[SHOWN:] for name in names]:
        lines += [f"Also known: {cell('; '.join(others))}.", ""]
    return "\n".join(lines)


def cell(text: str) -> str:
    """A text as a Markdown table shows it to the letter; what stands in `backticks` stays code."""
    pieces = re.split(r"(`[^`]*`)", " ".join(text.split()))  # every second one is code
    pieces[::2] = [MARKUP.sub(r"\\\g<0>", piece) for piece in pieces[::2]]
    return "".join(pieces).replace("|", "\\|")


def main() -> int:
    """Writes or checks the page; the exit status says whether it is stale."""
    parser = argparse.ArgumentParser(description="Write the page of the common mistakes.")
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    check, text = parser.parse_args().check, page()
    if check:
        stale = not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != text
        if stale:
            print(f"{PAGE.relative_to(build.ROOT)} is stale: python lessons/mistakes.py")
        return int(stale)
    PAGE.write_text(text, encoding="utf-8")
    print(f"{PAGE.relative_to(build.ROOT)} {len(text) / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
