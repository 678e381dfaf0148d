"""The page docs/your-own-method.md: its code runs as it stands, in order, on four classes of each dataset."""

import re
from pathlib import Path

import maple_lite
from maple_lite import open_dataset

PAGE = Path(__file__).parents[1] / "docs" / "your-own-method.md"


def blocks() -> list[str]:
    """The page's pieces of Python."""
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_the_page_runs_from_top_to_bottom(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(maple_lite, "open_dataset", lambda name, **how: open_dataset(name, **how).subset(range(4)))
    names: dict = {"__name__": "held"}
    assert len(blocks()) == 5
    for block in blocks():
        exec(compile(block, str(PAGE), "exec"), names)
    assert (tmp_path / "held.safetensors").is_file()
    assert names["again"].config["weight"] == 50.0
    assert set(names["table"].method) == {"zeroshot", "coop", "HeldCoOp"}
    start, ctx = names["again"].start, names["again"].ctx.detach()
    assert 0 < (ctx - start).square().mean() < 1
    printed = capsys.readouterr().out
    assert "accuracy" in printed
    assert "HeldCoOp" in printed
