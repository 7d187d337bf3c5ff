"""Loading, saving and compiling networks: the functions behind `bitwright.load`, `save` and `compile`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from bitwright import targets
from bitwright.errors import ModelError
from bitwright.network import Network, storage
from bitwright.network.passes import simplify
from bitwright.targets.contract import Design, make_options, refuse

if TYPE_CHECKING:
    from bitwright.readers import FloatGraph


def load(path: str | os.PathLike[str]) -> Network:
    """The integer network of a `.bw` file or of a quantized ONNX model (QONNX or QDQ).

    Raises `ModelError` where the file is missing, damaged or not supported, and where the model is
    still float: `quantize` makes a network of it.
    """
    path = Path(path)
    if is_network_file(path):
        return storage.load(path)
    from bitwright import readers  # ONNX takes long to load

    graph = readers.read(path)
    floats = float_layers(graph)
    if floats:
        raise ModelError(
            f"{path} is a float model ({len(floats)} layers with float weights, the first {floats[0]!r}); "
            "legal is an integer network: `quantize` makes one of it"
        )
    return readers.lower(graph)


def float_layers(graph: FloatGraph) -> list[str]:
    """The names of the layers of a float graph whose weights are not quantized."""
    return [node.name for node in graph.nodes if node.kind in ("Conv", "Dense") and node.quantized is None]


def is_network_file(path: Path) -> bool:
    """Whether the file is a `.bw` file, by its content, or by its name where it cannot be read or is damaged."""
    if path.suffix == ".bw":
        return True
    try:
        with path.open("rb") as file:
            return file.read(2) == b"PK"
    except IsADirectoryError:
        raise ModelError(f"{path} is a folder; legal are .onnx and .bw files") from None
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}") from None


def save(network: Network, path: str | os.PathLike[str]) -> None:
    """Write the network to a `.bw` file, which `load` reads; the file appears whole or not at all."""
    storage.save(network, path)


def compile(network: Network, target: str = "tlmac", **options: object) -> Design:
    """Hardware for a network: simplify it, ask the target for objections, plan, emit.

    options are those of the target. Raises `OptionError` for an unknown target or option and `ModelError`
    with every node that the target refuses.
    """
    chosen = targets.get(target)
    settings = make_options(chosen, options)
    network = simplify(network)
    refuse(chosen, chosen.check(network, settings))
    return chosen.emit(chosen.plan(network, settings))
