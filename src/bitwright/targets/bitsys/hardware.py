# SPDX-License-Identifier: Apache-2.0
"""The hardware configuration: what is fixed when the bitstream is made."""

from __future__ import annotations

import math
import os
import tomllib
from dataclasses import MISSING, dataclass, fields
from pathlib import Path

from bitwright.errors import OptionError
from bitwright.files import read_text
from bitwright.parsing import summary

UNITS = ("container", "bitplane", "fixed", "dsp")
PORTS = (1, 2, 4)
LATENCY = {"container": 5, "bitplane": 7, "fixed": 3, "dsp": 6}  # from a word to the sum that it completes
PRESETS = Path(__file__).with_name("presets")
PLANE_CHANNELS = 64
SOURCE_BYTES = 1 << 20
MOST_ROWS = 64
LIMITS = {  # of sizes that are powers of two
    "columns": (8, 64),
    "row_words": (16, 1024),
    "act_words": (64, 65536),
    "weight_lines": (64, 1 << 19),
    "param_groups": (8, 16384),
    "table_entries": (8, 65536),
    "output_groups": (8, 65536),
    "layers": (2, 128),
}


@dataclass(frozen=True)
class Hardware:
    """Unit kind and sizes; all memories are on chip. One group is eight channels.

    unit: container (1/2/4/8 bits), bitplane (any widths), fixed (plain 8-bit multipliers or DSPs),
    dsp (two 8-bit products in a DSP block).
    rows x columns: pixels and output channels that are computed at once. row_words, act_words: 64-bit words of a
    pixel's window and of all activations. weight_lines: operand words of each column. param_groups, table_entries:
    channel groups with parameters, entries of thresholds and tables. output_groups: groups of 32-bit results.
    weight_stream: whether weights that do not fit come in on a stream of their own. m_axi: bits of a beat of external
    memory's port, 64, or 0 where there is none; memory_mib: MiB of that memory. port_words: words of activations that
    are read at once.
    """

    name: str
    unit: str
    rows: int
    columns: int
    row_words: int
    act_words: int
    weight_lines: int
    param_groups: int
    table_entries: int
    output_groups: int
    layers: int
    multiplier_bits: int
    weight_stream: bool
    m_axi: int = 0
    memory_mib: int = 256
    port_words: int = 1

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise OptionError(f"hardware {self.name}: unit is {self.unit!r}; legal are {', '.join(UNITS)}")
        rows = self.rows
        if not isinstance(rows, int) or not 2 <= rows <= MOST_ROWS or rows % 2:
            raise OptionError(f"hardware {self.name}: rows is {rows!r}; legal are even numbers, 2 to {MOST_ROWS}")
        for name, (low, high) in LIMITS.items():
            value = getattr(self, name)
            if not isinstance(value, int) or not low <= value <= high or value & (value - 1):
                raise OptionError(
                    f"hardware {self.name}: {name} is {value!r}; legal are powers of two, {low} to {high}"
                )
        bits = self.multiplier_bits
        if not isinstance(bits, int) or not 2 <= bits <= 32:
            raise OptionError(f"hardware {self.name}: multiplier_bits is {bits!r}; legal are 2 to 32")
        if not isinstance(self.weight_stream, bool):
            raise OptionError(f"hardware {self.name}: weight_stream is {self.weight_stream!r}; legal are true, false")
        self._check_ports()
        if 2 * self.weight_lines * self.line_words > 1 << 19:
            most = (1 << 19) // (2 * self.line_words)
            raise OptionError(f"hardware {self.name}: weight_lines is {self.weight_lines}; legal are at most {most}")

    def _check_ports(self) -> None:
        ports = (1,) if self.planes else PORTS
        if self.port_words not in ports or isinstance(self.port_words, bool):
            legal = ", ".join(map(str, ports))
            raise OptionError(f"hardware {self.name}: port_words is {self.port_words!r}; legal are {legal}")
        if self.m_axi not in (0, 64) or isinstance(self.m_axi, bool):
            raise OptionError(f"hardware {self.name}: m_axi is {self.m_axi!r}; legal are 0 and 64")
        mib = self.memory_mib
        if not isinstance(mib, int) or not 1 <= mib <= 1 << 15:
            raise OptionError(f"hardware {self.name}: memory_mib is {mib!r}; legal are 1 to {1 << 15}")
        if self.m_axi and self.weight_stream:
            raise OptionError(f"hardware {self.name}: weights come by m_axi or by weight_stream; legal is one of them")

    @property
    def external(self) -> bool:
        """Whether there is external memory."""
        return self.m_axi > 0

    @property
    def planes(self) -> bool:
        """Whether activations are stored as bit planes."""
        return self.unit == "bitplane"

    @property
    def bytes_only(self) -> bool:
        """Whether operands take a byte each, whatever their width."""
        return self.unit in ("fixed", "dsp")

    @property
    def word_bits(self) -> int:
        """Bits of an operand word."""
        return 64 if self.planes else 8

    @property
    def line_words(self) -> int:
        """64-bit words of a weight line."""
        return self.columns * self.word_bits // 64

    @property
    def slots(self) -> int:
        """Tiles whose sums the result buffer holds: all on their way, in LUT memories of 32 words at least."""
        return max(4, 32 >> (self.rows - 1).bit_length())

    @property
    def latency(self) -> int:
        """Cycles of the unit, from a word to the sum that it completes."""
        return LATENCY[self.unit]

    @property
    def operands(self) -> int:
        """Cycles of row buffers and weights, to the operand words of the first row and column."""
        return 3 + int(self.port_words > 1)

    def reads(self, words: int) -> int:
        """Reads of the activation memory for words that follow each other."""
        return math.ceil(words / self.port_words)

    def buffered(self, words: int) -> int:
        """Words that these take in a row buffer."""
        return self.reads(words) * self.port_words

    def parameters(self) -> dict[str, int]:
        """Parameters of module bitsys_core."""
        return {
            "Unit": UNITS.index(self.unit),
            "Rows": self.rows,
            "Columns": self.columns,
            "Slots": self.slots,
            "RowWords": self.row_words,
            "WeightLines": self.weight_lines,
            "ActWords": self.act_words,
            "ParamGroups": self.param_groups,
            "TableEntries": self.table_entries,
            "OutputGroups": self.output_groups,
            "Layers": self.layers,
            "MultiplierBits": self.multiplier_bits,
            "WeightStream": int(self.weight_stream),
            "External": int(self.external),
            "PortWords": self.port_words,
        }


