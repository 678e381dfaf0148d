"""The wheel: built here, installed into an empty folder, and used from another one without the extras' packages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from maple_lite import __version__

ROOT = Path(__file__).parent.parent
CORE_ONLY = Path(__file__).parent / "core_only"  # its sitecustomize hides the packages of the extras
PIP = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([*PIP, "wheel", "--no-deps", "--no-build-isolation", "-w", str(folder), str(ROOT)], check=True)
    (file,) = folder.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def session(wheel, tmp_path_factory) -> dict:
    """What `core_only/session.py` found with the installed wheel, in an empty folder."""
    site, empty = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("empty")
    subprocess.run([*PIP, "install", "--no-deps", "--no-index", "--target", str(site), str(wheel)], check=True)
    paths = {"PYTHONPATH": os.pathsep.join([str(CORE_ONLY), str(site)])}
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAPLE_LITE_")} | paths
    program = (CORE_ONLY / "session.py").read_text(encoding="utf-8")
    run = subprocess.run([sys.executable, "-c", program], cwd=empty, env=env, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return {"site": str(site), **json.loads(run.stdout.splitlines()[-1])}


def test_the_wheel_holds_what_the_package_reads_and_no_more(wheel):
    assert wheel.name == f"maple_lite-{__version__}-py3-none-any.whl"
    names = zipfile.ZipFile(wheel).namelist()
    code = {f"maple_lite/{path.relative_to(ROOT / 'maple_lite')}" for path in (ROOT / "maple_lite").rglob("*.py")}
    assert {*code, "maple_lite/py.typed", "maple_lite/data/expected.json"} <= set(names)
    tops = {name.split("/")[2] for name in names if name.startswith("maple_lite/data/")}
    assert tops == {"expected.json", "glyphs", "glyphs.csv", "paper", "pictures.csv", "results", "tiny-clip"}
    assert not [name for name in names if "learners/" in name]
    assert not [
        name for name in names if name.split("/")[0] not in ("maple_lite", f"maple_lite-{__version__}.dist-info")
    ]


def test_the_installed_package_trains_and_tests_without_the_extras(session):
    assert Path(session["file"]) == Path(session["site"]) / "maple_lite" / "__init__.py"
    assert session["steps"] == 6
    assert 100 / 3 < session["accuracy"] <= 100


@pytest.mark.parametrize(
    "command, words",
    [
        ("info", f"maple-lite {__version__}"),
        ("presets", "derived, unpublished"),
        ("datasets", "imagenet"),
        ("train", "prompts: coop.safetensors"),
    ],
)
def test_the_installed_commands_work_without_the_extras(session, command, words):
    status, said = session["commands"][command]
    assert status == 0, said
    assert words in said


def test_a_command_that_needs_an_extra_says_which(session):
    needs = "maple-lite: a cluster needs distributed: pip install 'maple-lite[cluster]'.\n"
    assert session["commands"]["benchmark"] == [2, needs]


@pytest.mark.parametrize("module", ["course.plots", "course.ladder", "course.gallery"])
def test_what_needs_an_extra_says_which(session, module):
    assert session["sentences"][module].endswith(" needs matplotlib and seaborn: pip install 'maple-lite[plots]'.")
