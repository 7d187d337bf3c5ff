# SPDX-License-Identifier: Apache-2.0
"""Behaviour of block RAM and multipliers with their inner registers, as far as tests use it, for Yosys to simulate.

Yosys has no models of its own. Written after the vendors' descriptions (Lattice FPGA-TN-02204 and -02205, Xilinx UG473,
UG573 and UG579): an output register of block RAM has an enable of its own, whatever that of the read is.
"""

import re


def _bus(name: str, bits: int, way: str) -> str:
    return ", ".join(f"{way} {name}{i}" for i in range(bits))


def _gather(name: str, bits: int) -> str:
    return "{" + ", ".join(f"{name}{i}" for i in reversed(range(bits))) + "}"


ECP5 = f"""
module DP16KD #(
    parameter DATA_WIDTH_A = 18, parameter DATA_WIDTH_B = 18, parameter REGMODE_B = "NOREG"
) (
    input CLKA, input CLKB, input CEA, input CEB, input OCEB, input WEA,
    {_bus("ADA", 14, "input")}, {_bus("ADB", 14, "input")},
    {_bus("DIA", 18, "input")}, {_bus("DIB", 18, "input")},
    {_bus("DOA", 18, "output")}, {_bus("DOB", 18, "output")}
);
  // Port A writes words of 18 or 36 bits where address bit 0 enables all bytes, port B reads as many.
  reg [35:0] mem[0:1023];
  reg [35:0] latch, register;
  wire [13:0] waddr = {_gather("ADA", 14)}, raddr = {_gather("ADB", 14)};
  wire [35:0] data = {{{_gather("DIB", 18)}, {_gather("DIA", 18)}}};
  always @(posedge CLKA) if (CEA && WEA && waddr[0]) mem[DATA_WIDTH_A == 36 ? waddr[13:5] : waddr[13:4]] <= data;
  always @(posedge CLKB) begin
    if (CEB) latch <= mem[DATA_WIDTH_B == 36 ? raddr[13:5] : raddr[13:4]];
    if (OCEB) register <= latch;
  end
  wire [35:0] q = REGMODE_B == "OUTREG" ? register : latch;
  wire [17:0] high = DATA_WIDTH_B == 36 ? q[35:18] : q[17:0];
  assign {_gather("DOA", 18)} = q[17:0];
  assign {_gather("DOB", 18)} = high;
endmodule
module MULT18X18D #(
    parameter REG_INPUTA_CLK = "NONE", parameter REG_INPUTA_CE = "CE0",
    parameter REG_INPUTB_CLK = "NONE", parameter REG_INPUTB_CE = "CE0",
    parameter REG_PIPELINE_CLK = "NONE", parameter REG_PIPELINE_CE = "CE0",
    parameter REG_OUTPUT_CLK = "NONE"
) (
    {_bus("A", 18, "input")}, {_bus("B", 18, "input")}, {_bus("P", 36, "output")},
    input SIGNEDA, input SIGNEDB, input CLK0, input CE0, input CE1, input CE2, input CE3
);
  wire [17:0] a = {_gather("A", 18)}, b = {_gather("B", 18)};
  reg [17:0] a_q, b_q;
  reg [35:0] m_q, p_q;
  wire on_a = REG_INPUTA_CE == "CE0" ? CE0 : REG_INPUTA_CE == "CE1" ? CE1 : REG_INPUTA_CE == "CE2" ? CE2 : CE3;
  wire on_b = REG_INPUTB_CE == "CE0" ? CE0 : REG_INPUTB_CE == "CE1" ? CE1 : REG_INPUTB_CE == "CE2" ? CE2 : CE3;
  wire on_m = REG_PIPELINE_CE == "CE0" ? CE0 : REG_PIPELINE_CE == "CE1" ? CE1 : REG_PIPELINE_CE == "CE2" ? CE2 : CE3;
  wire [17:0] x = REG_INPUTA_CLK == "NONE" ? a : a_q, y = REG_INPUTB_CLK == "NONE" ? b : b_q;
  wire [35:0] product = {{{{18{{SIGNEDA & x[17]}}}}, x}} * {{{{18{{SIGNEDB & y[17]}}}}, y}};
  wire [35:0] m = REG_PIPELINE_CLK == "NONE" ? product : m_q;
  wire [35:0] p = REG_OUTPUT_CLK == "NONE" ? m : p_q;
  always @(posedge CLK0) begin
    if (on_a) a_q <= a;
    if (on_b) b_q <= b;
    if (on_m) m_q <= product;
    if (CE0) p_q <= m;
  end
  assign {_gather("P", 36)} = p;
endmodule
"""