def presets() -> list[str]:
    """Their names, sorted."""
    return sorted(path.stem for path in PRESETS.glob("*.toml"))


def load(source: str) -> Hardware:
    """A preset by its name, or a TOML file by its path; `OptionError` says what is wrong with it."""
    names = presets()
    path = PRESETS / f"{source}.toml" if source in names else Path(source)
    if not os.path.lexists(path):
        raise OptionError(f"hardware {source!r} is neither a preset ({', '.join(names)}) nor a TOML file")
    try:
        values = tomllib.loads(read_text(path, OptionError, SOURCE_BYTES))
    except (ValueError, RecursionError) as error:
        raise OptionError(f"hardware {source!r}: {summary(error)}") from None
    legal = [f.name for f in fields(Hardware) if f.name != "name"]
    optional = {f.name for f in fields(Hardware) if f.default is not MISSING}
    wrong = sorted((set(values) ^ set(legal)) - (optional - set(values)))
    if wrong:
        shown = ", ".join(name[:40] for name in wrong[:20])
        raise OptionError(f"hardware {source!r}: fields {shown} are missing or unknown; all of {', '.join(legal)}")
    large = [name for name, value in values.items() if isinstance(value, int) and abs(value) >= 1 << 63]
    if large:
        raise OptionError(f"hardware {source!r}: {large[0]} has more than 64 bits")
    return Hardware(path.stem, **values)
