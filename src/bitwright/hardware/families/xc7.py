# SPDX-License-Identifier: Apache-2.0
"""Xilinx 7 series."""

from bitwright.hardware.family import Cells, Family

LUT, FF, SHIFT = r"LUT[1-6]|LUT6_2|INV", r"FD[RSCP]E(_1)?|LD[CP]E", r"SRL16E|SRLC32E"
MEMORIES = {
    1: ("RAM32X1S", "RAM64X1S"),
    2: ("RAM128X1S", "RAM32X1D", "RAM64X1D"),
    4: ("RAM256X1S", "RAM128X1D", "RAM32M", "RAM64M"),
}
FAMILY = Family(
    name="xc7",
    vendor="xilinx",
    lut_cell="LUT6",
    synthesis="synth_xilinx -family xc7 -noiopad -flatten",
    memory_step="map_memory",
    primitives="xilinx7",
    folders=("xilinx7", "xilinx"),
    cells=Cells(LUT, FF, "CARRY4", "RAMB18E1", "DSP48E1", "RAMB36E1", SHIFT, MEMORIES),
    vivado=True,
)
