"""The instance of the sliding-window reader, as multiply-accumulate layers and pools use it."""

from __future__ import annotations

from bitwright.rtl.window import Window
from bitwright.targets.tlmac.verilog import CLOCK, Stream, instance, literal


def emit_reader(window: Window, pad: int, lanes: int, source: Stream, words: Stream) -> str:
    """Instance of window_reader whose padding words hold `pad` in every lane; marks in window_first, window_last."""
    bits = window.width // lanes
    pad_word = literal(sum(pad << (bits * i) for i in range(lanes)), window.width)
    marks = {"m_first_o": "window_first", "m_last_o": "window_last"}
    ports = CLOCK | source.sink() | words.source() | marks
    text = "  logic window_first, window_last;\n"
    return text + instance("window_reader", "i_window", window.parameters | {"PadWord": pad_word}, ports)
