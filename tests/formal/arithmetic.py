"""Proofs of what computes on words of a stream: rescaling, thresholds, tables, sums, maxima."""

from __future__ import annotations

from proof import Proof


def compute(module: str, parameters: str, expected: str, held: int, **values: object) -> Proof:
    """A stream whose words are computed, against a formula of x, `before` and `tile`."""
    files = values.pop("files", {})
    base = {"PARAMETERS": parameters, "IN": 4, "OUT": 4, "SIGNED": 1, "TILES": 1, "EACH": 1, "FOLD": "x"}
    base |= {"EXPECTED": expected, "HELD": held, "LIMIT": held + 2, **values}
    return Proof(module, "compute", base, files=files)


STREAM_PORTS = (  # of a stream that never waits
    ".clk_i, .rst_i(rst), .s_data_i(x_i), .s_valid_i(1'b1), .s_ready_o(unused_ready), .m_data_o(y), .m_valid_o(valid), "
    ".m_ready_i(1'b1)"
)


def straight(module: str, parameters: str, expected: str, latency: int, **values: object) -> Proof:
    """A pipeline that never waits, against a formula of x."""
    files = values.pop("files", {})
    base = {"PARAMETERS": parameters, "PORTS": STREAM_PORTS, "IN": 4, "OUT": 4, "SIGNED": 1, **values}
    return Proof(module, "straight", base | {"EXPECTED": expected, "LATENCY": latency}, files=files)


def plain(module: str, parameters: str, ports: str, expected: str, latency: int, **values: object) -> Proof:
    """A pipeline of registers that move together, without a stream's handshake, against a formula of x_i; y leaves."""
    enable = f".en_i({{{latency}{{1'b1}}}})"
    wires = f".clk_i, {enable}, {ports}); assign valid = 1'b1; assign unused_ready = (1'b1"
    return straight(module, parameters, expected, latency, SIGNED=0, PORTS=wires, **values)


def product(a: int, b: int, latency: int) -> Proof:
    """multiply_pipe, with the operands in one word."""
    low, high = f"x_i[{a - 1}:0]", f"x_i[{a + b - 1}:{a}]"
    expected = f"$signed({low}) * $signed({high})"
    ports = f".a_i({low}), .b_i({high}), .p_o(y)"
    return plain("multiply_pipe", f".ABits({a}), .BBits({b})", ports, expected, latency, IN=a + b, OUT=a + b)


def formula(module: str, parameters: str, ports: str, expected: str, ins: int, outs: int) -> Proof:
    """What has no registers."""
    values = {"PARAMETERS": parameters, "PORTS": ports, "EXPECTED": expected, "IN": ins, "OUT": outs}
    return Proof(module, "formula", values, depth=1)


def adder(shifts: tuple[int, int, int], inverts: tuple[int, int, int], constant: int) -> Proof:
    """tlmac_unrolled_add of three numbers of 3 bits; its result of 7 bits wraps."""
    parameters = ".Bits0(3), .Bits1(3), .Bits2(3), .OutBits(7)"
    for i in range(3):
        parameters += f", .Shift{i}({shifts[i]}), .Invert{i}(3'd{inverts[i]})"
    terms = (f"(32'(x_i[{3 * i}+:3] ^ 3'd{inverts[i]}) << {shifts[i]})" for i in range(3))
    ports = ".a_i(x_i[2:0]), .b_i(x_i[5:3]), .c_i(x_i[8:6]), .sum_o(y)"
    expected = f"{' + '.join(terms)} + {constant}"
    return formula("tlmac_unrolled_add", f"{parameters}, .Constant(7'd{constant})", ports, expected, 9, 7)


REQUANTIZE = (
    ".InBits(5), .OutBits(4), .AccBits(10), .Shift(2), .MultBits(4), .Multiplier(64'd5), .BiasBits(5), .Bias(-64'sd7)"
)
VALUE = "(5 * x - 7)"
ROUNDINGS = (  # of VALUE / 4, as requantize defines them
    f"{VALUE} >>> 2",
    f"({VALUE} + 2) >>> 2",
    f"({VALUE} + 1 + (({VALUE} >>> 2) & 1)) >>> 2",
    f"{VALUE} < 0 ? -((-{VALUE} + 2) >>> 2) : ({VALUE} + 2) >>> 2",
)
# Thresholds -5, 0 and 3: the memories of the search hold T - 1 as offset binary, the middle one first.
REACHED = "32'(x >= -5) + 32'(x >= 0) + 32'(x >= 3)"
LEVELS = {"threshold_s00_l000.mem": "7\n", "threshold_s01_l000.mem": "2\na\n"}
TABLE = {"lookup_l000.mem": "".join(f"{(x * x + 3) % 16:x}\n" for x in range(16))}
POOL = ".Lanes(1), .InBits(4), .InSigned(1), .Taps(3)"
POOLED = {"TILES": 3, "EACH": 0, "FOLD": "result"}