# Port names of series 7 and of UltraScale; port A of a memory writes words of 18 bits that port B reads, or port B
# writes words of 36 bits that port A reads through the outputs of both.
_RAMB18 = """
module {kind} #(
    parameter READ_WIDTH_A = 0, parameter READ_WIDTH_B = 0, parameter WRITE_WIDTH_A = 0, parameter WRITE_WIDTH_B = 0,
    parameter DOA_REG = 0, parameter DOB_REG = 0
) (
    input CLKARDCLK, input CLKBWRCLK, input ENARDEN, input ENBWREN, input REGCEAREGCE, input REGCEB,
    input RSTREGARSTREG, input RSTREGB,
    input [13:0] ADDRARDADDR, input [13:0] ADDRBWRADDR, input [1:0] WEA, input [3:0] WEBWE,
    input [15:0] {di}ADI{n}, input [15:0] {di}BDI{n}, input [1:0] {di}PADI{n}P, input [1:0] {di}PBDI{n}P,
    output [15:0] {do}ADO{ut}, output [15:0] {do}BDO{ut}, output [1:0] {do}PADO{ut}P, output [1:0] {do}PBDO{ut}P
);
  reg [35:0] mem[0:1023];
  reg [35:0] latch_a, latch_b, register_a, register_b;
  wire [17:0] low = {{{di}PADI{n}P, {di}ADI{n}}}, high = {{{di}PBDI{n}P, {di}BDI{n}}};
  always @(posedge CLKARDCLK) begin
    if (ENARDEN && WRITE_WIDTH_A == 18 && WEA[0]) mem[ADDRARDADDR[13:4]] <= low;
    if (ENARDEN && READ_WIDTH_A == 36) latch_a <= mem[ADDRARDADDR[13:5]];
    if (RSTREGARSTREG) register_a <= 0;
    else if (REGCEAREGCE) register_a <= latch_a;
  end
  always @(posedge CLKBWRCLK) begin
    if (ENBWREN && WRITE_WIDTH_B == 36 && WEBWE[0]) mem[ADDRBWRADDR[13:5]] <= {{high, low}};
    if (ENBWREN && READ_WIDTH_B == 18) latch_b <= mem[ADDRBWRADDR[13:4]];
    if (RSTREGB) register_b <= 0;
    else if (REGCEB) register_b <= latch_b;
  end
  wire [35:0] a = DOA_REG ? register_a : latch_a, b = DOB_REG ? register_b : latch_b;
  wire [35:0] wide = {{DOB_REG ? register_a[35:18] : latch_a[35:18], a[17:0]}};
  assign {{{do}PADO{ut}P, {do}ADO{ut}}} = wide[17:0];
  assign {{{do}PBDO{ut}P, {do}BDO{ut}}} = READ_WIDTH_A == 36 ? wide[35:18] : b[17:0];
endmodule
"""
XC7 = _RAMB18.format(kind="RAMB18E1", di="DI", n="", do="DO", ut="")
XCUP = (
    _RAMB18.format(kind="RAMB18E2", di="DIN", n="N", do="DOUT", ut="UT")
    + """
module DSP48E2 #(
    parameter AREG = 0, parameter BREG = 0, parameter MREG = 0, parameter PREG = 0
) (
    input CLK, input CEA2, input CEB2, input CEM, input CEP, input RSTA, input RSTB, input RSTM, input RSTP,
    input [29:0] A, input [17:0] B, output [47:0] P
);
  reg signed [26:0] a_q;
  reg signed [17:0] b_q;
  reg signed [47:0] m_q, p_q;
  wire signed [26:0] a = AREG ? a_q : A[26:0];
  wire signed [17:0] b = BREG ? b_q : B;
  wire signed [47:0] product = a * b;
  wire signed [47:0] m = MREG ? m_q : product;
  always @(posedge CLK) begin
    if (RSTA) a_q <= 0; else if (CEA2) a_q <= A[26:0];
    if (RSTB) b_q <= 0; else if (CEB2) b_q <= B;
    if (RSTM) m_q <= 0; else if (CEM) m_q <= product;
    if (RSTP) p_q <= 0; else if (CEP) p_q <= m;
  end
  assign P = PREG ? p_q : m;
endmodule
"""
)
MODELS = {"ecp5": ECP5, "xc7": XC7, "xcup": XCUP}


def reduced(cells: dict[str, dict], models: str) -> None:
    """Cells of a netlist of Yosys without the parameters and ports that their models do not have."""
    known = {text.split()[0]: set(re.findall(r"\w+", text)) for text in models.split("\nmodule ")[1:]}
    for cell in cells.values():
        if words := known.get(cell["type"]):
            for part in ("parameters", "connections", "port_directions"):
                cell[part] = {name: found for name, found in cell[part].items() if name in words}
