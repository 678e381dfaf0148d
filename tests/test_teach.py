"""Figures that can be read, and controls that redraw them."""

from __future__ import annotations

import base64
import io

import ipywidgets
import matplotlib
import matplotlib.pyplot as plt
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from PIL import Image

from maple_lite.course import explore, show

matplotlib.use("agg")
PNG = b"\x89PNG"


@pytest.fixture
def shell():
    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()


def draw(height=1, colour="blue"):
    figure, ax = plt.subplots(figsize=(1, 1))
    ax.bar([0], [height], color=colour)
    return figure, f"A {colour} bar, {height} high."


def test_show_displays_a_sharp_png_with_its_alt_text_prints_the_caption_and_closes_the_figure(shell):
    figure, _ = draw()
    with capture_output() as captured:
        show(figure, "A bar\n  of height one.", "It is\n  the only one.")
    (output,) = captured.outputs
    assert base64.b64decode(output.data["image/png"]).startswith(PNG)
    assert output.data["text/plain"] == "A bar of height one."
    about = output.metadata["image/png"]
    assert about["alt"] == "A bar of height one."
    pixels = Image.open(io.BytesIO(base64.b64decode(output.data["image/png"]))).width
    assert pixels == pytest.approx(2 * about["width"], abs=1)
    assert captured.stdout == "It is the only one.\n"
    assert plt.get_fignums() == []


def test_a_figure_without_a_caption_prints_nothing(shell):
    with capture_output() as captured:
        show(*draw())
    assert captured.stdout == ""


def test_a_long_caption_is_printed_in_lines_that_fit(shell):
    with capture_output() as captured:
        show(draw()[0], "word " * 100, "word " * 100)
    assert max(map(len, captured.stdout.splitlines())) <= 110
    assert captured.outputs[0].metadata["image/png"]["alt"] == ("word " * 100).strip()


def test_the_same_figure_is_the_same_bytes(shell):
    with capture_output() as captured:
        show(*draw())
        show(*draw())
    assert captured.outputs[0].data == captured.outputs[1].data


@pytest.mark.parametrize("alt", ["", "  \n", None])
def test_a_figure_without_alt_text_is_refused(alt):
    figure, _ = draw()
    with pytest.raises(ValueError, match="a figure needs an alt text"):
        show(figure, alt)
    plt.close(figure)


def test_explore_shows_a_figure_before_its_controls(shell):
    with capture_output() as captured:
        explore(draw, height=(1, 5), colour=["red", "green"])
    picture, sentence, *controls = captured.outputs
    assert picture.metadata["image/png"]["alt"] == sentence.data["text/plain"] == "A red bar, 3 high."
    assert len(controls) == 2
    assert all("application/vnd.jupyter.widget-view+json" in control.data for control in controls)
    assert plt.get_fignums() == []


def test_a_moved_control_redraws_figure_and_sentence_in_their_places(shell, monkeypatch):
    slider = ipywidgets.IntSlider(value=1, min=1, max=5)
    with capture_output() as captured:
        explore(draw, height=slider)
    first = captured.outputs[0].data["image/png"]
    updates = []
    monkeypatch.setattr(shell.display_pub, "publish", lambda data, **kwargs: updates.append((data, kwargs)))
    slider.value = 4
    (picture, about), (sentence, _) = updates
    assert about["update"]
    assert about["metadata"]["image/png"]["alt"] == sentence["text/plain"] == "A blue bar, 4 high."
    assert base64.b64decode(picture["image/png"]).startswith(PNG)
    assert picture["image/png"] != first
    assert (slider.description, slider.continuous_update) == ("height", False)


def test_in_strict_mode_every_control_is_moved_to_its_end(shell, monkeypatch):
    drawn = []

    def note(height, colour, wide):
        drawn.append((height, colour, wide))
        return draw(height, colour)

    controls = dict(height=(1, 5), colour=["red", "green"], wide=False)
    explore(note, **controls)
    assert drawn == [(3, "red", False)]
    monkeypatch.setenv("MAPLE_LITE_STRICT", "1")
    with capture_output() as captured:
        explore(note, **controls)
    assert drawn[1:] == [(3, "red", False), (5, "red", False), (3, "green", False), (3, "red", True)]
    assert captured.outputs[0].metadata["image/png"]["alt"] == "A red bar, 3 high."
    with pytest.raises(RuntimeError, match=r"no control \(height\) changes the figure and its sentence"):
        explore(lambda height: draw(), height=(1, 5))


def test_the_place_of_a_figure_is_its_own(shell, monkeypatch):
    shown = []
    monkeypatch.setattr(shell.display_pub, "publish", lambda data, **kwargs: shown.append(kwargs["transient"]))
    explore(draw)
    explore(draw)
    assert len({place["display_id"] for place in shown}) == 4


def test_what_makes_no_control_is_refused():
    with pytest.raises(ValueError, match=r"control 'height' must be a list of choices, .* got <object"):
        explore(draw, height=object())
