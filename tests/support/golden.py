"""One small design of every target that is kept in the repository: `python tests/support/golden.py` renews them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bitwright import api, targets
from bitwright.network import InputSpec, IntType, Network, Node, TensorType, ops
from bitwright.targets.bitsys.listing import listing as bitsys_listing
from bitwright.targets.rap.isa.assembler import listing as rap_listing

FOLDER = Path(__file__).resolve().parents[1] / "golden"
OPTIONS = {"tlmac": {"interval": 648}, "bitsys": {}, "rap": {"size": 2, "param_words": 1024}}


def network() -> Network:
    """Four layers on an image of 6 x 6 pixels with two channels of two bits: convolution, steps, pool, dense layer."""
    rng = np.random.default_rng(13)
    weights = IntType(3, True)
    nodes = [
        Node("conv", ops.Conv2d(rng.integers(-3, 4, (4, 3, 3, 2)), weights, pads=(1, 1, 1, 1)), ("input",)),
        Node("steps", ops.Threshold(np.sort(rng.integers(-12, 12, (4, 3)), axis=1), IntType(2)), ("conv",)),
        Node("pool", ops.MaxPool((2, 2), (2, 2)), ("steps",)),
        Node("flat", ops.Flatten(), ("pool",)),
        Node("dense", ops.Dense(rng.integers(-3, 4, (3, 36)), weights, bias=[2, 0, -5]), ("flat",)),
    ]
    return Network(InputSpec(TensorType((6, 6, 2), IntType(2))), nodes, name="golden")


def files(target: str) -> dict[str, str]:
    """The generated files of the design, and the program as text; not the files of the library."""
    plan = api.accepted_plan(network(), target, OPTIONS[target])
    design = targets.get(target).emit(plan)
    top = f"{design.top}.sv"
    found = {
        Path(path).name: text for path, text in design.files.items() if "/" not in path or path.endswith(f"/{top}")
    }
    if target == "bitsys":
        names = [", ".join(layer.stage.nodes) for layer in plan.program.layers]
        found["program.txt"] = bitsys_listing(design.program, names)
    elif target == "rap":
        found["program.asm"] = rap_listing(plan.code.program, plan.code.marks)
    return found


def renew() -> None:
    """Write all designs anew; files that they no longer have are removed."""
    for target in targets.names():
        folder = FOLDER / target
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.iterdir():
            path.unlink()
        for name, text in files(target).items():
            (folder / name).write_text(text)


if __name__ == "__main__":
    renew()
