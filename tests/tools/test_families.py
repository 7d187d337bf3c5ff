"""FPGA families: one file each, which says all that tools must know."""

import json

import pytest

from bitwright.devices import DEVICES
from bitwright.hardware.families import families
from bitwright.hardware.library import ROOT, VENDORS
from bitwright.tools import yosys

READ = "read_verilog -sv -defer a.sv; scratchpad -copy abc9.script.default.fast abc9.script"
LEFT = "; json -o wiring.json"
SCRIPTS = {  # results are cached under them
    "xcup": f"{READ}; synth_xilinx -family xcup -noiopad -flatten -top a; tee -q -o stat.json stat -json{LEFT}",
    "xc7": f"{READ}; synth_xilinx -family xc7 -flatten -noiopad -top a; tee -q -o stat.json stat -json{LEFT}",
    "ecp5": f"{READ}; synth_ecp5 -top a; tee -q -o stat.json stat -json{LEFT}",
    "gowin": f"{READ}; synth_gowin -family gw2a -nodsp -noiopads -top a; tee -q -o stat.json stat -json{LEFT}",
}


def test_every_device_has_a_family_and_every_family_a_device():
    assert {device.family for device in DEVICES.values()} == set(families()) == set(SCRIPTS)
    for name, family in families().items():
        assert family.name == name
        assert VENDORS[family.primitives] == family.folders
        folders = {p.name for p in ROOT.parents[1].rglob("prim/*") if p.is_dir()}
        assert set(family.folders) <= folders


@pytest.mark.parametrize("family", SCRIPTS)
def test_the_script_is_the_same_to_the_byte(family):
    assert yosys.Synthesis(family, "a").script(["a.sv"]) == SCRIPTS[family]


def test_pins_get_their_cells_where_the_router_does_not_add_them():
    plain, pads = (yosys.Synthesis("gowin", "a", pads=pads).script(["a.sv"]) for pads in (False, True))
    assert pads == plain.replace(" -noiopads", "") != plain
    assert yosys.Synthesis("xc7", "a", pads=True).script(["a.sv"]) == SCRIPTS["xc7"].replace("-noiopad", "-noclkbuf")
    assert yosys.Synthesis("ecp5", "a", pads=True).script(["a.sv"]) == SCRIPTS["ecp5"]


@pytest.mark.parametrize("name", SCRIPTS)
def test_cells_of_a_family_count_once(name):
    """A carry of two LUTs, half a block, a memory in LUTs: each in its kinds alone."""
    cells = families()[name].cells
    memory, luts = next((names[0], luts) for luts, names in cells.memories.items())
    found = dict.fromkeys((cells.carry.split("|")[0], cells.bram18.split("|")[0], cells.dsp, "LUT4", memory), 1)
    counted = yosys.count(json.dumps({"modules": {}, "design": {"num_cells_by_type": found}}))
    assert (counted.carry, counted.bram36, counted.dsp, counted.ff) == (1, 0.5, 1, 0)
    assert (counted.lut, counted.lutram) == (1 + luts + cells.carry_luts, luts)
