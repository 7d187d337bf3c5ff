"""The pipelined multiplier: every split of its operands, at the ends of their ranges, with and without stalls."""

import numpy as np
import pytest
from rtl_bank import HEAVY, LIGHT, STARVED, Case

from bitwright.hardware import library as rtl
from bitwright.hardware.closure import flatten
from bitwright.hardware.modules.multiply_pipe import latency
from bitwright.tools import yosys

SIZES = [(18, 18), (1, 18), (4, 7), (19, 18), (17, 25), (32, 9), (19, 19), (32, 25), (32, 32), (25, 35), (35, 35)]
PRODUCT = """module product #(parameter int unsigned ABits = 1, parameter int unsigned BBits = 1,
    parameter int unsigned Stages = 2) (
    input logic clk_i, input logic rst_i,
    input logic [ABits+BBits-1:0] s_data_i, input logic s_valid_i, output logic s_ready_o,
    output logic [ABits+BBits-1:0] m_data_o, output logic m_valid_o, input logic m_ready_i);
  logic [Stages-1:0] en;
  logic [Stages-1:0] unused_enter, unused_tile;
  pipe_control #(.Stages(Stages)) u_pipe (.clk_i, .rst_i, .s_valid_i, .s_ready_o, .m_valid_o, .m_ready_i, .en_o(en),
      .enter_o(unused_enter), .tile_o(unused_tile));
  multiply_pipe #(.ABits(ABits), .BBits(BBits)) u_product (.clk_i, .en_i(en), .a_i(s_data_i[ABits-1:0]),
      .b_i(s_data_i[ABits+:BBits]), .p_o(m_data_o));
endmodule
"""


def operands(rng, bits: int) -> list[int]:
    """Ends of the range, what is near the split, and random ones."""
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    ends = [low, high, 0, -1, (1 << 17) - 1, 1 << 17, -(1 << 17), 1 << 16]
    return [v for v in ends if low <= v <= high] + rng.integers(low, high, 12, endpoint=True).tolist()


def case(a: int, b: int) -> Case:
    rng = np.random.default_rng(64 * a + b)
    pairs = [(x, y) for x in operands(rng, a) for y in operands(rng, b)]
    words = [x % (1 << a) | y % (1 << b) << a for x, y in pairs]
    products = [x * y % (1 << (a + b)) for x, y in pairs]
    parameters = {"ABits": a, "BBits": b, "Stages": latency(a, b)}
    return Case("product", parameters, {"s": words}, {"m": products}, {"s": a + b, "m": a + b})


@pytest.fixture(scope="module")
def bank(build_bank):
    sources = rtl.sources(["multiply_pipe", "pipe_control"]) | {"product.sv": PRODUCT}
    return build_bank([case(a, b) for a, b in SIZES], sources)


def test_products_under_stalls(bank):
    for stalls in (HEAVY, LIGHT, STARVED):
        bank.run(stalls)


def test_latency_and_throughput(bank):
    run = bank.run()
    for i, (a, b) in enumerate(SIZES):
        taken, given = run.accepted[f"c{i}_s"], run.produced[f"c{i}_m"]
        assert np.all(np.diff(taken) == 1), (a, b)
        assert np.all(given - taken == latency(a, b)), (a, b)


OPEN = """module top (input logic clk_i, input logic signed [31:0] a_i, b_i, output logic signed [63:0] p_o);
  multiply_pipe #(.ABits(32), .BBits(32)) u_product (.clk_i, .a_i, .b_i, .p_o);
endmodule
"""


def test_open_enables_are_on_in_synthesis(tmp_path):
    """Yosys, too, takes all bits of the default: no register stays as it was."""
    for name, text in flatten(rtl.sources(["multiply_pipe"]) | {"top.sv": OPEN}).items():
        (tmp_path / name).write_text(text)
    lines = "read_verilog -sv -defer multiply_pipe.sv top.sv; hierarchy -top top; proc; flatten; opt"
    yosys.execute(yosys.find(), ["-q", "-p", f"{lines}; select -assert-count 4 t:$mul"], tmp_path)
