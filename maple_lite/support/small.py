"""A small random open_clip model for checks and tests: it runs in milliseconds and knows nothing."""

from __future__ import annotations

from typing import Any

import open_clip
from torch import nn

from maple_lite.support.seeds import seeded

SMALL_VISION: dict[str, Any] = dict(layers=4, width=64, head_width=16, patch_size=16, image_size=32)
SMALL_TEXT: dict[str, Any] = dict(layers=3, width=48, heads=3)


def small_open_clip(kind: type[nn.Module] = open_clip.CLIP, **text: Any) -> nn.Module:
    """A random open_clip model for checks: 4 vision and 3 text layers, widths 64 and 48, joint width 32, 32 px.

    `kind` is `open_clip.CLIP` or `open_clip.CustomTextCLIP`; `text` changes settings of the text tower.
    """
    with seeded(0):
        return kind(32, SMALL_VISION, {**SMALL_TEXT, **text}, quick_gelu=True)
