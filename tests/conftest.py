"""Small random CLIPs for every test."""

import pytest
import torch

from maple_lite import FrozenCLIP
from maple_lite.support.small import small_open_clip


@pytest.fixture(scope="session")
def clip() -> FrozenCLIP:
    return FrozenCLIP(small_open_clip())


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randn(5, 3, 32, 32, generator=torch.Generator().manual_seed(1))
