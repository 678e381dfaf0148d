"""Small random CLIPs for every test."""

import open_clip
import pytest
import torch

from maple_lite import FrozenCLIP, seeded


def small_open_clip(custom_text: bool = False, **text) -> torch.nn.Module:
    """A random open_clip CLIP of 4 vision and 3 text layers, widths 64 and 48, joint width 32, images of 32 px."""
    vision = dict(layers=4, width=64, head_width=16, patch_size=16, image_size=32)
    text = dict(dict(context_length=77, vocab_size=49408, width=48, heads=3, layers=3), **text)
    kind = open_clip.CustomTextCLIP if custom_text else open_clip.CLIP
    with seeded(0):
        return kind(32, vision, text, quick_gelu=True)


@pytest.fixture(scope="session")
def clip() -> FrozenCLIP:
    return FrozenCLIP(small_open_clip())


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randn(5, 3, 32, 32, generator=torch.Generator().manual_seed(1))
