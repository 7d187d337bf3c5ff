# SPDX-License-Identifier: Apache-2.0
"""The instance of the sliding-window reader, as multiply-accumulate layers and pools use it."""

from __future__ import annotations

from bitwright.hardware.modules.window import Window
from bitwright.hardware.text import CLOCK, Sized, Stream, instance


def emit_reader(name: str, window: Window, pad: int, lanes: int, source: Stream, words: Stream, last: str = "") -> str:
    """Instance of window_reader; padding holds `pad` in every lane, `last` marks a window's last word.

    The reader of `words` is ready without regard to `words.valid`.
    """
    bits = window.width // lanes
    pad_word = Sized(sum(pad << (bits * i) for i in range(lanes)), window.width)
    ports = CLOCK | source.sink() | words.source() | {"m_first_o": "", "m_last_o": last}
    return instance("window_reader", f"i_{name}", window.parameters | {"PadWord": pad_word}, ports)
