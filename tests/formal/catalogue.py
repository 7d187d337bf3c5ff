"""What is proven: module, harness, parameters, and faults that the proof must find."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bitwright.hardware.modules.rounding import lfsr_jump

HIDDEN = ("DUT", "HELD", "LIMIT", "EXPECTED", "FOLD", "PORTS", "MATRIX")  # values that the name leaves out


@dataclass(frozen=True)
class Proof:
    """A module at one set of parameters in a harness of `harness/`.

    values: macros of the harness. mutants: (file, text, other text), changes of the RTL for which the proof must fail.
    quick: whether the usual tests run it; needs: further modules of the
    harness; files: contents of memories, by name.
    """

    module: str
    harness: str
    values: Mapping[str, object]
    mutants: tuple[tuple[str, str, str], ...] = ()
    quick: bool = False
    needs: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The module and what tells this proof from others of it."""
        shown = [f"{name}={value}" for name, value in self.values.items() if name not in HIDDEN]
        return f"{self.module} in {self.harness}: {', '.join(shown)}"


def through(module: str, parameters: str, held: int, limit: int, bits: int = 3, **more: object) -> Proof:
    """A stream whose words pass."""
    values = {"PARAMETERS": f".Width({bits}), {parameters}".rstrip(", "), "BITS": bits}
    return Proof(module, "through", {**values, "HELD": held, "LIMIT": limit}, **more)


def regroup(ins: int, outs: int, sparse: int = 0, **more: object) -> Proof:
    """stream_regroup."""
    bits = 4
    parameters = f".LaneBits({bits}), .InLanes({ins}), .OutLanes({outs}), .Sparse({sparse})"
    values = {"PARAMETERS": parameters, "BITS": bits, "IN": ins, "OUT": outs}
    return Proof(
        "stream_regroup",
        "regroup",
        {**values, "HELD": 2 * max(ins, outs) + ins, "LIMIT": 2 * ins + 1 if sparse else 3},
        **more,
    )


def pack(ins: int, outs: int, frame: int, **more: object) -> Proof:
    """stream_pack."""
    parameters = f".LaneBits(4), .InLanes({ins}), .OutLanes({outs}), .FrameElements({frame})"
    values = {"PARAMETERS": parameters, "BITS": 4, "IN": ins, "OUT": outs, "FRAME": frame}
    return Proof("stream_pack", "pack", {**values, "HELD": ins + outs + max(ins, outs), "LIMIT": 4}, **more)


def join(parameters: str, held: int, expected: str = "a + b", **values: object) -> Proof:
    """stream_join or stream_multiply."""
    base = {"DUT": "stream_join", "BITS": 3, "SIGNED": 0, "AWORDS": 0, "BWORDS": 1, "OUTBITS": 4, **values}
    module = str(base["DUT"])
    base |= {"PARAMETERS": parameters, "EXPECTED": expected, "HELD": held, "LIMIT": 4}
    return Proof(module, "join", base)


def window(height: int, width: int, kernel: tuple[int, int], pads: tuple[int, ...] = (0,) * 4, **values: int) -> Proof:
    """window_reader; pads: top, left, bottom, right."""
    base = {"STRIDE": 1, "DILATION": 1, "CHUNKS": 1, "GROUPS": 1, "REPEATS": 1, "LIMIT": 8, "REACH_COUNT": 3, **values}
    sides = dict(zip(("TOP", "LEFT", "BOTTOM", "RIGHT"), pads, strict=True))
    size = {"BITS": 4, "HEIGHT": height, "WIDTH": width, "KH": kernel[0], "KW": kernel[1]}
    return Proof("window_reader", "window", {**size, **sides, **base})


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


def product(a: int, b: int, latency: int) -> Proof:
    """multiply_pipe, with the operands in one word."""
    ports = f".clk_i, .a_i(x_i[{a - 1}:0]), .b_i(x_i[{a + b - 1}:{a}]), .p_o(y)"
    expected = f"$signed(x_i[{a - 1}:0]) * $signed(x_i[{a + b - 1}:{a}])"
    values = {
        "IN": a + b,
        "OUT": a + b,
        "SIGNED": 0,
        "PORTS": f"{ports}); assign valid = 1'b1; assign unused_ready = (1'b1",
    }
    return straight("multiply_pipe", f".ABits({a}), .BBits({b})", expected, latency, **values)


