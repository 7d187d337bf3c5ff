"""The container and bit-plane units against integer arithmetic, in all versions."""

import itertools

import numpy as np
import pytest

from bitwright.hardware.closure import closure
from bitwright.network import BIPOLAR, IntType
from bitwright.targets.bitsys import units
from bitwright.tools import verilator
from bitwright.tools.bench import Bench, inner_input, inner_output
from bitwright.tools.model import Stalls

VERSIONS = {"bitsys_container_unit": ("generic", "xilinx", "lattice"), "bitsys_bitplane_unit": ("generic", "xilinx")}
STALLS = (None, Stalls(seed=1, input=0.4, output=0.4), Stalls(seed=2, input=0.0, output=0.7))
WIDTHS = {"bitsys_container_unit": 21, "bitsys_bitplane_unit": 132}


def build(vendor, top, unit_sources, bitsys_cache):
    """The compiled unit in one version."""
    files = closure(unit_sources(vendor), top)
    streams = [inner_input("s", WIDTHS[top])], [inner_output("m", 32)]
    return verilator.build(files, Bench(top, *streams), cache_dir=bitsys_cache)


@pytest.fixture(scope="module", params=VERSIONS["bitsys_container_unit"])
def container(request, unit_sources, bitsys_cache):
    """The container unit, in each version."""
    return build(request.param, "bitsys_container_unit", unit_sources, bitsys_cache)


@pytest.fixture(scope="module", params=VERSIONS["bitsys_bitplane_unit"])
def bitplane(request, unit_sources, bitsys_cache):
    """The bit-plane unit, in each version."""
    return build(request.param, "bitsys_bitplane_unit", unit_sources, bitsys_cache)


def run(model, words, expected, stalls=None):
    """Stream words; the sums must equal `expected` modulo 2**32."""
    found = model.run({"s": words}, {"m": len(expected)}, stalls=stalls)
    got = found.integers("m").astype(np.uint32).astype(np.int32)
    np.testing.assert_array_equal(got, np.asarray(expected, dtype=np.int64).astype(np.int32))
    return found


def container_types(mode):
    """All operand types of a mode."""
    if mode == 0:
        return [(BIPOLAR, BIPOLAR)]
    width = units.CONTAINER_WIDTHS[mode]
    return list(itertools.product([IntType(width), IntType(width, True)], repeat=2))


def container_stream(mode, a_type, b_type, a, b):
    """Words of one dot product over values [K], and its scaled sum."""
    word_a = units.container_words(a_type.encode(a), mode, reverse=False)
    word_b = units.container_words(b_type.encode(b), mode, reverse=True)
    control = mode | int(a_type.signed) << 2 | int(b_type.signed) << 3
    words = word_a | word_b << 8 | control << 16
    words[-1] |= 1 << 20
    return words, int((a * b).sum()) << units.CONTAINER_SHIFT[mode]


@pytest.mark.parametrize("mode", range(4))
def test_container_products_exhaustively(container, mode):
    """Every pair of container words with every pair of signs is one dot product: 65,536 pairs a sign pair."""
    width = units.CONTAINER_WIDTHS[mode]
    channels = 8 // width
    a, b = np.meshgrid(np.arange(256), np.arange(256), indexing="ij")
    a, b = a.ravel(), b.ravel()
    words, expected = [], []
    for a_type, b_type in container_types(mode):
        control = 16 | mode | int(a_type.signed) << 2 | int(b_type.signed) << 3
        words.append(a | b << 8 | control << 16)
        x = np.stack([a_type.decode(a >> width * k) for k in range(channels)])
        y = np.stack([b_type.decode(b >> width * (channels - 1 - k)) for k in range(channels)])
        expected.append((x * y).sum(0) << units.CONTAINER_SHIFT[mode])
    run(container, np.concatenate(words), np.concatenate(expected))


