"""Proofs of the units that multiply and accumulate, and of what turns words of the arrays over."""

from __future__ import annotations

from proof import HOLD, Proof

CONTAINER, BITPLANE = "bitsys_container_unit", "bitsys_bitplane_unit"
WORDS, LATENCIES = {CONTAINER: 21, BITPLANE: 132}, {CONTAINER: 5, BITPLANE: 7}
PAIR = "w[63:0] & w[127:64]"
SIGNED_COUNT = f"(w[128] ? -ones({PAIR}) : ones({PAIR}))"
PLANES = f"(w[130] ? 32'd0 : w[129] ? acc << 1 : acc) + {SIGNED_COUNT}"
SHOWS_FIRST = (
    (
        f"{CONTAINER}.sv",
        "input  logic        m_ready_i\n",
        "input  logic        m_ready_i,\n    output logic first_o\n",
    ),
    (f"{CONTAINER}.sv", "  assign en = ", "  assign first_o = first_q;\n  assign en = "),
)
PE = "bitsys_container_pe.sv"
SHOWS_ROWS = (
    (f"{CONTAINER}.sv", "output logic first_o\n", "output logic first_o,\n    input logic [21:0] word_i\n"),
    (f"{CONTAINER}.sv", ".acc_o(m_data_o)", ".acc_o(m_data_o), .ghost_i(word_i)"),
    (PE, "output logic [31:0] acc_o\n", "output logic [31:0] acc_o,\n    input logic [21:0] ghost_i\n"),
    (PE, "endmodule", '`include "rows_lemma.svh"\nendmodule'),
)
CONTAINER_FAULTS = {
    1: ((PE, "~(a_i[7-j] ^ b_i[j])", "a_i[7-j] ^ b_i[j]"),),
    8: (("bitsys_container_decode.sv", "m8 & both | m4 & one,", "m8 & one | m4 & one,"),),
}


def container(bits: int, a: int, b: int, vendor: str) -> Proof:
    """The words of one width and of one pair of signs, amid words of any."""
    mode, scale = {1: 0, 2: 1, 4: 2, 8: 3}[bits], {1: 6, 2: 6, 4: 4, 8: 0}[bits]
    operands = "w[7:0], w[15:8], w[18], w[19]"
    term = f"product({operands})" if bits == 8 else f"(dot({bits}, {operands}) <<< {scale})"
    signs = f" && w[18] == {a} && w[19] == {b}" if bits > 1 else ""
    values = {
        "BITS": bits,
        "SIGNED": f"{a}{b}" if bits > 1 else "any",
        "WORD": WORDS[CONTAINER],
        "LATENCY": LATENCIES[CONTAINER],
        "FOR": f"w[17:16] == {mode}{signs}",
        "TERM": f"(first_q ? 32'd0 : acc) + {term}",
        "FIRST": 1,
        "GHOST": ", .first_o(its_first)" + (", .word_i({valid_q[1] && !rst, word_q[1]})" if bits == 8 else ""),
    }
    lemmas = SHOWS_FIRST + (SHOWS_ROWS if bits == 8 else ())
    faults = CONTAINER_FAULTS.get(bits, ()) if vendor == "generic" and a == b == int(bits > 1) else ()
    return Proof(CONTAINER, "unit", values, faults, depth=LATENCIES[CONTAINER] + 2, lemmas=lemmas, vendor=vendor)


def bitplane() -> Proof:
    """Sums of bit counts, shifted and subtracted."""
    values = {
        "WORD": WORDS[BITPLANE],
        "LATENCY": LATENCIES[BITPLANE],
        "FOR": "1'b1",
        "TERM": PLANES,
        "FIRST": 0,
        "GHOST": "",
    }
    faults = (("bitsys_bitplane_pe.sv", "32'(negate_acc_i)", "32'd0"),)
    return Proof(BITPLANE, "unit", values, faults, depth=LATENCIES[BITPLANE] + 2)


def hold(unit: str, vendor: str) -> Proof:
    """Nothing changes while a sum waits."""
    faults = {
        CONTAINER: ((PE, "if (en_i && valid_i)", "if (valid_i)"), (PE, "if (en_i) low_q", "low_q")),
        BITPLANE: (("bitsys_bitplane_unit.sv", "end else if (en) begin", "end else begin"),),
    }
    return Proof(
        unit, "waits", {"WORD": WORDS[unit]}, faults[unit] if vendor == "generic" else (), depth=HOLD, vendor=vendor
    )


