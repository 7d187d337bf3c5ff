"""What is proven: module, harness, parameters, and faults that the proof must find."""

from __future__ import annotations

from arithmetic import ARITHMETIC
from proof import Change, Proof
from units import UNITS

from bitwright.hardware.modules.rounding import lfsr_jump


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


WINDOW = "window_reader.sv"
WINDOW_FAULTS = (
    (WINDOW, "DilationH * Row - BackX;", "DilationH * Row - BackX + 1;"),
    ("window_loops.sv", "32'(First) == l ? 1 : 0", "0"),
)
RAM_END = "    assign choice = rdata_q;\n  end\nendmodule"


def includes(file: str, name: str, before: str) -> Change:
    """Lemmas before a text."""
    return (file, before, f'`include "{name}_lemma.svh"\n{before}')


WINDOW_LEMMAS = (
    (WINDOW, " m_ready_i\n", " m_ready_i,\n    input  logic [2*`BITS+27:0] ghost_i\n"),
    includes(WINDOW, "window_ghosts", "    window_loops #("),
    (WINDOW, ".level_o(ahead)", ".level_o(ahead), .ghost_i(latest[27:0])"),
    (WINDOW, ".address_o(read_q)", ".address_o(read_q), .ghost_i(address)"),
    (WINDOW, ".rdata_o(data)", ".rdata_o(data), .ghost_i({there_q, filled_q})"),
    includes(WINDOW, "window", "    assign m_valid_o = valid_q[Stages-1];"),
    includes(WINDOW, "window_pad", "      assign pad = ix_q"),
    ("window_loops.sv", " level_o\n", " level_o,\n    input logic [27:0] ghost_i\n"),
    includes("window_loops.sv", "window_loops", "endmodule"),
    ("window_step.sv", " address_o\n", " address_o,\n    input logic [31:0] ghost_i\n"),
    includes("window_step.sv", "window_step", "endmodule"),
    ("ram_sdp.sv", " rdata_o\n", " rdata_o,\n    input logic [`BITS+AddrBits:0] ghost_i\n"),
    ("ram_sdp.sv", RAM_END, RAM_END.replace("  end", '`include "ram_lemma.svh"\n  end')),
)


def window(height: int, width: int, kernel: tuple[int, int], pads: tuple[int, ...] = (0,) * 4, **values: int) -> Proof:
    """window_reader; pads: top, left, bottom, right."""
    base = {"STRIDE": 1, "DILATION": 1, "CHUNKS": 1, "GROUPS": 1, "REPEATS": 1, "LIMIT": 3, "REACH_COUNT": 3, **values}
    sides = dict(zip(("TOP", "LEFT", "BOTTOM", "RIGHT"), pads, strict=True))
    size = {"BITS": 10, "HEIGHT": height, "WIDTH": width, "KH": kernel[0], "KW": kernel[1]}
    faults = WINDOW_FAULTS if kernel == (2, 2) and height == 3 else ()
    return Proof("window_reader", "window", {**size, **sides, **base}, faults, depth=3, lemmas=WINDOW_LEMMAS)


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


def taps(
    words: int, size: int, kernel: int, stride: int = 1, pads: tuple[int, int] = (0, 0), dilation: int = 0
) -> Proof:
    """tlmac_columns; without a dilation, tlmac_rows."""
    values = {"WORDS": words, "SIZE": size, "KERNEL": kernel, "STRIDE": stride, "BEFORE": pads[0], "AFTER": pads[1]}
    values |= {"DILATION": dilation or 1, "BITS": 4, "LIMIT": 2 + words * (sum(pads) + max(dilation, 1) * kernel)}
    own = f".Chunks({words}), .Dilation({dilation})" if dilation else f".RowWords({words})"
    return Proof("tlmac_columns" if dilation else "tlmac_rows", "taps", values | {"PARAMETERS": own})


def bus(module: str, length: int, depth: int, outstanding: int, mutants: tuple[Change, ...] = ()) -> Proof:
    """axi_reader or axi_writer with bursts of two beats, for commands of so many beats."""
    values = {"ADDRESS": 6, "BURST": 2, "OUTSTANDING": outstanding, "DEPTH": depth, "LENGTH": length, "STEP": 5}
    return Proof(module, "axi_read" if module == "axi_reader" else "axi_write", values, mutants)


def draws(jumps: int) -> Proof:
    """lfsr32 that moves on by so many draws at once."""
    values = {"MATRIX": f"1024'h{lfsr_jump(jumps):x}", "PARAMETERS": ".Jump(`MATRIX)", "JUMPS": jumps}
    return Proof("lfsr32", "draws", values)


PROOFS = (
    *UNITS,
    *ARITHMETIC,
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
    taps(1, 3, 2, dilation=1),
    taps(2, 2, 2, pads=(1, 0), dilation=1),
    taps(1, 4, 2, stride=2, pads=(0, 1), dilation=1),
    taps(1, 4, 2, dilation=2),
    taps(2, 2, 2),
    taps(2, 3, 3, pads=(1, 1)),
    taps(3, 3, 2, stride=2, pads=(1, 0)),
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
)
