"""Loading, saving and compiling networks: the functions behind `bitwright.load`, `save` and `compile`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bitwright import targets
from bitwright.errors import ModelError, OptionError
from bitwright.network import Network, storage
from bitwright.network.passes import simplify
from bitwright.targets.contract import Design, Plan, Target, make_options, refuse


def load(path: str | os.PathLike[str], **options: Any) -> Network:
    """The integer network of a `.bw` file or of a quantized ONNX model (QONNX or QDQ).

    options, for ONNX models only, are those of `readers.load`, for instance input_type="uint8" for a network
    that takes the integers of that type. Raises `ModelError` where the file is missing, damaged or not
    supported, and where the model is still float: `quantize` makes a network of it.
    """
    path = Path(path)
    if not is_network_file(path):
        from bitwright import readers  # ONNX takes long to load

        return readers.load(path, **options)
    if options:
        raise OptionError(f"{path} is a network already; {', '.join(options)} is for ONNX models")
    return storage.load(path)


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
    chosen, planned = plan(network, target, options)
    return chosen.emit(planned)


def plan(network: Network, target: str, options: Mapping[str, object]) -> tuple[Target, Plan]:
    """The first half of `compile`: the target and its plan, whose estimate says what the hardware would cost."""
    chosen = targets.get(target)
    settings = make_options(chosen, options)
    network = simplify(network)
    refuse(chosen, chosen.check(network, settings))
    return chosen, chosen.plan(network, settings)
