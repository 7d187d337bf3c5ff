"""Files for boards: the driver is run against a simulated board, the wrapper is linted, scripts are compared."""

import dataclasses
import importlib.util
import sys
import types

import jinja2
import numpy as np
import pytest

import bitwright as bw
from bitwright.data.raw import classes
from bitwright.deployment import write_driver, write_overlay, write_vivado
from bitwright.deployment.driver import declares_raw_data
from bitwright.deployment.rendering import render
from bitwright.deployment.vivado import address_bits, overlay_files
from bitwright.errors import DeviceError, OptionError
from bitwright.hardware.closure import flatten
from bitwright.hardware.shell import control
from bitwright.network import BIPOLAR, InputSpec, IntType, Network, Node, OutputSpec, TensorType, evaluate
from bitwright.network.bundles import parts
from bitwright.network.ops import Add, MaxPool
from bitwright.targets.contract import FrameSpec, StreamSpec, WeightStream
from bitwright.tools import verilator
from bitwright.tools.bench import Bench, axis_input, axis_output
from bitwright.tools.elements import from_bytes, to_bytes
from bitwright.tools.model import Stalls


class Buffer(np.ndarray):
    def freebuffer(self):
        self.freed = True

    def flush(self):
        self.flushed = True

    def invalidate(self):
        self.invalidated = True


