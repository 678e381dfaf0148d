"""The command line, and the benchmark's own arithmetic."""

import re
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
import speed
import torch
import yaml
from torch import nn

from maple_lite import METHODS, CoCoOp, MaPLe, PromptedCLIP, __version__, load_clip
from maple_lite.cli import main as cli
from maple_lite.experiments.titles import TITLES

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_selfcheck_shows_maple_and_coop_beside_zero_shot_clip(capsys):
    assert cli.main(["selfcheck"]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = {line.split()[0]: [float(number) for number in line.split()[1:]] for line in lines[5:8]}
    assert list(rows) == ["zero-shot", "CoOp", "MaPLe"]
    assert rows["MaPLe"][0] > rows["zero-shot"][0]
    assert load_clip().fingerprint in lines[1]


def test_selfcheck_fails_where_training_does_not_help(monkeypatch, capsys):
    monkeypatch.setattr("maple_lite.experiments.run.fit", lambda *args, **kwargs: None)
    assert cli.main(["selfcheck"]) == 2
    assert "training did not help: MaPLe names" in capsys.readouterr().err


def test_presets_are_a_row_per_method(capsys):
    assert cli.main(["presets", "--task", "cross-dataset", "--source", "objects"]) == 0
    lines = capsys.readouterr().out.strip().splitlines()
    assert [line.split()[0] for line in lines] == ["method", *METHODS]
    maple = next(line for line in lines if line.split()[0] == "maple")
    assert maple.split()[-6:-2] == ["2", "0.0026", "4", "3"]  # epochs, lr, batch size, depth
    assert "derived, unpublished" in lines[4]


def test_every_method_has_a_name_to_read():
    assert list(TITLES) == list(METHODS)


def test_info_names_versions_and_device(capsys):
    assert cli.main(["info"]) == 0
    out = capsys.readouterr().out
    assert f"maple-lite {__version__}, torch {torch.__version__}" in out
    assert "device: " in out


def test_pretrain_is_a_subcommand(capsys):
    assert cli.main(["pretrain"]) == 2
    assert capsys.readouterr().err.startswith("maple-lite: name either a folder to write, --out FOLDER")


@pytest.mark.parametrize("command", [name for name in cli.COMMANDS if name != "datasets"])
def test_every_option_says_its_default(command):
    parsers = cli.make_parser()._subparsers._group_actions[0].choices
    for action in parsers[command]._actions:
        if action.option_strings and action.dest != "help":
            words = r" \(required\)$" if action.required else r" \(default: .+\)$"
            assert re.search(words, action.help), (command, action.option_strings)
            assert "without it" not in action.help
    assert "None" not in parsers[command].format_help()


def test_bad_input_is_one_sentence_and_status_2(capsys):
    assert cli.main(["presets", "--task", "base-to-new"]) == 2
    err = capsys.readouterr().err
    assert err == "maple-lite: unknown task 'base-to-new': did you mean 'base-to-novel'?\n"


def test_an_unknown_command_names_the_known_ones(capsys):
    with pytest.raises(SystemExit) as exit:
        cli.main(["selfchek"])
    assert exit.value.code == 2
    assert "selfcheck" in capsys.readouterr().err


def test_the_example_of_the_readme_runs(capsys):
    exec(README.split("```python")[1].split("```")[0], {})
    assert capsys.readouterr().out.startswith("(")


def test_the_lines_without_make_are_what_make_does():
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split("## Without make")[1]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("$(BIN)", ".venv/bin")
    makefile = makefile.replace("python -m pip install --quiet --disable-pip-version-check", "pip install")
    lines = contributing.split("```")[1].strip().splitlines()
    assert len(lines) == 10
    for line in lines[1:]:
        assert line.split("#")[0].strip() in makefile, line


def test_the_version_is_kept_once():
    assert 'path = "maple_lite/support/version.py"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["version"] == __version__
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## [{__version__}]" in changes


@pytest.mark.parametrize("kind", [MaPLe, CoCoOp])
def test_the_benchmarks_plain_way_computes_the_same(clip, images, kind):
    model = PromptedCLIP(clip, kind(clip), speed.NAMES[:7])
    slow = speed.plain(model)
    assert slow.tokens.shape[1] == 77 > model.tokens.shape[1]
    logits = speed.image_by_image(slow, images) if kind is CoCoOp else slow(images)
    torch.testing.assert_close(logits, model(images), atol=1e-5, rtol=0)


def test_the_benchmarks_flops_are_the_formulas():
    """Attention of [2, 10, 32]: four projections of 2 d^2 a token, and two products of 2 L^2 d."""
    attention, x = nn.MultiheadAttention(32, 4, batch_first=True).eval(), torch.randn(2, 10, 32)
    with torch.no_grad():
        counted = speed.flops(lambda: attention(x, x, x, need_weights=False))
    assert counted == 2 * (10 * 8 * 32**2 + 4 * 10**2 * 32)


def test_the_benchmarks_names_are_two_words_and_enough():
    assert len(set(speed.NAMES)) >= 1000
    assert all(len(name.split()) == 2 for name in speed.NAMES)


def test_lab_runs_jupyterlab_on_the_first_lesson_without_a_browser_where_there_is_no_terminal(monkeypatch, capsys):
    commands = []
    monkeypatch.setattr("subprocess.run", lambda command, check: commands.append(command) or Ended(0))
    assert cli.main(["lab", "--", "--port", "9000"]) == 0
    (command,) = commands
    first, root = ROOT / "notebooks" / "00_start_here.ipynb", f"--ServerApp.root_dir={ROOT}"
    assert command[1:7] == ["-m", "jupyterlab", str(first), root, "--port", "9000"]
    assert "--no-browser" in command
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert cli.main(["lab"]) == 0
    assert "--no-browser" not in commands[1]


def test_lab_says_what_is_missing(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("subprocess.run", lambda command, check: Ended(3))
    assert cli.main(["lab"]) == 2
    assert "JupyterLab ended with status 3" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "jupyterlab", None)
    assert cli.main(["lab"]) == 2
    assert capsys.readouterr().err == "maple-lite: the course needs jupyterlab: pip install 'maple-lite[course]'.\n"
    monkeypatch.setenv("MAPLE_LITE_DATA", str(tmp_path))
    assert cli.main(["lab"]) == 2
    assert "00_start_here.ipynb is missing: run this in a clone" in capsys.readouterr().err


class Ended(NamedTuple):
    """What `subprocess.run` returns."""

    returncode: int
