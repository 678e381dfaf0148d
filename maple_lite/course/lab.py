"""JupyterLab on the course: `maple-lite lab`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from maple_lite.support.extras import require_extra

FIRST = "00_start_here.ipynb"


def open_lab(notebooks: Path, options: list[str] | None = None) -> int:
    """JupyterLab's exit status, after it ran on the folder `notebooks` with the first lesson open.

    Without a terminal it opens no browser: it prints its address. `options` go to JupyterLab.
    Raises FileNotFoundError where the notebooks are not, and ImportError where JupyterLab is not installed.
    """
    if not (notebooks / FIRST).is_file():
        raise FileNotFoundError(f"{notebooks / FIRST} is missing: run this in a clone of the repository.")
    require_extra("the course", "course", "jupyterlab", "ipywidgets", "matplotlib", "seaborn")
    root = f"--ServerApp.root_dir={notebooks.parent}"  # so that solutions/ can be opened, too
    command = [sys.executable, "-m", "jupyterlab", str(notebooks / FIRST), root, *(options or [])]
    if not sys.stdout.isatty():
        command.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")  # as in containers; else it refuses to start
    try:
        return subprocess.run(command, check=False).returncode
    except KeyboardInterrupt:
        return 0
