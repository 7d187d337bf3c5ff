"""An integer network built by hand: an edge detector, from its operations to hardware.

    python examples/own_network.py

Shows that no trained model is needed: a `Network` is a list of integer operations, and `evaluate` says what they
mean. The network takes a 4-bit image, computes both Sobel gradients in one convolution, looks their magnitudes up in a
table, adds them and compares. It is evaluated, saved, loaded, compiled and simulated.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

import bitwright as bw
from bitwright.network import InputSpec, IntType, Network, Node, TensorType, evaluate, ops
from bitwright.simulation import SimulationResult

SOBEL = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
SIZE = 18
EDGE = 4  # sum of both magnitudes, in eighths, from which on a pixel is an edge


def edge_detector() -> Network:
    """uint4 [18, 18, 1] -> uint1 [16, 16, 1]: 1 where |gx| // 8 + |gy| // 8 >= EDGE."""
    image, gradient, magnitude = IntType(4), IntType(7, signed=True), IntType(4)
    kernels = np.stack([SOBEL, SOBEL.T])[..., None]  # [O, KH, KW, C]
    absolute = np.abs(gradient.values()) // 8  # one entry for each value of the domain, from the smallest
    nodes = [
        Node("gradients", ops.Conv2d(kernels, IntType(3, signed=True)), ("input",)),
        Node("magnitudes", ops.Lookup(gradient, absolute[None], magnitude), ("gradients",)),
        Node("sum", ops.Conv2d(np.ones((1, 1, 1, 2)), IntType(1)), ("magnitudes",)),
        Node("edges", ops.Threshold([[EDGE]], IntType(1)), ("sum",)),
    ]
    return Network(InputSpec(TensorType((SIZE, SIZE, 1), image)), nodes, name="edge_detector")


def shapes(count: int, seed: int = 0) -> np.ndarray:
    """Noisy discs of random size and place, int64 [N, 18, 18, 1], 0 to 15."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIZE, :SIZE]
    center, radius = rng.uniform(6, 12, (count, 2, 1, 1)), rng.uniform(3, 6, (count, 1, 1))
    inside = np.hypot(y - center[:, 0], x - center[:, 1]) < radius
    return (np.where(inside, 12, 2) + rng.integers(-1, 2, inside.shape))[..., None]


def draw(edges: np.ndarray) -> str:
    """One edge map [H, W, 1] as text."""
    return "\n".join("".join(" #"[v] for v in row) for row in edges[..., 0])


def main(frames: int = 20) -> SimulationResult:
    """The whole way in a temporary folder; the simulation."""
    network, images = edge_detector(), shapes(frames)
    values = evaluate(network, images)  # every named value, int64 [N, *shape]
    print(draw(values["edges"][0]))

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "edges.bw"
        bw.save(network, path)
        loaded = bw.load(path)
    print(f"{loaded}, digest {loaded.digest[:12]}, as before: {loaded.digest == network.digest}")

    design = bw.compile(loaded, target="tlmac")
    simulation = bw.simulate(design, images)
    print(f"estimated: {design.estimate.total.lut:,} LUTs, {design.estimate.interval_cycles:,} cycles a frame")
    print(f"simulated: {simulation.interval_cycles:,.0f} cycles a frame, bit-exact: {simulation.bit_exact}")
    return simulation


if __name__ == "__main__":
    main()
