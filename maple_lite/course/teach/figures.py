"""Figures that can also be read, and controls to play with."""

from __future__ import annotations

import base64
import io
import textwrap
from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
from IPython.display import display
from ipywidgets import Widget, interactive
from matplotlib.figure import Figure
from PIL import Image

from maple_lite.course.teach.strict import is_strict

DPI, SHOWN_DPI = 200, 100  # dots per inch of the file, and of the page that shows it: sharp screens have two for one
COLOURS = 255  # of a picture's palette
LINE = 110  # characters of a caption's line


def show(figure: Figure, alt: str, caption: str | None = None) -> None:
    """Displays a figure with its alt text, prints a caption below it, and closes the figure.

    `alt` says what is drawn, for those who cannot see it. It is kept in the output's metadata. `caption`, if there is
    one, says what to see in the figure. Raises ValueError without an alt text.

    >>> from maple_lite.course.plots import plot_loss
    >>> alt = "The loss over 120 training steps: 2.1 at the start, 0.3 at the end."
    >>> show(plot_loss(history.frame()).figure, alt, "Most of the fall happens in the second epoch.")
    """
    display(_Picture(figure, alt))
    if caption:
        print(textwrap.fill(" ".join(caption.split()), LINE))


def explore(fn: Callable[..., tuple[Figure, str]], **controls: Any) -> None:
    """Displays the (figure, alt) of `fn` at the initial values of its controls, and below it the controls.

    A control is a list of choices (starting at the first), a (low, high) or (low, high, step) range (starting in the
    middle), a bool, or an ipywidgets widget. Moving one redraws figure and sentence in their place. `fn` is a pure
    function of their values and quick: it draws, and trains nothing.
    Raises ValueError for a control that makes no widget.

    >>> def draw_line(slope):
    ...     figure, ax = plt.subplots()
    ...     ax.plot([0, 1], [0, slope])
    ...     return figure, f"A line of slope {slope}."
    >>> explore(draw_line, slope=(1, 6))
    """
    widgets = {name: _widget(name, control) for name, control in controls.items()}

    def draw(**moved: Any) -> _Picture:
        return _Picture(*fn(**{name: widget.value for name, widget in widgets.items()} | moved))

    def redraw(change: Any) -> None:
        drawn = draw()
        picture.update(drawn)
        sentence.update({"text/plain": str(drawn)}, raw=True)

    first = draw()
    if widgets and is_strict():
        _try_ends(first, draw, widgets)
    picture = display(first, display_id=True)
    sentence = display({"text/plain": str(first)}, raw=True, display_id=True)
    for widget in widgets.values():
        widget.observe(redraw, names="value")
        display(widget)


def _try_ends(first: _Picture, draw: Callable[..., _Picture], widgets: dict[str, Any]) -> None:
    """Draws with every control moved to its end, as a reader may; RuntimeError if no picture and sentence change.

    Strict mode does it, in which tests run the lessons.
    """
    moved = [draw(**{name: _end(widget)}) for name, widget in widgets.items()]
    if not any(picture.png != first.png and picture.alt != first.alt for picture in moved):
        raise RuntimeError(
            f"no control ({', '.join(widgets)}) changes the figure and its sentence: look at the function."
        )


def _end(widget: Any) -> Any:
    """The value of a control at its end: the last choice, the highest number, the other of True and False."""
    if hasattr(widget, "options"):
        before, widget.index = widget.index, len(widget.options) - 1
        last, widget.index = widget.value, before
        return last
    return not widget.value if isinstance(widget.value, bool) else getattr(widget, "max", widget.value)


class _Picture:
    """A figure as notebooks display it: a PNG with alt text. The figure is closed."""

    def __init__(self, figure: Figure, alt: str) -> None:
        if not isinstance(alt, str) or not alt.strip():
            raise ValueError("a figure needs an alt text: a sentence that says what there is to see.")
        self.alt = " ".join(alt.split())
        file, small = io.BytesIO(), io.BytesIO()
        figure.savefig(file, format="png", dpi=DPI, bbox_inches="tight", metadata={"Software": None})
        plt.close(figure)
        picture = Image.open(file).convert("RGB")
        self.width = round(picture.width * SHOWN_DPI / DPI)
        picture.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(
            small, format="png", optimize=True
        )
        self.png = base64.b64encode(small.getvalue()).decode()

    def __str__(self) -> str:
        return textwrap.fill(self.alt, LINE)

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, str], dict[str, Any]]:
        """Data and metadata of the picture, as IPython asks for them."""
        about = {"alt": self.alt, "width": self.width}
        return {"image/png": self.png, "text/plain": self.alt}, {"image/png": about}


def _widget(name: str, control: Any) -> Any:
    """The ipywidgets widget of a control; a slider reports when it is let go, not while it moves."""
    widget = control if isinstance(control, Widget) else interactive.widget_from_abbrev(control)
    if widget is None:
        raise ValueError(f"control {name!r} must be a list of choices, a range, a bool or a widget, got {control!r}.")
    if not widget.description:
        widget.description = name.replace("_", " ")
    if hasattr(widget, "continuous_update"):
        widget.continuous_update = False
    return widget