@pytest.mark.parametrize("stalls", STALLS, ids=str)
def test_container_mixed_dot_products(container, stalls):
    """Long dot products, mode and signs changing from one to the next without a gap."""
    rng = np.random.default_rng(3)
    words, expected = [], []
    for _ in range(300):
        mode = int(rng.integers(4))
        types = container_types(mode)
        a_type, b_type = types[rng.integers(len(types))]
        count = int(rng.integers(1, 12)) * 8 // units.CONTAINER_WIDTHS[mode]
        a, b = rng.choice(a_type.values(), count), rng.choice(b_type.values(), count)
        stream, total = container_stream(mode, a_type, b_type, a, b)
        words.append(stream)
        expected.append(total)
    found = run(container, np.concatenate(words), expected, stalls)
    if stalls is None:
        assert found.cycles == sum(map(len, words)) + 5  # one word a cycle, 5 cycles from the last word to its sum


def test_container_extreme_sums(container):
    """The largest sums of either sign over 4,096 words."""
    low, high = np.full(4096, -128), np.full(4096, 255)
    words, expected = [], []
    for a_type, a in ((IntType(8, True), low), (IntType(8), high)):
        for b_type, b in ((IntType(8, True), low), (IntType(8), high)):
            stream, total = container_stream(3, a_type, b_type, a, b)
            words.append(stream)
            expected.append(total)
    run(container, np.concatenate(words), expected)


def plane_stream(a_type, b_type, a, b):
    """Words (Python integers) of one dot product over values [K], and its sum."""
    plane_a = units.plane_words(a_type.encode(a), a_type.bits)
    plane_b = units.plane_words(b_type.encode(b), b_type.bits)
    words = []
    for step in units.plane_steps(a_type, b_type):
        for k in range(plane_a.shape[-1]):
            control = int(step.negate) | int(step.shift and k == 0) << 1 | int(not words) << 2
            words.append(int(plane_a[step.i, k]) | int(plane_b[step.j, k]) << 64 | control << 128)
    words[-1] |= 1 << 131
    return words, int((a * b).sum())


def to_uint32(words):
    return np.array([[word >> 32 * k & 0xFFFFFFFF for k in range(5)] for word in words], np.uint32)


def test_bitplane_single_products(bitplane):
    """All products of all pairs of widths up to 4 bits, and samples of the wider ones."""
    rng = np.random.default_rng(5)
    words, expected = [], []
    for bits_a, bits_b, signs in itertools.product(range(1, 9), range(1, 9), range(4)):
        a_type, b_type = IntType(bits_a, bool(signs & 1)), IntType(bits_b, bool(signs & 2))
        pairs = list(itertools.product(a_type.values(), b_type.values()))
        if max(bits_a, bits_b) > 3:
            extremes = list(itertools.product((a_type.min, a_type.max), (b_type.min, b_type.max)))
            pairs = extremes + [pairs[i] for i in rng.integers(len(pairs), size=8)]
        for x, y in pairs:
            stream, total = plane_stream(a_type, b_type, np.array([x]), np.array([y]))
            words += stream
            expected.append(total)
    run(bitplane, to_uint32(words), expected)


@pytest.mark.parametrize("stalls", STALLS, ids=str)
def test_bitplane_mixed_dot_products(bitplane, stalls):
    """Long dot products of random widths and signs, one after the other without a gap."""
    rng = np.random.default_rng(7)
    words, expected = [], []
    for _ in range(60):
        a_type = IntType(int(rng.integers(1, 9)), bool(rng.integers(2)))
        b_type = IntType(int(rng.integers(1, 9)), bool(rng.integers(2)))
        count = int(rng.integers(1, 300))
        a, b = rng.choice(a_type.values(), count), rng.choice(b_type.values(), count)
        stream, total = plane_stream(a_type, b_type, a, b)
        words += stream
        expected.append(total)
    found = run(bitplane, to_uint32(words), expected, stalls)
    if stalls is None:
        assert found.cycles == len(words) + 7