class Board:
    """What pynq offers, over a board that computes the network of a design."""

    def __init__(self, design):
        self.network, self.stream_in, self.stream_out = design.network, design.input, design.output
        self.writes, self.frames_written, self.received = [], [], []
        channel = types.SimpleNamespace
        self.dma = channel(
            sendchannel=channel(transfer=self.send), recvchannel=channel(transfer=self.receive, idle=True)
        )
        self.design = channel(write=lambda a, w: self.writes.append((a, w)), read=lambda a: 100 + a)
        self.frames = channel(write=lambda a, n: self.frames_written.append(n))

    def receive(self, buffer, start, length):
        self.target = buffer[start : start + length]

    def send(self, buffer, start, length):
        frame, out, network = self.stream_in, self.stream_out, self.network
        raw = np.array(buffer[start : start + length]).reshape(-1, frame.words, frame.tdata_bits // 8)
        x, first = {}, 0
        for end, spec in zip(network.inputs, frame.tensors, strict=True):
            own = raw[:, first : first + spec.words].reshape(-1, raw.shape[2])
            codes = from_bytes(own, spec.type.dtype.bits, spec.lanes, spec.type.size)
            x[end.name] = spec.type.dtype.decode(codes).reshape(-1, *spec.type.shape)
            first += spec.words
        y = parts(network.leaving(evaluate(network, x)), [end.name for end in network.outputs])
        blocks = []
        for spec, values in zip(out.tensors, y.values(), strict=True):
            packed = to_bytes(spec.type.dtype.encode(values.reshape(len(raw), -1)), spec.type.dtype.bits, spec.lanes)
            words = np.zeros((len(packed), out.tdata_bits // 8), np.uint8)
            words[:, : packed.shape[1]] = packed
            blocks.append(words.reshape(len(raw), -1))
        self.target[:] = np.concatenate(blocks, axis=1).reshape(-1)
        self.received.append(next(iter(x.values())))


def load_driver(design, folder, monkeypatch):
    board = Board(design)
    pynq = types.ModuleType("pynq")
    pynq.Overlay = lambda path: board
    pynq.Clocks = types.SimpleNamespace()
    pynq.allocate = lambda shape, dtype: np.zeros(shape, dtype).view(Buffer)
    monkeypatch.setitem(sys.modules, "pynq", pynq)
    paths = write_driver({"net": design}, folder, clock_mhz=125)
    spec = importlib.util.spec_from_file_location("generated_driver", paths[0])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module, board, pynq


def test_the_driver_takes_and_gives_arrays_by_name(doubler, tmp_path, monkeypatch):
    t = TensorType((2, 2, 3), IntType(5))
    nodes = [Node("sum", Add(), ("left", "right")), Node("max", MaxPool((2, 2), (1, 1)), ("sum",))]
    inputs = InputSpec(t, scale=0.5, name="left"), InputSpec(t, scale=0.25, name="right")
    outputs = OutputSpec(value="max", name="top", scale=2), OutputSpec(value="sum", name="all")
    network = Network(inputs, nodes, outputs)
    types = [network.types[value] for value in network.output_values]
    frames = (
        FrameSpec((StreamSpec(t, 3), StreamSpec(t, 4))),
        FrameSpec((StreamSpec(types[0], 1), StreamSpec(types[1], 2))),
    )
    design = dataclasses.replace(doubler, network=network, input=frames[0], output=frames[1])
    module, *_ = load_driver(design, tmp_path, monkeypatch)
    driver, rng = module.Driver(), np.random.default_rng(0)
    x = {spec.name: rng.uniform(0, 9, (6, 2, 2, 3)).astype(np.float32) for spec in inputs}
    expected, found = network.predict(x), driver.execute_float(x)
    assert list(found) == ["top", "all"]
    for name, y in found.items():
        np.testing.assert_array_equal(y, expected[name])
    q = network.quantize(x)
    y = driver.execute_integers({name: q[name] for name in x})
    np.testing.assert_array_equal(y["all"], q["left"] + q["right"])
    assert driver.throughput_test(4)["frames"] == 4
    with pytest.raises(ValueError, match="legal is an array for every input, by name: left, right"):
        driver.execute_integers(q["left"])
    with pytest.raises(ValueError, match=r"right spans \[0, 32\], outside uint5"):
        driver.execute_integers({"left": q["left"], "right": np.where(q["right"] > 9, 32, 0)})


def test_the_driver_notices_writes_that_the_design_ignored(doubler, tmp_path, monkeypatch):
    module, *_ = load_driver(dataclasses.replace(doubler, counters={"errors": 4}), tmp_path, monkeypatch)
    with pytest.raises(RuntimeError, match="the design ignored a part of its program"):
        module.Driver()


def test_the_driver_computes_what_the_network_does(doubler, tmp_path, monkeypatch):
    module, board, pynq = load_driver(doubler, tmp_path, monkeypatch)
    driver = module.Driver()
    monkeypatch.setattr(module, "MAX_FRAMES", 16)
    x = np.random.default_rng(0).integers(0, 16, (40, 3))
    np.testing.assert_array_equal(driver.execute_integers(x), 2 * x)
    assert board.frames_written == [0, 1, 16, 16, 8]
    assert board.writes == [(0, 0xFF)]
    assert pynq.Clocks.fclk0_mhz == 125
    assert driver.counters() == {"words": 104}
    assert driver.throughput_test(9)["frames"] == 9
    with pytest.raises(ValueError, match="outside uint4"):
        driver.execute_integers(x + 1)
    with pytest.raises(ValueError, match="legal is integers"):
        driver.execute_integers(x[:, :2])
    board.dma.recvchannel.idle = False
    driver.link.timeout_s = 0.01
    with pytest.raises(TimeoutError, match="not delivered a result of 4 frames within"):
        driver.execute_integers(x[:4])


def test_the_driver_keeps_the_weight_stream_going(doubler, tmp_path, monkeypatch):
    """Again and again while results are awaited, also where the last transfer has begun in an earlier call."""
    words = np.arange(6, dtype=np.uint32).reshape(3, 2)
    module, board, _ = load_driver(dataclasses.replace(doubler, weights=WeightStream(words, 4)), tmp_path, monkeypatch)
    sent, waits, idles = [], iter([False] * 3 + [True] + [False] * 2 + [True]), iter([False, True, False, True, True])

    class Receive:
        transfer = board.dma.recvchannel.transfer
        idle = property(lambda self: next(waits))

    class Send:
        idle = property(lambda self: next(idles))

        def transfer(self, buffer):
            sent.append(np.array(buffer))

    board.dma.recvchannel, board.weights_dma = Receive(), types.SimpleNamespace(sendchannel=Send())
    driver = module.Driver()
    driver.execute_integers(np.zeros((4, 3), np.int64))
    assert len(sent) == 2  # at once, when idle, not while it still goes
    driver.execute_integers(np.zeros((4, 3), np.int64))
    assert len(sent) == 4
    assert all(np.array_equal(buffer, np.arange(6)) for buffer in sent)


@pytest.mark.parametrize("function", ["identity", "softmax", "sigmoid"])
def test_the_driver_takes_floats_as_the_network_does(doubler, tmp_path, monkeypatch, function):
    network = doubler.network
    spec = dataclasses.replace(network.input, scale=np.array([0.5, 0.3, 1.7]), offset=2.0, low=1, high=14)
    output = dataclasses.replace(network.output, scale=np.array([0.1]), offset=np.array([1, 2, 3]), function=function)
    design = dataclasses.replace(doubler, network=dataclasses.replace(network, inputs=spec, outputs=output))
    module, _, _ = load_driver(design, tmp_path, monkeypatch)
    x = np.random.default_rng(1).normal(0, 5, (30, 3)).astype(np.float32)
    expected = output.dequantize(evaluate(design.network, spec.quantize(x))["sum"])
    np.testing.assert_array_equal(module.Driver().execute_float(x), expected)


def random_specification(rng):
    """An input of any type, scale, layout and preparation, and the shape of its raw data."""
    image = bool(rng.integers(4))
    shape = tuple(int(n) for n in rng.integers(1, 5, 3 if image else 1))
    signed = bool(rng.integers(2))
    dtype = BIPOLAR if rng.integers(5) == 0 else IntType(int(rng.integers(1, 17)), signed)
    per_channel = shape[-1] if rng.integers(2) else 1
    layout = str(rng.choice(["HWC", "CHW"])) if image else "C"
    own = (shape[2], *shape[:2]) if layout == "CHW" else shape
    low, high = sorted(int(v) for v in rng.integers(dtype.min, dtype.max + 1, 2))
    changes = {}
    if image and rng.integers(3):
        changes["data_layout"] = str(rng.choice(["HWC", "CHW"]))
    if rng.integers(3):
        changes["data_scale"] = float(rng.choice([1 / 255, 0.5, 3.0]))
    channels = shape[-1] if image and rng.integers(2) else 1
    if rng.integers(3):
        changes["data_mean"] = tuple(rng.normal(0, 1, channels))
    if rng.integers(3):
        changes["data_std"] = tuple(rng.uniform(0.1, 3, channels))
    if not dtype.bipolar and rng.integers(2):
        changes |= {"low": low, "high": high}
    changes["rule"] = str(rng.choice(["multiply", "divide", "divide_then_add"]))
    parts = 1 if changes["rule"] == "divide_then_add" else rng.choice([1, 4])
    scale, offset = 10 ** rng.uniform(-2, 1, per_channel), rng.integers(-3, 9, per_channel) / parts
    spec = InputSpec(TensorType(shape, dtype), scale, offset, own, layout, **changes)
    raw = shape if spec.data_layout != "CHW" else (shape[2], *shape[:2])
    return spec, raw if image or rng.integers(2) else (*raw, 1)


def random_output(rng, network):
    """Any scale, offset, function and layout of the network's result."""
    shape = network.output_type.shape
    channels = shape[-1] if rng.integers(2) else 1
    layout = str(rng.choice(["HWC", "CHW"])) if len(shape) == 3 else "C"
    own = (shape[2], *shape[:2]) if layout == "CHW" else shape
    function = str(rng.choice(["identity", "softmax", "sigmoid"]))
    return OutputSpec(10 ** rng.uniform(-3, 0, channels), rng.integers(-5, 6, channels), own, layout, function)


@pytest.mark.parametrize("seed", range(60))
def test_the_driver_prepares_and_packs_as_the_network_does(doubler, tmp_path, monkeypatch, seed):
    """The integers that reach the board and the floats that come back, for any specification of both."""
    rng = np.random.default_rng(seed)
    spec, shape = random_specification(rng)
    network = Network(spec, (Node("sum", Add(), ("input", "input")),))
    network = dataclasses.replace(network, outputs=random_output(rng, network))
    lanes = [int(rng.integers(1, t.size + 1)) for t in (spec.type, network.output_type)]
    streams = [StreamSpec(t, n) for t, n in zip((spec.type, network.output_type), lanes, strict=True)]
    design = dataclasses.replace(doubler, network=network, input=streams[0], output=streams[1])
    module, board, _ = load_driver(design, tmp_path, monkeypatch)
    driver = module.Driver()
    raw = rng.integers(0, 256, (9, *shape)).astype(rng.choice([np.uint8, np.int32, np.float32, np.float64]))
    x = spec.prepare(raw)
    if declares_raw_data(spec):
        np.testing.assert_array_equal(driver.execute(raw), network.predict(x))
        np.testing.assert_array_equal(np.concatenate(board.received), spec.quantize(x))
        assert driver.execute(raw[:0]).shape == (0, *network.output.shape)
    else:
        with pytest.raises(ValueError, match="does not say how raw data become its floats; legal are execute_float"):
            driver.execute(raw)
    board.received.clear()
    y = driver.execute_float(x)
    np.testing.assert_array_equal(y, network.predict(x))
    np.testing.assert_array_equal(np.concatenate(board.received), spec.quantize(x))
    np.testing.assert_array_equal(module.classes(y), classes(y))


@pytest.mark.parametrize(
    ("changes", "declared"),
    [
        ({}, False),
        ({"data_layout": "HWC"}, False),
        ({"data_layout": "CHW"}, True),
        ({"data_scale": 1 / 255}, True),
        ({"data_mean": (0.0, 0.5)}, True),
        ({"data_std": (2.0,)}, True),
        ({"data_mean": (0.0, 0.0), "data_std": (1.0, 1.0)}, False),
    ],
)
def test_raw_data_are_declared_or_refused(changes, declared):
    assert declares_raw_data(InputSpec(TensorType((2, 2, 2), IntType(4)), **changes)) == declared


def test_each_method_of_the_driver_takes_one_kind_of_data(doubler, tmp_path, monkeypatch):
    spec = dataclasses.replace(doubler.network.input, data_scale=1 / 255)
    design = dataclasses.replace(doubler, network=dataclasses.replace(doubler.network, inputs=spec))
    module, _, _ = load_driver(design, tmp_path, monkeypatch)
    driver = module.Driver()
    x = np.ones((4, 3))
    with pytest.raises(ValueError, match="the model's input is float, not int64"):
        driver.execute_float(x.astype(np.int64))
    with pytest.raises(ValueError, match="input is float64"):
        driver.execute_integers(x)
    with pytest.raises(ValueError, match=r"data have shape \(4, 2\)"):
        driver.execute(x[:, :2])
    with pytest.raises(ValueError, match="data hold nan"):
        driver.execute(x * np.nan)
    with pytest.raises(ValueError, match="outside uint4"):
        driver.execute_integers(np.full((4, 3), 2**63, np.uint64))


@pytest.mark.shared
def test_the_driver_is_as_accurate_as_the_network(doubler, tmp_path, monkeypatch, shared_data):
    """TFC_2W2A on raw pixels: the driver prepares them, so it loses nothing."""
    network = bw.load(shared_data / "qonnx/TFC_2W2A.onnx")
    network = dataclasses.replace(network, inputs=dataclasses.replace(network.input, data_scale=1 / 255))
    streams = StreamSpec(network.input.type, 16), StreamSpec(network.output_type, 1)
    design = dataclasses.replace(doubler, network=network, input=streams[0], output=streams[1])
    module, _, _ = load_driver(design, tmp_path, monkeypatch)
    with np.load(shared_data / "mnist/dev.npz") as file:
        raw, labels = file["images"], file["labels"]
    found = module.classes(module.Driver().execute(raw))
    np.testing.assert_array_equal(found, classes(network.predict(network.input.prepare(raw))))
    assert (found == labels).mean() > 0.95  # 93.6 % of the pixels as they are


def test_the_driver_quantizes_the_output_where_the_network_does(doubler, tmp_path, monkeypatch):
    ending = {"function": "softmax", "step": 1 / 255, "zero_point": 3, "low": 0, "high": 200}
    output = dataclasses.replace(doubler.network.output, scale=np.array([0.1]), **ending)
    design = dataclasses.replace(doubler, network=dataclasses.replace(doubler.network, outputs=output))
    module, _, _ = load_driver(design, tmp_path, monkeypatch)
    q = np.random.default_rng(1).integers(0, 31, (300, 3))
    np.testing.assert_array_equal(module.dequantize(module.Driver().outputs["output"], q), output.dequantize(q))
    assert len(np.unique(output.dequantize(q))) > 50
    assert output.dequantize(q).max() == np.float32(197) * np.float32(1 / 255)


@pytest.mark.parametrize("rule", ["multiply", "divide", "divide_then_add"])
def test_the_driver_rounds_the_input_by_the_networks_rule(doubler, tmp_path, monkeypatch, rule):
    network = doubler.network
    offset = 2.0 if rule == "divide_then_add" else 2.3
    spec = dataclasses.replace(network.input, scale=np.array([0.0425, 0.3, 1.7]), offset=offset, rule=rule)
    design = dataclasses.replace(doubler, network=dataclasses.replace(network, inputs=spec))
    module, _, _ = load_driver(design, tmp_path, monkeypatch)
    ties = (np.random.default_rng(1).integers(-4, 18, (20000, 3)) + 0.5 - offset) * spec.scale
    for x in (ties.astype(np.float32), np.nextafter(ties.astype(np.float32), np.float32(9))):
        np.testing.assert_array_equal(module.quantize(module.Driver().inputs["input"], x), spec.quantize(x))


def test_the_wrapper_and_its_helper_are_clean(doubler, tmp_path):
    waiver = '`verilator_config\nlint_off -file "*doubl*"\n'
    files = flatten(doubler.files) | overlay_files(doubler) | {"waivers.vlt": waiver}
    wide = files["doubler.sv"].replace("logic [7:0]  s_axil_", f"logic [{address_bits(doubler) - 1}:0] s_axil_")
    verilator.lint({**files, "doubler.sv": wide}, "bitwright_overlay", tmp_path)


STREAMS = """
  input logic [7:0] s_axis_tdata, input logic s_axis_tvalid, output logic s_axis_tready,
  output logic [15:0] m_axis_tdata, output logic m_axis_tvalid, input logic m_axis_tready, output logic m_axis_tlast"""


def overlay_bench() -> str:
    """A top with this project's clock and reset around the wrapper, in batches of three frames."""
    ports = [port.declaration for port in control(12)]
    return (
        f"module overlay_bench (input logic clk_i, input logic rst_i, {STREAMS},\n  {', '.join(ports)});\n"
        "  logic [1:0] kept;\n  logic last;\n  assign m_axis_tlast = last && &kept;\n"
        "  bitwright_overlay u_overlay (.aclk(clk_i), .aresetn(!rst_i), .frames(32'd3), .m_axis_tkeep(kept),\n"
        "      .m_axis_tlast(last), .s_axis_tkeep(s_axis_tdata != 8'hee), .s_axis_tlast(1'b0), .*);\nendmodule\n"
    )


def test_the_wrapper_ends_a_batch_once(doubler, model_cache):
    text = (
        doubler.files["rtl/doubler.sv"]
        .replace("[7:0]  s_axil_", "[11:0] s_axil_")
        .replace("[7:0] s_axil", "[11:0] s_axil")
    )
    text = text.replace("== 8'h04", "== 12'h04")
    files = {**doubler.files, "rtl/doubler.sv": text, **overlay_files(doubler), "overlay_bench.sv": overlay_bench()}
    ports = [axis_input(8)], [axis_output(16)]
    model = verilator.build(files, Bench("overlay_bench", *ports, axil=True), cache_dir=model_cache)
    words = np.full(17, 0x21)
    words[[0, 5, 16]] = 0xEE  # whose tkeep is 0
    run = model.run({"s_axis": words}, {"m_axis": 14}, stalls=Stalls(2), program=[(0, 0xFF)])
    assert (run.outputs["m_axis"][:, 0] >> 16).tolist() == [0, 0, 0, 0, 0, 1] * 2 + [0, 0]
    assert set(run.outputs["m_axis"][:, 0] & 0xFFFF) == {0x82}


def test_addresses_of_the_wrapper_cover_program_and_counters(doubler):
    assert address_bits(doubler) == 12
    assert address_bits(dataclasses.replace(doubler, program=None, counters={"x": 0x10000})) == 17


def test_reports_script(doubler, tmp_path):
    design = dataclasses.replace(doubler, files={**doubler.files, "m/table.mem": "0", "waivers.vlt": ""})
    paths = write_vivado(design, "arty-a7-100", tmp_path, clock_mhz=150)
    assert [p.relative_to(tmp_path).as_posix() for p in paths] == [
        "sources/double_stage.sv",
        "sources/doubler.sv",
        "sources/table.mem",
        "reports.tcl",
    ]
    lines = (tmp_path / "reports.tcl").read_text().splitlines()
    assert lines[2:14] == [
        "cd [file dirname [file normalize [info script]]]",
        "file mkdir reports",
        "set_part xc7a100tcsg324-1",
        "read_verilog -sv sources/double_stage.sv",
        "read_verilog -sv sources/doubler.sv",
        "read_mem [list sources/table.mem]",
        "synth_design -top doubler -part xc7a100tcsg324-1 -mode out_of_context -flatten_hierarchy rebuilt",
        "create_clock -name clk_i -period 6.667 [get_ports clk_i]",
        "opt_design",
        "place_design",
        "phys_opt_design",
        "route_design",
    ]


@pytest.mark.parametrize(
    ("board", "lines"),
    [
        ("pynq-z2", ["set clock [get_bd_pins ps/FCLK_CLK0]", "  CONFIG.PCW_FPGA0_PERIPHERAL_FREQMHZ 80] $ps"]),
        ("ultra96", ["set clock [get_bd_pins ps/pl_clk0]", "set read_port ps/S_AXI_HP0_FPD"]),
    ],
)
def test_overlay_script(doubler, tmp_path, board, lines):
    write_overlay(doubler, board, tmp_path, clock_mhz=80)
    text = (tmp_path / "overlay.tcl").read_text()
    for line in [*lines, "converter resize_in 8 1", "converter resize_out 2 8"]:
        assert line in text.splitlines()
    assert "foreach slave [list dma/S_AXI_LITE frames/S_AXI design/s_axil] {" in text
    assert text.count("{") == text.count("}")
    assert text.count("[") == text.count("]")
    write_overlay(dataclasses.replace(doubler, program=None, counters=None), board, tmp_path)
    assert "design/s_axil" not in (tmp_path / "overlay.tcl").read_text()
    assert "s_axil" not in (tmp_path / "sources" / "bitwright_overlay.v").read_text()


def test_overlay_with_a_weight_stream(doubler, tmp_path):
    """A third port of the memory feeds the stream by a DMA engine of its own."""
    write_overlay(dataclasses.replace(doubler, weights=WeightStream(np.zeros((0, 2)), 1)), "ultra96", tmp_path)
    text = (tmp_path / "overlay.tcl").read_text()
    assert "CONFIG.PSU__USE__S_AXI_GP4 1" in text
    assert "[get_bd_intf_pins weights_dma/M_AXIS_MM2S] [get_bd_intf_pins design/s_axis_weights]" in text
    assert "frames/S_AXI weights_dma/S_AXI_LITE design/s_axil]" in text
    assert text.count("{") == text.count("}")
    wrapper = (tmp_path / "sources" / "bitwright_overlay.v").read_text()
    assert "input  wire [63:0] s_axis_weights_tdata," in wrapper
    assert ".s_axis_weights_tready(s_axis_weights_ready)," in wrapper
    assert "assign s_axis_weights_tready = s_axis_weights_ready | s_axis_weights_drop;" in wrapper
    assert "s_axis:m_axis:s_axis_weights:s_axil" in wrapper


def test_wrong_boards_and_clocks_are_refused(doubler, tmp_path):
    with pytest.raises(DeviceError, match="no overlay for 'arty-a7-35'; legal are the boards ultra96, kv260"):
        write_overlay(doubler, "arty-a7-35", tmp_path)
    with pytest.raises(DeviceError, match="Vivado does not know ecp5-85k; legal are xczu3eg"):
        write_vivado(doubler, "ecp5-85k", tmp_path)
    with pytest.raises(OptionError, match="clock_mhz is 0; legal are 1 to 1000"):
        write_vivado(doubler, "xczu3eg", tmp_path, clock_mhz=0)


def test_a_missing_key_of_a_template_is_an_error():
    with pytest.raises(jinja2.UndefinedError, match="'top' is undefined"):
        render("reports.tcl.j2")
