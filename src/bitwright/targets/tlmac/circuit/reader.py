# SPDX-License-Identifier: Apache-2.0
"""The instance of the sliding-window reader, as multiply-accumulate layers and pools use it."""

from __future__ import annotations

from bitwright.hardware.modules.window import Window
from bitwright.hardware.text import CLOCK, Sized, Stream, instance


def emit_reader(window: Window, pad: int, lanes: int, source: Stream, words: Stream) -> str:
    """Instance of window_reader; padding holds `pad` in every lane, the marks are <words>_first and <words>_last."""
    bits = window.width // lanes
    pad_word = Sized(sum(pad << (bits * i) for i in range(lanes)), window.width)
    marks = {f"m_{mark}_o": f"{words.name}_{mark}" for mark in ("first", "last")}
    ports = CLOCK | source.sink() | words.source() | marks
    text = f"  logic {words.name}_first, {words.name}_last;\n"
    return text + instance("window_reader", f"i_{words.name}", window.parameters | {"PadWord": pad_word}, ports)