LEAVES = ".leaf_i(x_i), .sum_o(y)"
TREE = " + ".join(f"32'(x_i[{2 * i}+:2])" for i in range(5))
THREE = " + ".join(f"32'(x_i[{3 * i}+:3])" for i in range(3))
ROUTED = ".data_i(x_i[7:0]), .select_i(x_i[9:8]), .sign_i(x_i[10]), .leaf_o(y)"
ROUTE = "(32'(x_i[7:0]) >> (2 * x_i[9:8])) ^ {2{x_i[10]}}"
GATED = ".bit_i(x_i[6]), .code_i(x_i[5:0]), .leaf_o(y)"
GATES = "{x_i[4:3] & {2{x_i[6] ^ x_i[5]}}, x_i[1:0] & {2{x_i[6] ^ x_i[2]}}}"
LOOKED_UP = ".digits_i(x_i[2:0]), .select_i(x_i[3]), .leaf_o(y)"
LOOKUP = "2 * ((32'hc35a >> x_i) & 1) + ((32'h7e81 >> x_i) & 1)"
TABLES = "128'h000000000000c35a0000000000007e81"
ACCUMULATES = ".clear_i(x_i[4]), .shift_i(x_i[3]), .sum_i(x_i[2:0]), .acc_o(y)"
SHIFTED = "32'(x_i[2:0]) + (x_i[4] ? 0 : x_i[3] ? 32'(y) << 2 : 32'(y))"
ADDERS = (  # shifts, inverted bits, constant
    ((0, 1, 2), (0, 0, 0), 0),
    ((0, 0, 1), (7, 2, 5), 0),
    ((0, 0, 3), (0, 5, 0), 33),
    ((0, 0, 7), (3, 0, 0), 1),
)
DIGITS_OF_MINUS_7 = {"channel_multiply_l000.mem": "31\n"}  # 4 * -2 + 1
DIGITS_OF_5 = {"requantize_m_l000.mem": "9\n"}
IN_LUTS = REQUANTIZE.replace(".MultBits(4), .Multiplier(64'd5)", ".Rows(2), .ProductBits(8)")
FOLD = "tile == 0 || x > (before_q >>> 4) ? (x <<< 4) + tile : before_q"
LAST = {"TILES": 3, "EACH": 0, "FOLD": FOLD}


ARITHMETIC = (
    *(
        straight("requantize", f"{REQUANTIZE}, .Rounding({r})", f"limit({text}, -8, 7)", 5, IN=5)
        for r, text in enumerate(ROUNDINGS)
    ),
    straight("threshold", ".InBits(4), .OutBits(2), .CountBits(2)", REACHED, 4, OUT=2, files=LEVELS),
    straight(
        "threshold",
        ".InBits(4), .OutBits(3), .CountBits(2), .Base(3'd5), .Falling(1'b1)",
        f"5 - ({REACHED})",
        5,
        OUT=3,
        files=LEVELS,
    ),
    straight("lookup", ".InBits(4), .OutBits(4)", "x * x + 3", 1, SIGNED=0, files=TABLE),
    plain("tlmac_sum_tree", ".Lanes(5), .Bits(2), .Levels(4), .Every(3), .OutBits(5)", LEAVES, TREE, 2, IN=10, OUT=5),
    plain("tlmac_sum_tree", ".Lanes(3), .Bits(3), .Levels(2), .Every(1), .OutBits(5)", LEAVES, THREE, 2, IN=9, OUT=5),
    plain("tlmac_route", ".Inputs(4), .Bits(2), .Signed(1'b1)", ROUTED, ROUTE, 1, IN=11, OUT=2),
    plain("tlmac_gates", ".Arrays(2), .Bits(2)", GATED, GATES, 1, IN=7),
    plain("tlmac_tables", f".DigitBits(3), .SelectBits(1), .Bits(2), .Init({TABLES})", LOOKED_UP, LOOKUP, 1, OUT=2),
    plain(
        "tlmac_accumulator", ".Bits(6), .InBits(3), .DigitBits(2), .Shifts(1'b1)", ACCUMULATES, SHIFTED, 1, IN=5, OUT=6
    ),
    plain("tlmac_accumulator", ".Bits(3), .InBits(3), .Single(1'b1)", ACCUMULATES, "x_i[2:0]", 1, IN=5, OUT=3),
    *(adder(*case) for case in ADDERS),
    formula(
        "tlmac_unrolled_table", f".AddressBits(4), .Bits(2), .Init({TABLES})", ".addr_i(x_i), .data_o(y)", LOOKUP, 4, 2
    ),
    formula("tlmac_bipolar", ".Lanes(2)", ".data_i(x_i), .data_o(y)", "{!x_i[1], 1'b1, !x_i[0], 1'b1}", 2, 4),
    straight("channel_add", ".InBits(4), .OutBits(5)", "x - 5", 2, OUT=5, files={"channel_add_l000.mem": "1b\n"}),
    straight("channel_multiply", ".InBits(4), .Rows(2), .OutBits(8)", "-7 * x", 2, OUT=8, files=DIGITS_OF_MINUS_7),
    *(
        straight(
            "requantize_lut", f"{IN_LUTS}, .Rounding({r})", f"limit({ROUNDINGS[r]}, -8, 7)", 6, IN=5, files=DIGITS_OF_5
        )
        for r in (0, 2)
    ),
    product(5, 4, 2),
    product(20, 3, 3),
    product(3, 20, 3),
    compute("pool_reduce", f"{POOL}, .OutBits(4), .Op(0)", "tile > 0 && before_q > x ? before_q : x", 1, **POOLED),
    compute("pool_reduce", f"{POOL}, .OutBits(6), .Op(1)", "(tile > 0 ? before_q : 0) + x", 1, OUT=6, **POOLED),
    compute("argmax", ".Lanes(1), .InBits(3), .Channels(3), .OutBits(2)", f"({FOLD}) & 15", 3, IN=3, OUT=2, **LAST),
    compute(
        "argmax",
        ".InSigned(0), .InBits(3), .Channels(3), .OutBits(2)",
        f"({FOLD}) & 15",
        3,
        IN=3,
        OUT=2,
        SIGNED=0,
        **LAST,
    ),
)
