"""The pages of this repository: every link leads somewhere, every command is one, and the README stays short."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from urllib.parse import unquote

import pytest

from maple_lite.cli.main import make_parser

ROOT = Path(__file__).parent.parent
NAMES = ("README.md", "TEACHING.md", "CONTRIBUTING.md", "CHANGELOG.md", "lessons/MISTAKES.md")
PAGES = [*NAMES, *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\]\(([^()\s]+)\)")  # [text](target) and ![alt](target)
BLOCK = re.compile(r"```[^\n]*\n.*?```", re.DOTALL)


def read(page: str | Path) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def links(page: str) -> list[str]:
    """The targets of a page's links that are no address of the web."""
    return [target for target in LINK.findall(BLOCK.sub("", read(page))) if "://" not in target]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", BLOCK.sub("", read(page)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def commands(page: str) -> list[str]:
    """The lines of a page's code blocks that call maple-lite."""
    lines = [line.strip() for block in BLOCK.findall(read(page)) for line in block.splitlines()]
    return [line.removeprefix(".venv/bin/") for line in lines if line.removeprefix(".venv/bin/").startswith("maple-")]


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page):
    for target in links(page):
        file, _, anchor = unquote(target).partition("#")
        place = (ROOT / page).parent / file if file else ROOT / page
        assert place.exists(), f"{page} links to {target}, which is not there"
        assert not anchor or anchor in anchors(place), f"{page} links to {target}: no heading makes this anchor"


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_is_understood(page):
    for line in commands(page):
        make_parser().parse_args(shlex.split(line, comments=True)[1:])


def test_the_readme_is_short_and_leads_to_every_page():
    assert len(read("README.md").splitlines()) <= 150
    others = set(PAGES) - {"README.md"}
    assert others <= {target.partition("#")[0] for target in links("README.md")}


def test_links_and_commands_are_found():
    assert {"docs/researchers.md", "data/gallery/ladder.png"} <= set(links("README.md"))
    assert {"seven-methods", "the-seven-methods"} & anchors(Path("docs/researchers.md")) == {"the-seven-methods"}
    assert sum(len(commands(page)) for page in PAGES) >= 12
