"""What a student has done in a lesson, kept in a file beside the notebook: a restart of the kernel loses nothing.

Git ignores the file. Strict mode and recordings, in which tests and tools run the notebooks, neither read nor write it.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from maple_lite.course.teach.strict import is_strict
from maple_lite.support.files import atomic_write

PLAIN = (str, int, float, bool, type(None))


def progress_file(lesson: str) -> Path | None:
    """The file of a lesson's progress in the folder of the notebook; None outside of notebooks, and where tests run."""
    shell: Any = sys.modules.get("IPython") and sys.modules["IPython"].get_ipython()
    if not hasattr(shell, "kernel") or is_strict() or os.environ.get("MAPLE_LITE_RECORD"):
        return None
    return Path.cwd() / f".maple-lite-{lesson}.json"


def read_progress(file: Path | None) -> dict[str, dict[str, Any]]:
    """What a file of progress holds; {} without a file, or if it cannot be read."""
    try:
        found = json.loads(file.read_text(encoding="utf-8")) if file and file.is_file() else {}
    except (OSError, ValueError):
        return {}
    whole = isinstance(found, dict) and all(isinstance(part, dict) for part in found.values())
    return found if whole else {}


def write_progress(file: Path | None, **parts: dict[str, Any]) -> None:
    """Writes a file of progress, whole or not at all; a folder that cannot be written is no error."""
    if file is None:
        return
    plain = {name: {key: value for key, value in part.items() if _is_plain(value)} for name, part in parts.items()}
    text = json.dumps(plain, indent=1)
    try:
        atomic_write(file, lambda path: path.write_text(text, encoding="utf-8"))
    except OSError:
        return


def _is_plain(value: Any) -> bool:
    """Whether JSON gives a value back as it was."""
    return isinstance(value, PLAIN) or (isinstance(value, list) and all(map(_is_plain, value)))