def test_bitplane_every_bit_position(bitplane):
    """Each of the 64 channels counts: full words, single bits and random words against each other."""
    rng = np.random.default_rng(9)
    full = (1 << 64) - 1
    samples = [full, 0, *(1 << k for k in range(64)), *(int(v) for v in rng.integers(0, full, 200, np.uint64))]
    words, expected = [], []
    for x, y in [(full, v) for v in samples] + list(itertools.pairwise(samples)):
        words.append(x | y << 64 | 12 << 128)
        expected.append((x & y).bit_count())
    run(bitplane, to_uint32(words), expected)


MAC_WRAPPER = """
module mac_stream (
    input  logic        clk_i,
    input  logic        rst_i,
    input  logic [18:0] s_data_i,
    input  logic        s_valid_i,
    output logic        s_ready_o,
    output logic [31:0] m_data_o,
    output logic        m_valid_o,
    input  logic        m_ready_i
);
  logic unused;
  assign unused = m_ready_i;
  assign s_ready_o = 1'b1;
  bitsys_container_mac u_mac (
      .sys_clk(clk_i), .sys_rst_n(!rst_i), .mac_rst(1'b0), .precision(s_data_i[17:16]), .is_signed(s_data_i[18]),
      .accu_length(16'dLENGTH), .in_0(s_data_i[7:0]), .in_1(s_data_i[15:8]), .in_valid(s_valid_i),
      .mac_out(m_data_o), .mac_out_valid(m_valid_o)
  );
endmodule
"""