WIDTHS = {16: "WidthW16", 8: "WidthW8", 4: "WidthW4"}  # of rap_pkg
X, Y = "lane(a_q, l, `BITS)", "lane(b_q, l, `BITS)"
UNPACKED = "`BITS == 16 ? lane(a_q, l, `BITS) : lane(a_q, l / 2 + {}, `BITS) >>> (`BITS * (l % 2))"
HALF = "(l < 8 / `BITS ? clamp(lane(a_q, l, 2 * `BITS), `BITS) : clamp(lane(b_q, l - 8 / `BITS, 2 * `BITS), `BITS))"
OPERATIONS = {
    "OpADD": f"imm_q[0] ? clamp({X} + {Y}, `BITS) : {X} + {Y}",
    "OpSUB": f"imm_q[0] ? clamp({X} - {Y}, `BITS) : {X} - {Y}",
    "OpMAX": f"{X} > {Y} ? {X} : {Y}",
    "OpMIN": f"{X} < {Y} ? {X} : {Y}",
    "OpSHR": f"{X} >>> imm_q",
    "OpSHL": f"{X} <<< imm_q",
    "OpSAT": f"clamp({X}, imm_q < `BITS ? 32'(imm_q) + 1 : `BITS)",
    "OpPACK": f"`BITS == 16 ? {X} : {HALF}",
    "OpUNPL": UNPACKED.format(0),
    "OpUNPH": UNPACKED.format("8 / `BITS"),
}


def products(bits: int, order: str) -> Proof:
    """rap_multiply, with both operands side by side in place of their product, so that no engine needs to multiply; its
    low 32 bits leave, so of 17 bits each order shows all of one operand.
    """
    beside = (("multiply_pipe.sv", "p_q <= a_q * b_q", f"p_q <= {order}"),)
    faults = (("rap_multiply.sv", "b1 = {bsign_i & b_i[15], b_i[15:8]}", "b1 = {asign_i & b_i[15], b_i[15:8]}"),)
    values = {"BITS": bits, "CODE": WIDTHS[bits], "PRODUCT": order, "FIRST": int(order.startswith("{a"))}
    return Proof("rap_multiply", "products", values, faults if bits == 8 else (), lemmas=beside)


def operation(name: str, bits: int) -> Proof:
    """rap_alu."""
    values = {"OP": name, "BITS": bits, "CODE": WIDTHS[bits], "EXPECTED": OPERATIONS[name]}
    fault = ("rap_alu.sv", "n < 3 && (!ends[n] || alu_i.subtract)", "n < 3 && !ends[n]")
    faults = (fault,) if (name, bits) == ("OpSUB", 8) else ()
    return Proof("rap_alu", "alu", values, faults, needs=("rap_masks",), depth=6)


ACCUMULATORS = "rap_accumulators.sv"
SHOWS_MEMORY = (
    (
        ACCUMULATORS,
        "output logic        [        31:0] drain_o\n",
        "output logic [31:0] drain_o,\n    output logic [63:0] memory_o\n",
    ),
    (ACCUMULATORS, "  assign old_o ", "  assign memory_o = {mem[1], mem[0]};\n  assign old_o "),
)
UNITS = (
    *(
        container(bits, a, b, v)
        for v in ("generic", "xilinx", "lattice")
        for bits in (2, 4, 8)
        for a in (0, 1)
        for b in (0, 1)
    ),
    *(container(1, 0, 0, v) for v in ("generic", "xilinx", "lattice")),
    bitplane(),
    *(hold(CONTAINER, v) for v in ("generic", "xilinx", "lattice")),
    *(hold(BITPLANE, v) for v in ("generic", "xilinx")),
    *(products(bits, order) for bits in WIDTHS for order in ("{a_q, b_q}", "{b_q, a_q}")),
    *(operation(name, bits) for name in OPERATIONS for bits in WIDTHS),
    Proof(
        "rap_accumulators",
        "accumulators",
        {},
        ((ACCUMULATORS, "same_i ? changed : mem[addr_i]", "mem[addr_i]"),),
        depth=2,
        lemmas=SHOWS_MEMORY,
    ),
)
