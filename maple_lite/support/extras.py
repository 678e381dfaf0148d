"""Packages that only a part of MaPLe Lite needs: they come with an extra of the installation."""

from __future__ import annotations

from importlib.util import find_spec


def require_extra(what: str, extra: str, *packages: str) -> None:
    """Raises ImportError, with the command that mends it, unless all `packages` that `what` needs are installed.

    >>> require_extra("a figure", "plots", "no_such_package")
    Traceback (most recent call last):
    ImportError: a figure needs no_such_package: pip install 'maple-lite[plots]'.
    """
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise ImportError(f"{what} needs {' and '.join(missing)}: pip install 'maple-lite[{extra}]'.")