SKID, FIFO, FORK, AXIL = "stream_skid.sv", "stream_fifo.sv", "stream_fork.sv", "axil_bus.sv"
READY = "assign s_ready_o = "
SKID_FAULTS = (
    (SKID, "valid_q <= full_q || s_valid_i", "valid_q <= s_valid_i"),
    (SKID, "if (!full_q) skid_q", "if (full_q) skid_q"),
    (SKID, "data_q <= full_q ? skid_q : s_data_i", "data_q <= s_data_i"),
    (SKID, f"{READY}!full_q;", f"{READY}1'b1;"),
    (SKID, f"{READY}!full_q;", f"{READY}1'b0;"),
)
FIFO_FAULTS = (
    (FIFO, "more_q <= arrive ||", "more_q <="),
    (FIFO, "full_q <= !read && (full_q ||", "full_q <= !read && ("),
)
AXIL_FAULTS = (
    (AXIL, "data_q <= rdata_i;", ""),
    (AXIL, "legal_q <= &s_axil_wstrb", "legal_q <= 1'b1"),
)
READER, BURSTS = "axi_reader.sv", "axi_bursts.sv"
READER_FAULTS = (
    (BURSTS, "(IndexBits + 1)'(BurstBeats) - {1'b0, beat_q[IndexBits-1:0]}", "(IndexBits + 1)'(BurstBeats)"),
    (BURSTS, "else if (idle_o) drain_q <= 1'b0", "else drain_q <= 1'b0"),
    (READER, "room_q >= RoomBits'(BurstBeats)", "room_q != '0"),
)
REGROUPED = ((1, 2), (2, 1), (4, 1), (1, 4), (4, 2), (2, 4), (3, 1), (1, 3), (2, 1, 1), (4, 1, 1))
PACKED = ((3, 2, 7), (2, 3, 7), (2, 3, 6), (1, 2, 3), (3, 1, 5), (2, 2, 3), (4, 3, 6))
PARTS = ((0, 1, 2), (1, 1, 2), (1, 2, 4), (0, 3, 3), (2, 1, 3))  # first, size, words
PIPES = ((1, 1), (1, 3), (2, 2), (3, 3), (4, 1), (5, 2))  # stages, tiles
COUNTS = ((1, 0), (2, 1), (3, 0), (5, 4), (8, 0))
WIDTHS = ((5, 3), (3, 5), (4, 4), (12, 8), (17, 8), (9, 4))

UNSIGNED = ".Lanes(1), .OutBits(4), .ABits(3), .ASigned(0), .BBits(3), .BSigned(0)"
SIGNED = ".Lanes(1), .OutBits({bits}), .ABits(3), .ASigned(1), .BBits(3), .BSigned(1)"
ZEROS = ".AWide(4), .AZero(2), .BWide(4), .BZero(-1)"
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


def bus(
    module: str, length: int, depth: int, outstanding: int, mutants: tuple[tuple[str, str, str], ...] = ()
) -> Proof:
    """axi_reader or axi_writer with bursts of two beats, for commands of so many beats."""
    values = {"ADDRESS": 6, "BURST": 2, "OUTSTANDING": outstanding, "DEPTH": depth, "LENGTH": length, "STEP": 5}
    return Proof(module, "axi_read" if module == "axi_reader" else "axi_write", values, mutants)


def draws(jumps: int) -> Proof:
    """lfsr32 that moves on by so many draws at once."""
    values = {"MATRIX": f"1024'h{lfsr_jump(jumps):x}", "PARAMETERS": ".Jump(`MATRIX)", "JUMPS": jumps}
    return Proof("lfsr32", "draws", values)


