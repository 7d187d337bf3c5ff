"""Fixtures for the tests of target bitsys."""

from pathlib import Path

import pytest

import bitwright.targets.bitsys
from bitwright.hardware import library as rtl

ROOT = Path(bitwright.targets.bitsys.__file__).parent / "rtl"
# The ECP5's cells, as the vendor describes them: tables, and a carry that the lowest entries generate.
ECP5_CELLS = {
    "LUT4.sv": """
module LUT4 #(parameter logic [15:0] INIT = 16'd0) (input logic A, B, C, D, output logic Z);
  assign Z = INIT[{D, C, B, A}];
endmodule
""",
    "CCU2C.sv": """
module CCU2C #(
    parameter logic [15:0] INIT0 = 16'd0, INIT1 = 16'd0, parameter INJECT1_0 = "YES", INJECT1_1 = "YES"
) (
    input logic CIN, A0, B0, C0, D0, A1, B1, C1, D1, output logic S0, S1, COUT
);
  if (INJECT1_0 != "NO" || INJECT1_1 != "NO") $error("CCU2C: only plain carries are described");
  logic p0, p1, c1;
  assign p0 = INIT0[{D0, C0, B0, A0}];
  assign p1 = INIT1[{D1, C1, B1, A1}];
  assign c1 = p0 ? CIN : INIT0[{2'b00, B0, A0}];
  assign {S1, S0} = {p1 ^ c1, p0 ^ CIN};
  assign COUT = p1 ? c1 : INIT1[{2'b00, B1, A1}];
endmodule
""",
}


@pytest.fixture(scope="session")
def bitsys_cache(tmp_path_factory):
    """One cache folder for all models of the session."""
    return tmp_path_factory.mktemp("bitsys-models")


@pytest.fixture(scope="session")
def unit_sources():
    """`unit_sources(vendor)`: the units; a vendor's version on behavioural models of LUTs and carries."""

    def sources(vendor: str) -> dict[str, str]:
        files = {f.name: f.read_text() for pattern in ("*.sv", "*.svh") for f in ROOT.glob(pattern)}
        files |= {f.name: f.read_text() for f in (ROOT / "prim" / "generic").glob("*.sv")}
        if vendor == "xilinx":
            own = {f.name: f.read_text() for f in (ROOT / "prim" / "xilinx").glob("*_pe.sv")}
            files |= own
        if vendor == "lattice":
            files |= {f.name: f.read_text() for f in (ROOT / "prim" / "lattice").glob("*.sv")} | ECP5_CELLS
        return files | {Path(name).name: text for name, text in rtl.sources(["carry_chain", "lut6_2"]).items()}

    return sources
