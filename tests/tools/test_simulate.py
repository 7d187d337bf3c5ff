"""Simulation of whole designs, and the packing of values into stream words."""

import dataclasses

import numpy as np
import pytest

from bitwright.design.packing import filling, pack, unpack
from bitwright.errors import DataError, OptionError, ToolError
from bitwright.network import IntType, TensorType
from bitwright.simulation import simulate
from bitwright.targets.contract import StreamSpec
from bitwright.tools import verilator
from bitwright.tools.model import ProtocolError, Stalls, Waveform

X = np.random.default_rng(5).integers(0, 16, (40, 3))


@pytest.mark.parametrize("name", ["uint1", "int3", "int8", "uint11", "uint17", "int32", "bipolar"])
@pytest.mark.parametrize(("shape", "lanes"), [((7,), 1), ((7,), 3), ((3, 2, 5), 40), ((3, 2, 5), 4)])
def test_packing_is_the_documented_layout(name, shape, lanes):
    dtype = IntType.parse(name)
    spec = StreamSpec(TensorType(shape, dtype), lanes)
    rng = np.random.default_rng(1)
    values = rng.integers(dtype.min, dtype.max + 1, (3, *shape))
    values = np.where(values == 0, 1, values) if dtype.bipolar else values
    words = pack(spec, values)
    encoded = dtype.encode(values).reshape(3, -1)
    for frame in range(3):
        for k in range(spec.words):
            lane = encoded[frame, k * lanes : (k + 1) * lanes]
            expected = sum(int(v) << (dtype.bits * i) for i, v in enumerate(lane))
            word = words[frame * spec.words + k]
            assert sum(int(v) << (32 * i) for i, v in enumerate(word)) == expected
    assert words.shape == (3 * spec.words, -(-spec.tdata_bits // 32))
    np.testing.assert_array_equal(unpack(spec, words), values)
    assert not filling(spec, words).any()


def test_filling_sees_bits_outside_the_elements():
    spec = StreamSpec(TensorType((3,), IntType(5)), 2)  # words of 10 bits in 16; the second is half empty
    words = pack(spec, np.full((4, 3), 31))
    words[1, 0] |= 1 << 5
    words[4, 0] |= 1 << 10
    assert filling(spec, words).tolist() == [True, False, True, False]


@pytest.mark.parametrize("stalls", [None, Stalls(1)])
def test_outputs_figures_and_counters(doubler, model_cache, stalls):
    result = simulate(doubler, X, stalls=stalls, cache_dir=model_cache)
    np.testing.assert_array_equal(result.outputs, 2 * X)
    assert result.bit_exact
    assert result.mismatches == 0
    assert result.first_mismatch() is None
    assert (result.latency_cycles, result.interval_cycles) == (2, 2.0)
    assert result.counters == {"words": 2 * len(X)}
    np.testing.assert_array_equal(result.predictions, (2 * X).argmax(axis=1))
    assert result.tool.startswith("Verilator 5.")
    assert result.as_dict()["frames"] == 40
    assert result.frames_per_second > 0


def test_jobs_and_frames_do_not_change_results(doubler, model_cache):
    one = simulate(doubler, X, jobs=1, cache_dir=model_cache)
    two = simulate(doubler, X[:33], jobs=2, cache_dir=model_cache)
    np.testing.assert_array_equal(one.outputs[:33], two.outputs)
    single = simulate(doubler, X[:1], cache_dir=model_cache)
    assert single.interval_cycles is None
    assert single.latency_cycles == one.latency_cycles


def test_floats_are_quantized_and_returned(doubler, model_cache):
    network = doubler.network
    spec = dataclasses.replace(network.input, scale=0.5)
    output = dataclasses.replace(network.output, scale=0.25)
    design = dataclasses.replace(doubler, network=dataclasses.replace(network, inputs=spec, outputs=output))
    result = simulate(design, np.array([[0.5, 1.2, 99.0]], np.float32), cache_dir=model_cache)
    assert result.outputs.tolist() == [[2, 4, 30]]
    assert result.floats.tolist() == [[0.5, 1.0, 7.5]]


def damaged(doubler, good: str, bad: str):
    """The doubler with a text replaced in one of its files."""
    files = {path: text.replace(good, bad) for path, text in doubler.files.items()}
    assert files != doubler.files
    return dataclasses.replace(doubler, files=files)


def test_progress_is_told(doubler, model_cache):
    seen = []
    simulate(doubler, X[:20], jobs=2, cache_dir=model_cache, progress=lambda *step: seen.append(step))
    assert seen == [("simulator", 0, 1), ("simulator", 1, 1), ("frames", 0, 20), ("frames", 10, 20), ("frames", 20, 20)]


def test_a_wrong_design_is_reported(doubler, model_cache):
    bad = damaged(doubler, "s_data_i[Bits-1:0]} << 1}", "s_data_i[Bits-1:0]} << 1 | 5'd1}")
    result = simulate(bad, X, cache_dir=model_cache)
    assert not result.bit_exact
    assert result.mismatches == 80
    assert result.first_mismatch() == f"frame 0, element (0,): {2 * X[0, 0] + 1} instead of {2 * X[0, 0]}"


def test_filling_and_tlast_are_checked(doubler, model_cache):
    bad = damaged(doubler, "s_data_i[2*Bits-1:Bits]} << 1,", "s_data_i[2*Bits-1:Bits]} << 1 | 5'd1,")
    with pytest.raises(ProtocolError, match="bits without an element are not zero in frame 0"):
        simulate(bad, X, cache_dir=model_cache)
    bad = damaged(doubler, "m_axis_tlast = last_q", "m_axis_tlast = !last_q")
    with pytest.raises(ProtocolError, match="tlast is 1 at word 0 of 2 of frame 0"):
        simulate(bad, X, cache_dir=model_cache)


def test_wrong_data_are_refused(doubler, model_cache):
    with pytest.raises(DataError, match="no frames"):
        simulate(doubler, X[:0])
    with pytest.raises(DataError, match="outside uint4"):
        simulate(doubler, X + 16)


def transfers(vcd, valid, ready):
    """Clock edges of a waveform at which both signals are high."""
    head, body = vcd.split("$enddefinitions $end")
    codes = {line.split()[4]: line.split()[3] for line in head.splitlines() if line.strip().startswith("$var")}
    clock, before, found = codes["clk_i"], {}, 0
    for step in body.split("\n#")[1:]:
        changes = {line[1:].strip(): line[0] for line in step.splitlines()[1:] if line[:1] in ("0", "1")}
        if changes.get(clock) == "1":
            found += before.get(codes[valid]) == before.get(codes[ready]) == "1"
        before |= changes
    return found


def test_a_trace_holds_the_first_result(doubler, model_cache, tmp_path):
    """By default, with any stalls; a given length is kept."""
    stalls = Stalls(3, 0.6, 0.6)
    first, short = tmp_path / "first.vcd", tmp_path / "short.vcd"
    simulate(doubler, X[:4], stalls=stalls, cache_dir=model_cache, trace=first, jobs=1)
    words = doubler.output.words
    assert words <= transfers(first.read_text(), "m_axis_tvalid", "m_axis_tready") < 4 * words
    simulate(doubler, X[:4], stalls=stalls, cache_dir=model_cache, trace=Waveform(short, 5), jobs=1)
    assert short.read_text().count("\n#") <= 11


def test_a_trace_is_what_its_name_says(doubler, model_cache, tmp_path):
    with pytest.raises(
        OptionError, match=r"wave.txt: no format of waveforms; legal are names that end in .vcd or .fst"
    ):
        simulate(doubler, X[:2], cache_dir=model_cache, trace=tmp_path / "wave.txt")


def test_waveforms_of_fst(doubler, model_cache, tmp_path):
    try:
        verilator.check_fst(verilator.find())
    except ToolError as error:
        pytest.skip(str(error).split(";")[0])
    wave = tmp_path / "wave.FST"
    simulate(doubler, X[:2], cache_dir=model_cache, trace=wave, jobs=1)
    assert wave.read_bytes()[:9] == bytes([0, 0, 0, 0, 0, 0, 0, 1, 73]), "an FST header of 329 bytes"


def test_missing_headers_of_fst_are_told_before_anything_is_built(doubler, model_cache, tmp_path, monkeypatch):
    monkeypatch.setattr(verilator.Verilator, "flags", property(lambda tool: ["-nostdinc"]))
    with pytest.raises(ToolError, match=r"\.vcd needs neither: g\+\+ failed: "):
        simulate(doubler, X[:2], cache_dir=model_cache, trace=tmp_path / "wave.fst")
    assert not (tmp_path / "wave.fst").exists()
