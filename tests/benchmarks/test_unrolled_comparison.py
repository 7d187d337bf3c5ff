"""The comparison of unrolled layers: other tools' circuits are counted and mapped as what they are."""

import sys
from pathlib import Path

import numpy as np
import pytest

from bitwright.hardware.closure import flatten
from bitwright.targets.tlmac.emit import library_files
from bitwright.tools import verilator
from bitwright.tools.bench import Bench, inner_input, inner_output

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "tlmac"))

import carry_sums
import unrolled as comparison
import unrolled_rivals
from carry_sums import Layout, Operand, Step, emit_steps, route_throughs, sites


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """One cache folder for all models."""
    return tmp_path_factory.mktemp("models")


def simulated(files, module, in_bits, out_bits, words, cache_dir):
    """Words through a combinational module, as a stream: integers [N, ceil(out_bits / 32)]."""
    ports = "model_inp(s_data_i), .model_out(result)" if module == "core" else "x_i(s_data_i), .y_o(result)"
    top = f"""module streamed (input logic clk_i, input logic rst_i,
      input logic [{in_bits - 1}:0] s_data_i, input logic s_valid_i, output logic s_ready_o,
      output logic [{out_bits - 1}:0] m_data_o, output logic m_valid_o, input logic m_ready_i);
      logic [{out_bits - 1}:0] result;
      {module} u_module (.{ports});
      assign s_ready_o = !m_valid_o || m_ready_i;
      always_ff @(posedge clk_i)
        if (rst_i) m_valid_o <= 1'b0;
        else if (s_ready_o) begin
          m_valid_o <= s_valid_i;
          m_data_o <= result;
        end
    endmodule
    """
    files = {name: text.replace("`timescale 1ns / 1ps", "") for name, text in files.items()}
    files = flatten(library_files(files.values())) | files | {"streamed.sv": top}
    files["waivers.vlt"] = "`verilator_config\nlint_off\n"
    streams = [inner_input("s", in_bits)], [inner_output("m", out_bits)]
    model = verilator.build(files, Bench("streamed", *streams), cache_dir=cache_dir)
    return model.run({"s": words}, {"m": len(words)}).outputs["m"]


def bits_of(words, count):
    """Words [N, n] of 32 bits as bits [N, count]."""
    raw = np.ascontiguousarray(words, "<u4").view(np.uint8)
    return np.unpackbits(raw, axis=1, count=count, bitorder="little")


