"""`axi_master` at the bench's memories: ideal and random ones, errors, stops; and the rules that the bench watches."""

import numpy as np
import pytest

from bitwright.hardware import library as rtl
from bitwright.tools import verilator
from bitwright.tools.bench import Bench, inner_input, inner_output
from bitwright.tools.model import ExternalMemory, ProtocolError

BASE, SIZE = 0x12_3450_0000, 1 << 16
OUTSTANDING = 8
INPUTS = ("arready", "awready", "rid", "rlast", "rvalid", "wready", "bid", "bvalid")
OUTPUTS = ("rready", "bready", "wvalid", "wlast")


def wrapper(bits: int, faults: str = "") -> str:
    """`axi_master` behind streams: commands {beats, beat}, words, done; `run` is what was last sent."""
    beat = 40 - {64: 3, 128: 4}[bits]
    outs = {"id": 1, "addr": 40, "len": 8, "size": 3, "burst": 2, "cache": 4, "prot": 3, "valid": 1}
    ports = [f"output logic [{n - 1}:0] m_axi_{c}{k}" for c in ("ar", "aw") for k, n in outs.items()]
    ports += [f"input logic m_axi_{n}" for n in INPUTS]
    ports += [
        f"input logic [{bits - 1}:0] m_axi_rdata",
        "input logic [1:0] m_axi_rresp",
        "input logic [1:0] m_axi_bresp",
    ]
    ports += [f"output logic [{bits - 1}:0] m_axi_wdata", f"output logic [{bits // 8 - 1}:0] m_axi_wstrb"]
    ports += [f"output logic m_axi_{n}" for n in OUTPUTS]
    commands = {"c0": beat + 24, "c1": beat + 24, "cw": beat + 24, "d": bits, "run": 1}
    results = {"r0": bits, "r1": bits, "done": 44}
    for name, n in commands.items():
        ports += [
            f"input logic [{n - 1}:0] {name}_data_i",
            f"input logic {name}_valid_i",
            f"output logic {name}_ready_o",
        ]
    for name, n in results.items():
        ports += [
            f"output logic [{n - 1}:0] {name}_data_o",
            f"output logic {name}_valid_o",
            f"input logic {name}_ready_i",
        ]
    wired = [p.split()[-1] for p in ports if "m_axi" in p]
    inner = {name: f"x_{name}" if name in faults else name for name in wired}
    declared = "".join(f"  logic [{40 if 'addr' in n else bits - 1}:0] x_{n};\n" for n in wired if n in faults)
    pins = ", ".join(f".{name}({signal})" for name, signal in inner.items())
    return f"""module wrapper (input logic clk_i, input logic rst_i, {", ".join(ports)});
  logic run_q, written, error, done_valid_q;
  logic [1:0] kind;
  logic [39:0] address;
  logic [1:0] ready;
  assign run_ready_o = 1'b1;
  always_ff @(posedge clk_i) begin
    if (rst_i) run_q <= 1'b1;
    else if (run_valid_i) run_q <= run_data_i;
    done_valid_q <= !rst_i && (written || (done_valid_q && !done_ready_i));
  end
  assign done_valid_o = done_valid_q;
  assign done_data_o = {{1'b0, error, kind & {{2{{error}}}}, address & {{40{{error}}}}}};
  assign {{c1_ready_o, c0_ready_o}} = ready;
{declared}{faults}
  // verilator lint_off WIDTH
  axi_master #(.DataBits({bits})) u_master (
      .clk_i, .rst_i, .run_i(run_q),
      .read_beat_i({{c1_data_i[{beat - 1}:0], c0_data_i[{beat - 1}:0]}}),
      .read_beats_i({{c1_data_i[{beat}+:24], c0_data_i[{beat}+:24]}}),
      .read_valid_i({{c1_valid_i, c0_valid_i}}), .read_ready_o(ready),
      .m_data_o({{r1_data_o, r0_data_o}}), .m_valid_o({{r1_valid_o, r0_valid_o}}),
      .m_ready_i({{r1_ready_i, r0_ready_i}}),
      .write_beat_i(cw_data_i[{beat - 1}:0]), .write_beats_i(cw_data_i[{beat}+:24]),
      .write_end_i(1'b1), .write_valid_i(cw_valid_i), .write_ready_o(cw_ready_o),
      .s_data_i(d_data_i), .s_valid_i(d_valid_i), .s_ready_o(d_ready_o),
      .written_o(written), .error_o(error), .error_kind_o(kind), .error_address_o(address), {pins});
endmodule
"""


