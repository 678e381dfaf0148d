"""Names beside points, moved until they cover neither each other nor a point."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

PLACES = [(1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1)]  # around a point
DISTANCES = (6, 13, 22, 32)  # of a label from its point, in typographic points
RADIUS = 4  # of a point that is not covered
HALO = [withStroke(linewidth=2.5, foreground="white")]
LINE: dict[str, Any] = {"arrowstyle": "-", "color": "#7F7F7F", "linewidth": 0.6, "shrinkA": 0, "shrinkB": 3}
SIDES: dict[int, tuple[str, str]] = {-1: ("right", "top"), 0: ("center", "center"), 1: ("left", "bottom")}


def label_points(
    ax: Axes, x: Iterable[float], y: Iterable[float], names: Sequence[str], *, above: bool = False, **kwargs: Any
) -> None:
    """Writes `names` beside the points (x, y), or, with `above`, over them; call it when the limits are set.

    A point without a name ("") gets none, and is not covered. A label that had to go far gets a thin line to its
    point. `kwargs` are properties of the text.
    """
    points = list(zip(x, y, strict=True))
    ax.autoscale_view()
    pixels, scale = ax.transData.transform(points), ax.figure.dpi / 72
    taken = [] if above else [Bbox([point - RADIUS * scale, point + RADIUS * scale]) for point in pixels]
    for point, name in zip(points, names, strict=True):
        if name:
            taken.append(_labelled(ax, point, name, taken, (0,) * above + DISTANCES, kwargs))


def _labelled(
    ax: Axes,
    point: tuple[float, float],
    name: str,
    taken: list[Bbox],
    distances: tuple[int, ...],
    kwargs: dict[str, Any],
) -> Bbox:
    """The box of a label in pixels, set where it hits least of the boxes taken and does not leave the axes."""
    style: dict[str, Any] = {"fontsize": "small", "zorder": 4, "path_effects": HALO} | kwargs
    label = ax.annotate(name, point, (0, 0), textcoords="offset points", **style)

    def hits(place: tuple[int, int]) -> int:
        box = _moved(label, *place)
        return box.count_overlaps(taken) + 2 * (not _holds(ax.bbox, box))

    best = min(((distance * across, distance * up) for distance in distances for across, up in PLACES), key=hits)
    if max(map(abs, best)) > DISTANCES[0]:
        ax.annotate("", point, best, textcoords="offset points", arrowprops=LINE)
    return _moved(label, *best)


def _moved(label: Annotation, across: int, up: int) -> Bbox:
    """The box in pixels of a label put `across` and `up` typographic points from its point, on the facing side."""
    label.set(position=(across, up), ha=SIDES[(across > 0) - (across < 0)][0], va=SIDES[(up > 0) - (up < 0)][1])
    return label.get_window_extent()


def _holds(outer: Any, box: Bbox) -> bool:
    """Whether a box lies inside another."""
    return outer.x0 <= box.x0 and box.x1 <= outer.x1 and outer.y0 <= box.y0 and box.y1 <= outer.y1