PROOFS = (
    through("stream_skid", ".Words(2)", 2, 2, quick=True, mutants=SKID_FAULTS),
    through("stream_skid", ".Words(1)", 1, 2, quick=True, mutants=((SKID, f"{READY}!valid_q;", f"{READY}1'b1;"),)),
    through("stream_fifo", ".Depth(1)", 1, 2, quick=True),
    through("stream_fifo", ".Depth(2)", 3, 4, quick=True, mutants=FIFO_FAULTS),
    through("stream_fifo", ".Depth(3)", 4, 4, bits=4),
    through("stream_fifo", ".Depth(5)", 6, 4, bits=4),
    through("tlmac_frame_end", ".Words(3)", 0, 2, quick=True),
    Proof("stream_fork", "fork", {"BITS": 3, "OUTPUTS": 1}, quick=True),
    *(
        Proof("stream_fork", "fork", {"BITS": 3, "OUTPUTS": n}, ((FORK, "done_q | m_ready_i;", "m_ready_i;"),), n < 3)
        for n in (2, 3, 4)
    ),
    *(regroup(*sizes, quick=sizes[0] < 3) for sizes in REGROUPED),
    *(pack(*sizes) for sizes in PACKED),
    join(UNSIGNED, 2),
    join(SIGNED.format(bits=5), 2, SIGNED=1, OUTBITS=5),
    join(f"{UNSIGNED}, .AWords(1), .BWords(1)", 0, AWORDS=1),
    join(f"{SIGNED.format(bits=4)}, .AWords(2), .BWords(3)", 0, AWORDS=2, BWORDS=3, SIGNED=1),
    join(f"{SIGNED.format(bits=6)}, {ZEROS}", 2, "(a - 2) * (b + 1)", DUT="stream_multiply", SIGNED=1, OUTBITS=6),
    *(
        Proof("tlmac_part", "part", {"BITS": 4, "FIRST": first, "SIZE": size, "WORDS": words}, quick=words < 3)
        for first, size, words in PARTS
    ),
    *(Proof("pipe_control", "pipe", {"STAGES": s, "TILES": t, "BITS": 3}, quick=s < 3) for s, t in PIPES),
    *(Proof("tlmac_hold", "hold", {"WORDS": w, "BITS": 3}, quick=True) for w in (0, 1, 2)),
    window(3, 3, (2, 2)),
    window(3, 3, (3, 3), (1, 1, 1, 1)),
    window(2, 3, (1, 2), CHUNKS=2, GROUPS=2, REPEATS=2),
    window(5, 3, (1, 1), STRIDE=2),
    window(5, 5, (2, 2), (1, 0, 0, 1), STRIDE=2),
    window(1, 5, (1, 2), (0, 2, 0, 0), DILATION=2),
    *(Proof("loop_counter", "counter", {"COUNT": n, "FROM": start}, quick=True) for n, start in COUNTS),
    draws(1),
    draws(3),
    *(Proof("round_up", "round_up", {"BITS": n}, quick=n < 7) for n in (1, 4, 6, 10)),
    *(Proof("saturate", "saturate", {"IN": i, "OUT": o}, quick=i < 9) for i, o in WIDTHS),
    *(Proof("bitsys_count6", "count6", {"PRODUCT": p}, quick=True) for p in (0, 1)),
    *(Proof("bitsys_pack", "packing", {"PLANES": p}, needs=("bitsys_unpack",)) for p in (0, 1)),
    Proof("axil_bus", "axil", {}, AXIL_FAULTS),
    bus("axi_reader", 1, 2, 1),
    bus("axi_reader", 3, 2, 2, READER_FAULTS),
    bus("axi_writer", 1, 2, 1),
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
    product(5, 4, 2),
    product(20, 3, 3),
    product(3, 20, 3),
    compute("pool_reduce", f"{POOL}, .OutBits(4), .Op(0)", "tile > 0 && before_q > x ? before_q : x", 1, **POOLED),
    compute("pool_reduce", f"{POOL}, .OutBits(6), .Op(1)", "(tile > 0 ? before_q : 0) + x", 1, OUT=6, **POOLED),
)
