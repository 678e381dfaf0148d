"""The widgets of the notebooks in a real browser: JupyterLab is started, cells run, a control is moved."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, sync_playwright

ROOT = Path(__file__).parent.parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SECONDS = 300  # that a notebook may take to reach its controls
NOTEBOOKS = ("00_start_here.ipynb", "03_coop.ipynb")  # a menu, a slider; strict mode moves the controls of every lesson


def browser_path() -> str:
    """The installed browser; without one this fails in CI, where it must be, and skips elsewhere."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None and os.environ.get("CI"):
        pytest.fail("CI needs a browser: apt-get install chromium")
    if found is None:
        pytest.skip("no Chromium here: install one to test the widgets")
    return str(found)


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Iterator[str]:
    """The address of a JupyterLab on copies of the notebooks."""
    folder = tmp_path_factory.mktemp("lab")
    for name in NOTEBOOKS:
        shutil.copy(ROOT / "notebooks" / name, folder)
    options = ["--port=0", "--IdentityProvider.token=", f"--ServerApp.root_dir={folder}", "--ServerApp.port_retries=0"]
    options.append("--ServerApp.disable_check_xsrf=True")  # for stopping kernels
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", *options]
    settings = folder / ".settings" / "@jupyterlab" / "notebook-extension" / "tracker.jupyterlab-settings"
    settings.parent.mkdir(parents=True)
    settings.write_text('{"windowingMode": "none"}')  # cells out of sight are drawn too
    folders = {"CONFIG_DIR": ".config", "RUNTIME_DIR": ".runtime"}
    own = {f"JUPYTER_{name}": str(folder / path) for name, path in folders.items()}
    own |= {"JUPYTERLAB_SETTINGS_DIR": str(folder / ".settings"), "OMP_WAIT_POLICY": "PASSIVE"}
    log = folder / ".log"
    with log.open("w") as stream:
        server = subprocess.Popen(command, stdout=stream, stderr=stream, env={**os.environ, **own})
    try:
        yield wait_for(server, log)
    finally:
        server.terminate()
        server.wait(30)


def wait_for(server: subprocess.Popen, log: Path) -> str:
    """The address that a server prints, once it answers."""
    for _ in range(120):
        addresses = [word for word in log.read_text().split() if word.startswith("http://localhost:")]
        if addresses:
            address = addresses[0].partition("/lab")[0]
            with urllib.request.urlopen(f"{address}/api", timeout=30):
                return address
        assert server.poll() is None, log.read_text()
        time.sleep(0.5)
    raise AssertionError(f"JupyterLab did not start: {log.read_text()}")


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    """A page of a headless browser."""
    path = browser_path()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser.new_page(viewport={"width": 1300, "height": 1400})
        browser.close()


@pytest.fixture
def kernels(lab) -> Iterator[None]:
    """Stops the kernels that a test leaves running: each holds a gigabyte."""
    yield
    with urllib.request.urlopen(f"{lab}/api/kernels", timeout=30) as answer:
        running = json.load(answer)
    for kernel in running:
        request = urllib.request.Request(f"{lab}/api/kernels/{kernel['id']}", method="DELETE")
        urllib.request.urlopen(request, timeout=30).close()


@pytest.mark.parametrize("name", NOTEBOOKS)
@pytest.mark.usefixtures("kernels")
def test_moving_a_control_changes_the_figure_and_its_sentence(name, lab, page):
    page.goto(f"{lab}/lab/tree/{name}?reset")
    page.wait_for_selector(".jp-NotebookPanel .jp-Cell", timeout=60_000)
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]", timeout=60_000)
    cell = controls(page)
    before = seen(cell)
    move(page, cell)
    deadline = time.monotonic() + 30
    while seen(cell)[0] == before[0] and time.monotonic() < deadline:
        page.wait_for_timeout(250)
    after = seen(cell)
    assert after[0] != before[0], "the figure did not change"
    assert after[1] != before[1], "the sentence below the figure did not change"


def controls(page: Page) -> Locator:
    """The first cell with controls, scrolled to, once all cells were run.

    They are run again where nothing is queued and no controls have come: a kernel that dies while it starts (its ports
    were taken meanwhile) is started anew by the server, and forgets the cells that waited for it.
    """
    cell = page.locator(".jp-CodeCell", has=page.locator(".jupyter-widgets")).first
    queued = page.locator(".jp-InputPrompt", has_text="[*]")
    deadline = time.monotonic() + SECONDS
    while not cell.count() and time.monotonic() < deadline:
        if not queued.count():
            run_all(page)
        page.wait_for_timeout(5_000)
    cell.wait_for(state="attached", timeout=1_000)
    cell.locator(".jupyter-widgets").first.scroll_into_view_if_needed()
    return cell


def run_all(page: Page) -> None:
    """Starts all cells of the open notebook, once it was said that a kernel died if one did."""
    for button in page.locator(".jp-Dialog .jp-mod-accept").all():
        button.click()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()


def seen(cell: Locator) -> tuple[str, str]:
    """The picture and the text of a cell's output."""
    return str(cell.locator("img").first.get_attribute("src")), cell.locator(".jp-OutputArea").first.inner_text()


def move(page: Page, cell: Locator) -> None:
    """Chooses the last of a menu's entries, or moves a slider to its end."""
    menu = cell.locator("select")
    if menu.count():
        menu.first.select_option(index=menu.first.locator("option").count() - 1)
        return
    cell.locator(".noUi-handle").first.focus()
    page.keyboard.press("End")
