"""Every part of the package on a device that is not the CPU, without hardware: nothing is left behind on the CPU."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from maple_lite import METHODS

PARTS = [*METHODS, "chunks", "tasks", "load_clip"]


@pytest.fixture(scope="module")
def found() -> dict:
    """What tests/on_a_device.py finds, in a process of its own: torch keeps a registered device until the end."""
    script = Path(__file__).parent / "on_a_device.py"
    return json.loads(subprocess.run([sys.executable, script], check=True, capture_output=True, text=True).stdout)


@pytest.mark.parametrize("part", PARTS)
def test_another_device_computes_what_the_cpu_does(found, part):
    came, expected = found["strict"][part], found["cpu"][part]
    assert not isinstance(came, str), came  # an error's words
    assert came == pytest.approx(expected, abs=1e-3)


def test_the_device_refuses_a_tensor_that_was_left_on_the_cpu(found):
    assert found["cpu"]["a tensor left behind"] == "(2, 3)"
    assert "all tensors must be on the same device" in found["strict"]["a tensor left behind"]
