"""What the lessons use: checks of exercises, figures that can be read, controls to play with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from maple_lite.course.session import session
from maple_lite.support.extras import require_extra

if TYPE_CHECKING:
    from maple_lite.course.teach.figures import explore, show

__all__ = ["explore", "session", "show"]


def __getattr__(name: str) -> Any:
    """`explore` and `show`, imported when they are first asked for: the rest of the course needs no notebook."""
    if name not in ("explore", "show"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    require_extra("a notebook's figure", "course", "matplotlib", "IPython", "ipywidgets")
    from maple_lite.course.teach import figures

    return getattr(figures, name)
