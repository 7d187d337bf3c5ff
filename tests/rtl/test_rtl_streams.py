"""Stream modules: order, completeness, throughput and latency, with and without stalls."""

import numpy as np
import pytest
from rtl_bank import HEAVY, LIGHT, STARVED, Case, pack

from bitwright.hardware import library as rtl
from bitwright.hardware.modules.stream_fifo import StreamFifo
from bitwright.tools.model import Stalls

WORDS = 400
FRAMES = 30


def words(seed: int, bits: int, count: int = WORDS) -> list[int]:
    rng = np.random.default_rng(seed)
    return (
        pack(rng.integers(0, 1 << 16, (count, -(-bits // 16))), 16)
        if bits % 16 == 0
        else [int(v) for v in rng.integers(0, 1 << bits, count)]
    )


def same(module: str, bits: int, **parameters) -> Case:
    data = words(bits, bits)
    return Case(module, {"Width": bits, **parameters}, {"s": data}, {"m": data}, {"s": bits, "m": bits})


def regrouped(bits: int, in_lanes: int, out_lanes: int, **parameters) -> Case:
    """stream_regroup: the same lanes in another grouping."""
    size = np.lcm(in_lanes, out_lanes) * 40
    elements = np.random.default_rng(in_lanes).integers(0, 1 << bits, size)
    return Case(
        "stream_regroup",
        {"LaneBits": bits, "InLanes": in_lanes, "OutLanes": out_lanes, **parameters},
        {"s": pack(elements.reshape(-1, in_lanes), bits)},
        {"m": pack(elements.reshape(-1, out_lanes), bits)},
        {"s": bits * in_lanes, "m": bits * out_lanes},
    )


def frames(values: np.ndarray, count: int, bits: int, fill: int) -> list[int]:
    """Frames [n, elements] as words of `count` lanes; what is missing in the last word is `fill`."""
    missing = -values.shape[1] % count
    return pack(np.pad(values, ((0, 0), (0, missing)), constant_values=fill).reshape(-1, count), bits)


def packed(bits: int, in_lanes: int, out_lanes: int, elements: int) -> Case:
    """stream_pack: lanes behind the frame's end are ones in the input, zeros in the output."""
    values = np.random.default_rng(elements).integers(0, 1 << bits, (FRAMES, elements))
    return Case(
        "stream_pack",
        {"LaneBits": bits, "InLanes": in_lanes, "OutLanes": out_lanes, "FrameElements": elements},
        {"s": frames(values, in_lanes, bits, (1 << bits) - 1)},
        {"m": frames(values, out_lanes, bits, 0)},
        {"s": bits * in_lanes, "m": bits * out_lanes},
    )


CASES = [
    same("stream_skid", 9),
    same("stream_fifo", 8, Depth=1),
    same("stream_fifo", 8, Depth=2),
    same("stream_fifo", 7, Depth=3),
    same("stream_fifo", 48, Depth=16),
    same("stream_fifo", 64, Depth=100),
    regrouped(3, 4, 4),
    regrouped(5, 6, 2),
    regrouped(8, 8, 1),
    regrouped(1, 7, 1),
    regrouped(5, 2, 6),
    regrouped(8, 1, 8),
    regrouped(20, 3, 9),
    packed(4, 3, 3, 9),
    packed(4, 3, 3, 10),
    packed(8, 8, 2, 21),
    packed(8, 8, 2, 3),
    packed(8, 1, 8, 13),
    packed(3, 2, 6, 13),
    packed(5, 3, 2, 7),
    packed(5, 2, 3, 7),
    packed(5, 2, 3, 1),
    packed(4, 6, 4, 17),
    packed(4, 4, 6, 19),
    packed(2, 5, 7, 70),
    packed(2, 7, 5, 71),
    packed(1, 9, 16, 33),
]


# A word every two cycles at most, or a gathered one and a cycle: their ready is a register, of one word.
SPACED = [
    same("stream_skid", 10, Words=1),
    regrouped(5, 6, 2, Sparse=True),
    regrouped(8, 8, 1, Sparse=True),
    regrouped(3, 2, 8, Sparse=True),
]


def fork_case() -> Case:
    data = words(2, 11)
    return Case("fork_check", {}, {"s": data}, {"m": data, "n": data}, {"s": 11, "m": 11, "n": 11})


FORK_CHECK = """module fork_check (
    input logic clk_i, input logic rst_i,
    input logic [10:0] s_data_i, input logic s_valid_i, output logic s_ready_o,
    output logic [10:0] m_data_o, output logic m_valid_o, input logic m_ready_i,
    output logic [10:0] n_data_o, output logic n_valid_o, input logic n_ready_i);
  stream_fork #(.Width(11), .Outputs(2)) u_fork (.clk_i, .rst_i, .s_data_i, .s_valid_i, .s_ready_o,
      .m_data_o({n_data_o, m_data_o}), .m_valid_o({n_valid_o, m_valid_o}), .m_ready_i({n_ready_i, m_ready_i}));
endmodule
"""


@pytest.fixture(scope="module")
def bank(build_bank):
    return build_bank(CASES)


@pytest.mark.parametrize("stalls", [None, HEAVY, LIGHT, STARVED])
def test_words_come_out_complete_and_in_order(bank, stalls):
    bank.run(stalls)


def test_throughput_and_latency(bank):
    run = bank.run()
    for i, case in enumerate(CASES):
        taken, given = run.accepted[f"c{i}_s"], run.produced[f"c{i}_m"]
        if case.module == "stream_pack":
            most = max(len(taken), len(given))  # a frame's end can cost one more cycle
            assert given[-1] - taken[0] <= most + FRAMES, case
            continue
        busy = max(taken, given, key=len)
        assert np.all(np.diff(busy) == 1), f"{case} pauses"
        latency = {"stream_skid": 1}.get(case.module)
        if case.module == "stream_fifo":
            latency = StreamFifo(case.parameters["Width"], case.parameters["Depth"]).latency
        if latency is not None:
            assert np.all(given - taken == latency), case


def test_words_that_leave_every_second_cycle(build_bank):
    bank = build_bank(SPACED)
    for stalls in (HEAVY, LIGHT, STARVED):
        bank.run(stalls)
    run = bank.run()
    for i, case in enumerate(SPACED):
        parts = case.parameters.get("OutLanes", 1) // case.parameters.get("InLanes", 1)
        assert np.all(np.diff(run.produced[f"c{i}_m"]) == 1 + max(1, parts)), case


def test_fifo_holds_its_depth(build_bank):
    """With a slow output, a FIFO takes Depth words and the one of its output register."""
    bank = build_bank([same("stream_fifo", 8, Depth=d) for d in (1, 2, 5, 100)])
    run = bank.run(Stalls(seed=4, input=0.0, output=0.6))
    for i, depth in enumerate((1, 2, 5, 100)):
        taken, given = run.accepted[f"c{i}_s"], run.produced[f"c{i}_m"]
        inside = np.arange(1, WORDS + 1) - np.searchsorted(given, taken, side="right")
        assert inside.max() == depth + (depth > 1)


def test_fork_serves_each_output_once(build_bank):
    sources = rtl.sources(["stream_fork"]) | {"fork_check.sv": FORK_CHECK}
    bank = build_bank([fork_case()], sources)
    for stalls in (None, HEAVY, LIGHT, STARVED):
        run = bank.run(stalls)
    assert run.cycles > 0
