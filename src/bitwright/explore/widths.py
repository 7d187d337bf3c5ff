# SPDX-License-Identifier: Apache-2.0
"""The widths that a search found, read back from its CSV file or from the network that it wrote."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import Any

from bitwright.errors import DataError, OptionError
from bitwright.files import read_head, read_text
from bitwright.models.graph import FloatGraph
from bitwright.network import storage
from bitwright.network.ops import Conv2d, Dense
from bitwright.text import printable

Pair = tuple[int, int]


def read_widths(path: Path, graph: FloatGraph) -> dict[str, Any]:
    """Options of the quantizer for the widths in a file: (weight, input activation) bits of every layer of the graph.

    Of a CSV file those of the network that the search chose, or of its only one. All other values have as many bits
    as the widest input of a layer. `OptionError` where the layers are others.
    """
    names = [node.name for node in graph.layers]
    found = _of_network(path) if read_head(path, 2, DataError) == b"PK" else _of_csv(path, names)
    missing = [name for name in names if name not in found]
    if missing:
        raise OptionError(f"{path} has no widths of layer {missing[0]!r}: it is of another model")
    pairs = {name: found[name] for name in names}
    return {
        "layer_bits": pairs,
        "weight_bits": max(w for w, _ in pairs.values()),
        "activation_bits": max(a for _, a in pairs.values()),
    }


def _of_network(path: Path) -> dict[str, Pair]:
    network = storage.load(path)
    return {
        node.name: (node.op.weight_type.bits, network.types[node.inputs[0]].dtype.bits)
        for node in network.nodes
        if isinstance(node.op, (Conv2d, Dense))
    }


def _of_csv(path: Path, names: list[str]) -> dict[str, Pair]:
    rows = list(csv.DictReader(io.StringIO(read_text(path, DataError))))
    if not rows or any(row.get("widths") is None for row in rows):
        raise DataError(f"{path} is no table of `bitwright search`: it has no column widths")
    chosen = [row for row in rows if row.get("chosen") == "True"] or rows
    if len(chosen) != 1:
        raise OptionError(
            f"{path} has {len(chosen)} networks, none of them chosen; legal are one row, or a search with --budget or "
            "--max-loss"
        )
    text = chosen[0]["widths"]
    pattern = r"(?:^'?| ){}=(\d+)/(\d+)(?= |$)"
    matches = {name: re.search(pattern.format(re.escape(printable(name))), text) for name in names}
    return {name: (int(m[1]), int(m[2])) for name, m in matches.items() if m}
