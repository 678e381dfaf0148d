"""What runs notebooks under pytest: the environment of their kernels, and cures of known defects of nbval 0.11."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.connect import ConnectionFileMixin
from nbval.plugin import IPyNbCell

OFFLINE = Path(__file__).parent / "tests" / "offline"  # its sitecustomize refuses the network


def pytest_configure(config: pytest.Config) -> None:
    """Prepares the kernels that nbval will start, where it will."""
    if config.getoption("nbval", False) or config.getoption("nbval_lax", False):
        paths = [str(OFFLINE), os.environ.get("PYTHONPATH")]
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        os.environ.setdefault("MAPLE_LITE_MODE", "fast")
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that spin starve the kernel beside them
        _keep_every_message()


def _keep_every_message() -> None:
    """Lifts the limit of 1,000 waiting messages: nbval reads only when a cell is done, and the rest was dropped."""
    connect = ConnectionFileMixin._create_connected_socket

    def connect_without_limit(self: ConnectionFileMixin, *args: Any, **kwargs: Any) -> Any:
        self.context.rcvhwm = 0
        return connect(self, *args, **kwargs)

    ConnectionFileMixin._create_connected_socket = connect_without_limit  # type: ignore[method-assign]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skips the cells after one that failed, which would fail for want of it."""
    failed = getattr(item.parent, "failed_cell", None)
    if failed is not None:
        pytest.skip(f"{failed} of this notebook failed before")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Fails a cell to be compared that was never executed: nbval has nothing to compare and passes it."""
    if isinstance(item, IPyNbCell) and item.options["check"] and item.cell.execution_count is None:
        pytest.fail("this cell is to be compared, but was never executed: make solutions", pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Remembers the first cell of a notebook that fails."""
    report = yield
    if isinstance(item, IPyNbCell) and report.failed and not hasattr(item.parent, "failed_cell"):
        item.parent.failed_cell = item.name
    return report
