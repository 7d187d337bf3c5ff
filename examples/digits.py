"""One network, two speeds: what a goal for the interval costs.

    python examples/digits.py

Shows the way from a QONNX file to hardware, on the embedded 3-bit CNN for 8x8 digits: load, compile for two
goals (at most so many clock cycles between frames), simulate frames with random pauses on both streams, and set the
estimates side by side. The fast circuit and the small one compute exactly the same integers. The first run takes about
a minute, in which Verilator compiles the two circuits; later ones take seconds.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

import bitwright as bw
from bitwright.demo import files
from bitwright.simulation import SimulationResult

GOALS = (1152, 4608)  # clock cycles between frames; 1152 is the fastest that the target offers for this network


def load_images(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Test images as the model takes them, float32 [N, 1, 8, 8] in sixteenths, and their classes [N]."""
    with np.load(files()[1]) as split:
        return split["images"][:count, None].astype(np.float32) / 16, split["labels"][:count]


def main(goals: Sequence[int] = GOALS, frames: int = 40) -> dict[int, SimulationResult]:
    """Compile and simulate for each goal; the simulations by goal."""
    network = bw.load(files()[0])
    x, labels = load_images(frames)
    print(f"{network}: accuracy {np.mean(network.predict(x).argmax(axis=1) == labels):.1%} on {frames} images")
    simulations = {}
    print("  goal  estimated: interval     LUT      FF   simulated: latency  interval  accuracy  bit-exact")
    for goal in goals:
        design = bw.compile(network, target="tlmac", interval=goal)
        simulation = bw.simulate(design, x, stalls=bw.Stalls(seed=1, input=0.3, output=0.3))
        simulations[goal] = simulation
        estimate, total = design.estimate, design.estimate.total
        print(
            f"{goal:6,}  {estimate.interval_cycles:19,} {total.lut:7,} {total.ff:7,}"
            f"   {simulation.latency_cycles:18,} {simulation.interval_cycles:9,.0f}"
            f"  {np.mean(simulation.predictions == labels):8.1%}  {'yes' if simulation.bit_exact else 'NO'}"
        )
    return simulations


if __name__ == "__main__":
    main()