@pytest.mark.parametrize("vendor", VERSIONS["bitsys_container_unit"])
@pytest.mark.parametrize("length", [1, 2, 37])
def test_published_ports(vendor, length, unit_sources, bitsys_cache):
    """The drop-in: sums of `accu_length` words in natural channel order, unscaled, every mode, with gaps."""
    rng = np.random.default_rng(13)
    files = closure(unit_sources(vendor) | {"mac_stream.sv": MAC_WRAPPER.replace("LENGTH", str(length))}, "mac_stream")
    streams = [inner_input("s", 19)], [inner_output("m", 32)]
    model = verilator.build(files, Bench("mac_stream", *streams), cache_dir=bitsys_cache)
    words, expected = [], []
    for _ in range(40):
        mode, signed = int(rng.integers(4)), int(rng.integers(2))
        t = BIPOLAR if mode == 0 else IntType(units.CONTAINER_WIDTHS[mode], bool(signed))
        a, b = (rng.choice(t.values(), length * 8 // units.CONTAINER_WIDTHS[mode]) for _ in range(2))
        pair = [units.container_words(t.encode(v), mode, reverse=False) for v in (a, b)]
        words.append(pair[0] | pair[1] << 8 | mode << 16 | signed << 18)
        expected.append(int((a * b).sum()))
    run(model, np.concatenate(words), expected, Stalls(seed=4, input=0.3, output=0.0))


PAIR_STREAM = """
module pair_stream (
    input  logic        clk_i,
    input  logic        rst_i,
    input  logic [26:0] s_data_i,
    input  logic        s_valid_i,
    output logic        s_ready_o,
    output logic [63:0] m_data_o,
    output logic        m_valid_o,
    input  logic        m_ready_i
);
  logic signed_a, signed_b, unused;
  logic [8:0] x0, x1;
  logic [17:0] a_q;
  logic [5:0] valid_q, first_q, last_q, plain_q;
  logic fresh_q;
  logic [31:0] acc0_q;
  logic [63:0] acc;
  assign unused = m_ready_i;
  assign s_ready_o = 1'b1;
  assign {signed_b, signed_a} = s_data_i[25:24];
  assign x0 = {signed_a && s_data_i[7], s_data_i[7:0]};
  assign x1 = {signed_a && s_data_i[15], s_data_i[15:8]};
  always_ff @(posedge clk_i) begin
    a_q <= {x1 - 9'(x0[8]), x0};
    acc0_q <= acc[31:0];
    first_q <= {first_q[4:0], fresh_q};
    last_q <= {last_q[4:0], s_data_i[26]};
    plain_q <= {plain_q[4:0], !signed_a && !signed_b};
    valid_q <= rst_i ? 6'd0 : {valid_q[4:0], s_valid_i};
    if (rst_i) fresh_q <= 1'b1;
    else if (s_valid_i) fresh_q <= s_data_i[26];
  end
  bitsys_dsp_pair u_pair (
      .clk_i(clk_i), .a_i(a_q), .b_i({signed_b && s_data_i[23], s_data_i[23:16]}), .plain_i(plain_q[3]),
      .valid_i(valid_q[4:3]), .first_i(first_q[4:3]), .a_o(), .b_o(), .acc_o(acc)
  );
  assign m_data_o = {acc[63:32], acc0_q};
  assign m_valid_o = valid_q[5] && last_q[5];
endmodule
"""


@pytest.fixture(scope="module")
def pair(unit_sources, bitsys_cache):
    """Two 8-bit multiply-accumulates with a shared operand."""
    files = closure(unit_sources("generic") | {"pair_stream.sv": PAIR_STREAM}, "pair_stream")
    return verilator.build(
        files, Bench("pair_stream", [inner_input("s", 27)], [inner_output("m", 64)]), cache_dir=bitsys_cache
    )


def pair_words(signs, x1, x0, w):
    """Words of products of byte codes, and the values of both products."""
    a_type, b_type = IntType(8, bool(signs & 1)), IntType(8, bool(signs & 2))
    values = b_type.decode(w)
    return x0 | x1 << 8 | w << 16 | signs << 24, a_type.decode(x1) * values, a_type.decode(x0) * values


def run_pair(model, words, first, second, stalls=None):
    """The low half of a result is that of x0."""
    found = model.run({"s": words}, {"m": len(first)}, stalls=stalls).integers("m").astype(np.uint64)
    for shift, expected in ((32, first), (0, second)):
        got = (found >> np.uint64(shift)).astype(np.uint32).astype(np.int32)
        np.testing.assert_array_equal(got, np.asarray(expected, np.int64).astype(np.int32))


@pytest.mark.parametrize("signs", range(4))
def test_pairs_of_products(pair, signs):
    """Every x0 with every w, for x1 at the ends and at random; and the other way round."""
    rng = np.random.default_rng(signs)
    x, w = (values.ravel() for values in np.meshgrid(np.arange(256), np.arange(256), indexing="ij"))
    parts = []
    for other in (0, 1, 127, 128, 255, rng.integers(0, 256, x.size)):
        other = np.broadcast_to(other, x.shape)
        parts += [pair_words(signs, other, x, w), pair_words(signs, x, other, w)]
    words, first, second = (np.concatenate(values) for values in zip(*parts, strict=True))
    run_pair(pair, words | 1 << 26, first, second)


@pytest.mark.slow
@pytest.mark.parametrize("signs", range(4))
def test_all_pairs_of_products(pair, signs):
    """Every x0 with every x1 and every w."""
    x0, w = (values.ravel() for values in np.meshgrid(np.arange(256), np.arange(256), indexing="ij"))
    for x1 in range(256):
        words, first, second = pair_words(signs, np.full_like(x0, x1), x0, w)
        run_pair(pair, words | 1 << 26, first, second)


def test_pairs_of_dot_products(pair):
    """Long sums, the largest too, with gaps; signs change from one to the next without a gap."""
    rng = np.random.default_rng(1)
    words, first, second = [], [], []
    for k in range(300):
        signs, count = int(rng.integers(4)), int(rng.integers(1, 40)) if k else 20_000
        codes = rng.integers(0, 256, (3, count)) if k % 3 else np.full((3, count), rng.choice([127, 128, 255]))
        stream, high, low = pair_words(signs, *codes)
        stream[-1] |= 1 << 26
        words.append(stream)
        first.append(high.sum())
        second.append(low.sum())
    run_pair(pair, np.concatenate(words), first, second, Stalls(seed=5, input=0.3, output=0.0))