def words_of(bits):
    """The inverse of `bits_of`."""
    packed = np.packbits(bits, axis=1, bitorder="little")
    padded = np.zeros((len(packed), -(-packed.shape[1] // 4) * 4), np.uint8)
    padded[:, : packed.shape[1]] = packed
    return padded.view("<u4")


def value_of(bits, signed):
    weights = 1 << np.arange(bits.shape[1], dtype=np.int64)
    return bits @ weights - (bits[:, -1].astype(np.int64) << bits.shape[1]) * signed


def random_sums(rng, count):
    """Inputs of 1 to 6 bits, and sums of them with any signs but all negative."""
    steps, low = [], 0
    for number in range(12):
        bits = int(rng.integers(1, 7))
        steps.append(Step(number, bits, bool(rng.integers(2)), first_input=low))
        low += bits
    for number in range(12, 12 + count):
        read = [steps[i] for i in rng.choice(12, int(rng.integers(2, 4)), replace=False)]
        negate = rng.integers(0, 2, len(read)) * (rng.permutation(len(read)) > 0)
        shifts = rng.integers(0, 6, len(read)) - 2
        operands = tuple(
            Operand(s.number, s.bits, s.signed, int(shift), bool(n))
            for s, shift, n in zip(read, shifts, negate, strict=True)
        )
        least = int(shifts.min())
        ends = np.zeros(2, np.int64)
        for o in operands:
            part = np.array([-(1 << (o.bits - 1)), (1 << (o.bits - 1)) - 1] if o.signed else [0, (1 << o.bits) - 1])
            ends += (-part[::-1] if o.negate else part) << (o.shift - least)
        signed = bool(ends[0] < 0)
        bits = max(1, int(max(ends[1], -ends[0] - 1)).bit_length()) + signed
        steps.append(Step(number, bits, signed, least, operands))
    return steps, low


def test_mapped_sums_are_the_sums(models):
    rng = np.random.default_rng(0)
    steps, in_bits = random_sums(rng, 90)
    outputs = [(step.number, step.bits, False) for step in steps[12:]]
    inverted = [step for step in steps[:12] if step.signed]
    outputs += [(step.number, step.bits + 1, True) for step in inverted]
    out_bits = sum(bits for _, bits, _ in outputs)
    x = rng.integers(0, 2, (200, in_bits)).astype(np.uint8)
    x[:2] = [[0], [1]]
    files = emit_steps(steps, outputs, in_bits)
    got = bits_of(simulated(files, "core", in_bits, out_bits, words_of(x), models), out_bits)
    values, first = {}, 0
    for step in steps[:12]:
        values[step.number] = value_of(x[:, step.first_input : step.first_input + step.bits], step.signed)
    for step in steps[12:]:
        expected = sum(
            (-values[o.value] if o.negate else values[o.value]) << (o.shift - step.lowest) for o in step.operands
        )
        np.testing.assert_array_equal(value_of(got[:, first : first + step.bits], step.signed), expected)
        first += step.bits
    for step in inverted:
        np.testing.assert_array_equal(value_of(got[:, first : first + step.bits + 1], True), -values[step.number])
        first += step.bits + 1
    for step in steps[12:]:
        layout = Layout(step)
        assert all(n < 3 for p, n in enumerate(layout.counts) if layout.completion[0] >> p & 1)


def plain(bits, shift=0, signed=False, negate=False):
    return Operand(0, bits, signed, shift, negate)


@pytest.mark.parametrize(
    ("bits", "operands", "expected"),
    [
        (9, (plain(8), plain(8)), 8),  # the carry alone reaches the topmost position
        (12, (plain(8), plain(8, 4)), 8),  # four positions below are wires, four above are passed through
        (9, (plain(8, signed=True), plain(8, signed=True)), 9),  # the sign extension counts
        (9, (plain(8), plain(8, negate=True)), 8),
        (10, (plain(8), plain(8), plain(8)), 9),  # a majority bit above the operands
        (12, (plain(8), plain(8, 4, negate=True)), 8),
        (12, (plain(8, negate=True), plain(8, 4)), 12),  # a subtracted operand alone is on the chain, too
    ],
)
def test_lut_sites_of_a_sum(bits, operands, expected):
    assert sites(Step(1, bits, False, 0, operands)) == expected


def test_lut_sites_of_tables_and_inputs():
    address = (plain(5),)
    assert sites(Step(1, 3, False, operands=address, table=(0,) * 32)) == 2
    assert sites(Step(1, 3, False, operands=(plain(8),), table=(0,) * 256)) == 12
    assert sites(Step(1, 8, False, first_input=0)) == 0


def test_route_throughs_of_a_netlist():
    cells = {
        "lut": {"type": "LUT6_2", "connections": {"O6": [5], "O5": [6]}},
        "not": {"type": "INV", "connections": {"O": [7]}},
        "sum": {"type": "CARRY8", "connections": {"S": [5, 7, 5, 6, 9, "0", "1", "0"]}},
    }
    assert route_throughs(cells) == 3  # a LUT drives one position; O5 and other signals drive none


@pytest.mark.parametrize("bits", [2, 8])
def test_a_column_of_zeros_is_a_sum_of_nothing(models, bits):
    weights = np.array([[3, 0, 1], [-1, 0, 0], [0, 0, 0]])
    low = -(1 << (bits - 1)) if bits > 2 else -1
    layer = comparison.Layer("zeros", weights, low, -low - (bits > 2), bits)
    files, row = comparison.own_files(layer)
    assert row["sites"] >= row["estimate"] > 0
    x = np.random.default_rng(0).integers(low, layer.high + 1, (50, 3))
    raw = np.concatenate([(x[:, i : i + 1] >> np.arange(bits)) & 1 for i in range(3)], axis=1).astype(np.uint8)
    out = next(line for line in files["layer.sv"].splitlines() if line.startswith("module layer"))
    out_bits = int(out.split("logic [")[2].split(":")[0]) + 1
    keep = {name: text for name, text in files.items() if "LUT6_2 #" not in text and "CARRY8 #" not in text}
    y = bits_of(simulated(keep, "layer", 3 * bits, out_bits, words_of(raw), models), out_bits)
    assert (y.any(axis=1) == (x @ weights).any(axis=1)).all()


@pytest.mark.parametrize("setting", ["plain", "mapped"])
def test_tables_of_alkaid_are_emitted(tmp_path, models, setting):
    pytest.importorskip("alkaid")
    rng = np.random.default_rng(1)
    weights = rng.integers(-1, 2, (64, 40)) * (rng.random((64, 40)) < 0.1)
    unrolled_rivals.solve("alkaid", weights, 0, 1, tmp_path / "logic.json")
    emitted = unrolled_rivals.emit("alkaid", setting, tmp_path / "logic.json", weights, 0, 1)
    layer = comparison.Layer("tables", weights, 0, 1, 1)
    files = comparison.rival_files(layer, emitted)
    assert any("table_" in text or "case (" in text for text in files.values())
    keep = {name: text for name, text in files.items() if "LUT6_2 #" not in text and "CARRY8 #" not in text}
    x = rng.integers(0, 2, (50, 64)).astype(np.uint8)
    out_bits = sum(emitted.out_bits)
    core = {name: text for name, text in keep.items() if name != "layer.sv"}
    read = np.array(emitted.in_bits) > 0  # inputs that nothing reads have no bits
    y = bits_of(simulated(core, "core", int(read.sum()), out_bits, words_of(x[:, read]), models), out_bits)
    ends = np.cumsum([0, *emitted.out_bits])
    for o, shift in enumerate(emitted.out_shift):
        part = y[:, ends[o] : ends[o + 1]]
        found = value_of(part, emitted.out_signed[o]) << shift if part.size else np.zeros(50, np.int64)
        np.testing.assert_array_equal(found, x.astype(np.int64) @ weights[:, o])


def test_every_library_file_is_named():
    assert (Path(carry_sums.__file__).parent / carry_sums.LIBRARY).is_file()
