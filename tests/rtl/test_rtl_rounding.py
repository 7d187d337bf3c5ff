"""The arithmetic core against the operation that defines it: rounding, saturation, random draws."""

import numpy as np
import pytest

from bitwright.hardware import library as rtl
from bitwright.hardware.modules.rounding import ROUNDINGS, lfsr_jump
from bitwright.network.lfsr import draws
from bitwright.network.ops import Rounding
from bitwright.network.ops.steps import round_shift
from bitwright.tools import verilator
from bitwright.tools.bench import Bench, inner_input, inner_output

SMALL = 6  # bits of values and draws, of which all are tried
SATURATIONS = [(9, 4), (6, 6), (4, 9), (2, 1)]


def top(ports: dict[str, int], out: int, body: str) -> str:
    """A module `top` of fields of an input stream, from the lowest bits up, and one output word a word, m_data_o."""
    width = sum(ports.values())
    fields = "".join(f"  logic [{bits - 1}:0] {name};\n" for name, bits in ports.items())
    return f"""module top (
    input logic clk_i, input logic rst_i,
    input logic [{width - 1}:0] s_data_i, input logic s_valid_i, output logic s_ready_o,
    output logic [{out - 1}:0] m_data_o, output logic m_valid_o, input logic m_ready_i);
{fields}  assign {{{", ".join(reversed(ports))}}} = s_data_i;
  assign m_valid_o = s_valid_i;
  assign s_ready_o = m_ready_i;
{body}endmodule
"""


def outputs(cache, module: str, ports: dict[str, int], out: int, body: str, fields: list) -> np.ndarray:
    """What comes out for arrays of fields."""
    files = rtl.sources([module]) | {"top.sv": top(ports, out, body)}
    width = sum(ports.values())
    streams = [inner_input("s", width)], [inner_output("m", out)]
    model = verilator.build(files, Bench("top", *streams), cache_dir=cache)
    words, low = np.zeros((len(fields[0]), -(-width // 32)), np.uint32), 0
    for bits, values in zip(ports.values(), fields, strict=True):
        for bit in range(bits):
            words[:, (low + bit) // 32] |= ((values >> bit & 1) << (low + bit) % 32).astype(np.uint32)
        low += bits
    return model.run({"s": words}, {"m": len(words)}).integers("m")


def rounding(bits: int, shift: str) -> tuple[dict[str, int], int, str]:
    """floor(value / 2**shift) + carry of values of `bits` bits and one more; `shift` is a Verilog expression."""
    ports = {"rounding": 3, "shift": 6, "value": bits + 1, "draw": bits}
    body = f"""  logic up, tie;
  logic [{bits}:0] whole;
  round_up #(.Bits({bits})) u_round (.rounding_i(rounding), .value_i(value[{bits - 1}:0]),
      .mask_i(~(~{bits}'d0 << {shift})), .negative_i(value[{bits}]), .draw_i(draw), .up_o(up), .tie_o(tie));
  assign whole = $signed(value) >>> shift;
  assign m_data_o = {bits + 1}'(whole + {bits + 1}'(up || (tie && whole[0])));
"""
    return ports, bits + 1, body


def expected(code: np.ndarray, shift: np.ndarray, value: np.ndarray, draw: np.ndarray) -> np.ndarray:
    """By the operation; of stochastic rounding, which has its own draws there, by its formula."""
    found = (value + (draw & ((1 << shift) - 1))) >> shift
    for i, rule in enumerate(ROUNDINGS):
        if rule is not Rounding.STOCHASTIC:
            found[code == i] = round_shift(value[code == i][None], shift[code == i], rule)[0]
    return found


def test_every_small_value_is_rounded(rtl_cache):
    """All values, shifts and rules; all draws where the rule adds them."""
    values, shifts = np.arange(-1 << SMALL, 1 << SMALL), np.arange(SMALL + 1)
    plain = np.meshgrid(np.arange(4), shifts, values, [5], indexing="ij")
    random = np.meshgrid([4], shifts, values, np.arange(1 << SMALL), indexing="ij")
    fields = [np.concatenate([a.ravel(), b.ravel()]) for a, b in zip(plain, random, strict=True)]
    got = outputs(rtl_cache, "round_up", *rounding(SMALL, "shift"), fields)
    mask = (2 << SMALL) - 1
    np.testing.assert_array_equal(got & mask, expected(*fields) & mask)


def test_wide_values_are_rounded(rtl_cache):
    rng, count = np.random.default_rng(0), 20_000
    shift = rng.integers(0, 33, count)
    value = rng.integers(-1 << 32, 1 << 32, count) >> rng.integers(0, 32, count)
    tied = rng.integers(0, 2, count) == 1  # exact halves, which random bits do not meet
    value[tied] = (value[tied] >> shift[tied] << shift[tied]) + ((1 << shift[tied]) >> 1)
    code = rng.integers(0, 4, count)
    code[::5], draw = ROUNDINGS.index(Rounding.STOCHASTIC), draws(99, count)
    got = outputs(rtl_cache, "round_up", *rounding(32, "shift"), [code, shift, value, draw])
    want = expected(code, shift, value, draw)
    stochastic = round_shift(value[None], shift, Rounding.STOCHASTIC, 99)[0]  # the same draws, element by element
    np.testing.assert_array_equal(want[::5], stochastic[::5])
    np.testing.assert_array_equal(got & 0x1_FFFF_FFFF, want & 0x1_FFFF_FFFF)


@pytest.mark.parametrize(("bits", "out"), SATURATIONS)
def test_every_value_is_saturated(rtl_cache, bits, out):
    body = f"  saturate #(.InBits({bits}), .OutBits({out})) u_limit (.signed_i(sign), .x_i(x), .y_o(m_data_o));\n"
    sign, x = (f.ravel() for f in np.meshgrid([0, 1], np.arange(-1 << (bits - 1), 1 << (bits - 1)), indexing="ij"))
    got = outputs(rtl_cache, "saturate", {"sign": 1, "x": bits}, out, body, [sign, x])
    low, high = np.where(sign, -1 << (out - 1), 0), np.where(sign, (1 << (out - 1)) - 1, (1 << out) - 1)
    np.testing.assert_array_equal(got & ((1 << out) - 1), np.clip(x, low, high) & ((1 << out) - 1))


@pytest.mark.parametrize("count", [1, 5])
def test_draws_follow_each_other(rtl_cache, count):
    """One draw a step by its own steps, several by a matrix; a load begins anew."""
    jump = f"1024'h{lfsr_jump(count):x}" if count > 1 else "'0"
    body = f"""  lfsr32 #(.Jump({jump})) u_draw (.clk_i, .load_i(rst_i || (load && s_valid_i && m_ready_i)),
      .seed_i(rst_i ? 32'd77 : seed), .step_i(s_valid_i && m_ready_i), .draw_o(m_data_o));
"""
    load = np.zeros(40, np.int64)
    load[24] = 1
    got = outputs(rtl_cache, "lfsr32", {"load": 1, "seed": 32}, 32, body, [load, np.full(40, 0x8000_0123)])
    want = [*draws(77, 25 * count)[::count], *draws(0x8000_0123, 15 * count)[::count]]
    np.testing.assert_array_equal(got & 0xFFFF_FFFF, want)


def test_jump_matrix_is_the_generator():
    sequence = draws(12345, 50)
    for count in (1, 3, 7):
        matrix = lfsr_jump(count)
        rows = [matrix >> 32 * i & 0xFFFFFFFF for i in range(32)]
        moved = sum((int(sequence[5]) & row).bit_count() % 2 << i for i, row in enumerate(rows))
        assert moved == sequence[5 + count]