class Master:
    """The compiled wrapper; commands are (first beat in memory, beats)."""

    def __init__(self, cache, bits: int, faults: str = "") -> None:
        beat = 40 - {64: 3, 128: 4}[bits]
        inputs = [inner_input(n, w) for n, w in (("c0", beat + 24), ("c1", beat + 24), ("cw", beat + 24))]
        inputs += [inner_input("d", bits), inner_input("run", 1)]
        outputs = [inner_output(n, w) for n, w in (("r0", bits), ("r1", bits), ("done", 44))]
        files = rtl.sources(["axi_master"]) | {"wrapper.sv": wrapper(bits, faults)}
        self.model = verilator.build(files, Bench("wrapper", inputs, outputs, memory=bits), cache_dir=cache)
        self.bits, self.beat = bits, beat

    def run(self, reads=((), ()), writes=(), data=(), runs=(), expect=None, **memory):
        reads = reads or ((), ())
        first = BASE // (self.bits // 8)

        def commands(pairs):
            words = [first + at | beats << self.beat for at, beats in pairs]
            return np.array([[w & 0xFFFFFFFF, w >> 32] for w in words], np.uint32).reshape(-1, 2)

        words = {"c0": commands(reads[0]), "c1": commands(reads[1]), "cw": commands(writes)}
        words |= {"d": np.asarray(data, np.uint32).reshape(-1, self.bits // 32), "run": np.asarray(runs, np.uint32)}
        if expect is None:
            expect = [sum(n for _, n in pairs) for pairs in reads] + [len(writes)]
        external = ExternalMemory(base=BASE, size=SIZE, outstanding=OUTSTANDING, **memory)
        names = dict(zip(("r0", "r1", "done"), expect, strict=True))
        return self.model.with_memory(external).run(words, names, idle_cycles=5000)


@pytest.fixture(scope="module", params=[64, 128])
def master(request, rtl_cache):
    return Master(rtl_cache, request.param)


def plan(rng, bits, count):
    """Random places in the first half of the memory for reads and in the second for writes, none of these twice."""
    half = SIZE // 2 // (bits // 8)
    reads = [[(int(rng.integers(0, half - 100)), int(rng.integers(1, 100))) for _ in range(count)] for _ in range(2)]
    ends = np.cumsum(rng.integers(1, 70, 2 * count))
    writes = [(half + int(a), int(b - a)) for a, b in zip(ends[:-1:2], ends[1::2], strict=True)]
    return reads, writes, rng.integers(0, 1 << 32, (sum(n for _, n in writes), bits // 32), np.uint32)


@pytest.mark.parametrize("seed", [None, 1, 2, 3])
def test_words_of_both_readers_and_of_the_writer(master, seed):
    """Every read is the image's, under any memory; what was written is read by a second command."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 1 << 32, SIZE // 8, np.uint32)
    words = image.reshape(-1, master.bits // 32)
    reads, writes, data = plan(rng, master.bits, 20)
    run = master.run(reads, writes, data, image=image, seed=seed, latency=30)
    for k in (0, 1):
        expected = np.concatenate([words[at : at + n] for at, n in reads[k]])
        np.testing.assert_array_equal(run.outputs[f"r{k}"], expected)
    beats = sum(n for pairs in reads for _, n in pairs)
    assert run.traffic == (beats * master.bits // 8, len(data) * master.bits // 8)
    assert not run.outputs["done"].any()


def test_ideal_memory_delivers_a_beat_a_cycle(master):
    """A long read takes its beats, `latency` and the registers on the way; with gaps, `gap` a beat."""
    image = np.arange(SIZE // 4, dtype=np.uint32)
    for latency, gap in ((1, 1), (40, 1), (10, 2)):
        run = master.run([[(5, 600)], []], image=image, latency=latency, gap=gap)
        produced = run.produced["r0"]
        assert produced[0] - run.accepted["c0"][0] == 4 + latency
        assert produced[-1] - produced[0] == 599 * gap


def test_a_write_is_done_with_its_last_response(master):
    data = np.zeros((40, master.bits // 32), np.uint32)
    run = master.run(writes=[(0, 40)], data=data, image=np.zeros(0, np.uint32), latency=25)
    assert run.produced["done"][0] - run.accepted["d"][-1] > 25
    assert run.traffic == (0, 40 * master.bits // 8)


@pytest.mark.parametrize(("which", "kind"), [("fail_read", 1), ("fail_write", 2)])
def test_an_error_is_kept_with_its_address(master, which, kind):
    image = np.zeros(SIZE // 8, np.uint32)
    half = SIZE // 2 // (master.bits // 8)
    data = np.zeros((80, master.bits // 32), np.uint32)
    run = master.run([[], [(8, 40)]], [(half, 40), (half + 40, 40)], data, image=image, latency=3, **{which: 1})
    found = int(run.outputs["done"][-1, 0]) | int(run.outputs["done"][-1, 1]) << 32
    beat = 16 if which == "fail_read" else half + 16
    assert found == 1 << 42 | kind << 40 | (BASE + beat * master.bits // 8)


@pytest.mark.parametrize("seed", [None, 4, 5])
def test_a_stop_awaits_what_is_under_way(master, seed):
    """run falls in the middle of long transfers: the bus comes to rest by its rules, and new commands are served."""
    image = np.arange(SIZE // 4, dtype=np.uint32)
    words = master.bits // 32
    run = master.run([[(0, 400), (3, 20)], []], runs=[1, 1, 0, 0, 0, 1], expect=(20, 0, 0), image=image, seed=seed)
    np.testing.assert_array_equal(run.outputs["r0"], image.reshape(-1, words)[3:23])
    assert run.traffic[0] > 20 * master.bits // 8
    # By then some 57 beats have been taken; the second command finds its own among those that are left.
    data = np.zeros((57 + 100 + 20, words), np.uint32)
    pause = [1] * 60 + [0] * 3 + [1]
    run = master.run((), [(1024, 400), (2048, 100)], data, pause, (0, 0, 1), image=image[:0], seed=seed)
    assert run.traffic[1] > 100 * master.bits // 8


FALLING = "logic q; always_ff @(posedge clk_i) q <= !q && !rst_i; assign m_axi_arvalid = x_m_axi_arvalid[0] && q;"
CHANGING = "logic [39:0] n; always_ff @(posedge clk_i) n <= n + 8; assign m_axi_wdata = x_m_axi_wdata[63:0] ^ 64'(n);"
FAULTS = {
    "assign m_axi_araddr = x_m_axi_araddr[39:0] ^ 40'h40;": "a read is not aligned to a burst",
    "assign m_axi_araddr = x_m_axi_araddr[39:0] | 40'h1;": "a read is not aligned to a beat",
    "assign m_axi_awaddr = x_m_axi_awaddr[39:0] + 40'h100000;": "a write lies beyond the memory",
    "assign m_axi_wlast = 1'b0 & x_m_axi_wlast[0];": "WLAST is wrong",
    FALLING: "ARVALID fell",
    CHANGING: "W changed",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_bench_sees_broken_rules(fault, rtl_cache):
    master = Master(rtl_cache, 64, fault)
    image = np.zeros(SIZE // 8, np.uint32)
    data = np.zeros((40, 2), np.uint32)
    with pytest.raises(ProtocolError, match=FAULTS[fault]):
        master.run([[(8, 40)], []], [(SIZE // 16, 40)], data, image=image, seed=1)


def test_what_was_never_written_may_not_be_read(master):
    with pytest.raises(ProtocolError, match="a read of what was never written at 0x12345000"):
        master.run([[(0, 4)], []], image=np.zeros(4, np.uint32))
