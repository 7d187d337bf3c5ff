# SPDX-License-Identifier: Apache-2.0
"""Xilinx UltraScale+."""

from bitwright.hardware.families import xc7
from bitwright.hardware.family import Cells, Family

MEMORIES = xc7.MEMORIES | {8: ("RAM512X1S", "RAM256X1D", "RAM32M16", "RAM64M8", "RAM32X16DR8", "RAM64X8SW")}
FAMILY = Family(
    name="xcup",
    vendor="xilinx",
    lut_cell="LUT6",
    synthesis="synth_xilinx -family xcup -noiopad -flatten",
    memory_step="map_memory",
    primitives="xilinx",
    folders=("xilinx",),
    cells=Cells(xc7.LUT, xc7.FF, "CARRY8", "RAMB18E2", "DSP48E2", "RAMB36E2", xc7.SHIFT, MEMORIES),
    vivado=True,
)
