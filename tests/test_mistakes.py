"""The page of the common mistakes against the tables that it is made of."""

from __future__ import annotations

import mistakes
import pytest
from markdown_it import MarkdownIt
from test_banks import BANKS, EXERCISES, wrong

from maple_lite.course.teach.verdicts import ERROR, FAILED, Verdict


@pytest.fixture(scope="module")
def page() -> str:
    return mistakes.page()


def shown(markdown: str) -> list[str]:
    """The text of every heading, cell and paragraph, as a reader sees it: what CommonMark makes of Markdown."""
    blocks = MarkdownIt("commonmark").enable("table").parse(markdown)
    return ["".join(piece.content for piece in block.children or ()) for block in blocks if block.type == "inline"]


def test_the_page_is_what_the_tables_make(page):
    assert mistakes.PAGE.read_text(encoding="utf-8") == page, "the page is stale: python lessons/mistakes.py"


def test_a_reader_finds_every_exercise_and_under_it_every_mistake(page):
    seen = shown(page)
    headings = [f"{number} {EXERCISES[number][1].title}".replace("`", "") for number in BANKS]
    places = [seen.index(heading) for heading in headings]
    assert places == sorted(places)
    for number, start, end in zip(BANKS, places, [*places[1:], len(seen)], strict=True):
        names = [name for text in seen[start + 1 : end] for name in text.removeprefix("Also known: ").split("; ")]
        assert set(wrong(number)) <= {name.removesuffix(".") for name in names}


@pytest.mark.parametrize("text", ["a*b*c", "x_i _and_ y", "[1](2)", "a <b> c", "a | b", r"\*", "[p] * k, e_1 | e_2"])
def test_a_cell_shows_a_text_to_the_letter(text):
    assert shown(f"| a |\n|---|\n| {mistakes.cell(text)} |") == ["a", text]


def test_a_cell_keeps_code():
    assert shown(f"| a |\n|---|\n| {mistakes.cell('use `a_b * c_d` *here*')} |") == ["a", "use a_b * c_d *here*"]


@pytest.mark.parametrize(
    "verdict, said",
    [
        (Verdict(FAILED, [("not yet", "the value"), ("likely cause", "no square root")]), "no square root"),
        (Verdict(FAILED, [("not yet", "the value"), ("likely cause", "")]), "words"),
        (Verdict(ERROR, [("raised", "TypeError: of torch 2"), ("likely cause", "a return")]), "TypeError: a return"),
        (Verdict(ERROR, [("raised", "IndexError"), ("likely cause", "")]), "IndexError: words"),
    ],
)
def test_an_answer_is_the_cause_and_the_kind_of_an_error(verdict, said):
    assert mistakes.answer(verdict, "words") == said


def test_mistakes_beyond_the_first_are_named_and_those_of_one_answer_share_a_row():
    exercise = EXERCISES["01.1"][1]
    found = {f"answer {i}": [f"mistake {i}"] for i in range(mistakes.SHOWN + 2)} | {"answer 0": ["one", "two"]}
    text = mistakes.part(exercise, found)
    assert text.count("| answer") == mistakes.SHOWN
    assert "| one; two | answer 0 |" in text
    assert f"Also known: mistake {mistakes.SHOWN}; mistake {mistakes.SHOWN + 1}." in text
