"""The C99 driver, compiled with all warnings, against the simulated overlay at the level of registers."""

import ast
import ctypes
import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
from register_board import CACHE, WRITE, Device, RegisterBoard, library

import bitwright as bw
from bitwright.demo.run import FOLDER
from bitwright.deployment.c_driver import write_c_driver
from bitwright.network import BIPOLAR, InputSpec, IntType, Network, Node, OutputSpec, TensorType, evaluate
from bitwright.network.ops import Add
from bitwright.targets import contract, get
from bitwright.targets.contract import StreamSpec

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc")


def pointer(array):
    return array.ctypes.data_as(ctypes.c_void_p)


def design_facts(folder):
    """DESIGN of the Python driver."""
    tree = ast.parse((folder / "driver.py").read_text())
    return next(
        ast.literal_eval(n.value) for n in tree.body if isinstance(n, ast.Assign) and n.targets[0].id == "DESIGN"
    )


class Opened:
    """A driver on a simulated board."""

    def __init__(self, designs, folder, prefix="net", frames=4, polls=1_000_000):
        first = next(iter(designs.values()))
        bw.deploy(designs, folder, "ultra96")
        _, source = write_c_driver(designs, folder, prefix)
        self.c, self.prefix, self.device = library(source), prefix, Device()
        sides = [d for design in designs.values() for d in (design.input, design.output)]
        room = frames * max(side.words * side.tdata_bits // 8 for side in sides)
        stream = max([4] + [4 * d.weights.words.size for d in designs.values() if d.weights is not None])
        parts, end = {}, 0
        for design in designs.values():
            if design.memory is not None:
                parts[end], end = design.memory.size, end + design.memory.size
        sizes = {"input": room, "output": room, "weights": stream, "memory": max(4, end)}
        self.board = RegisterBoard(folder, design_facts(folder), sizes, polls, parts)
        self.first = first

    def __call__(self, name, *arguments):
        return getattr(self.c, f"{self.prefix}_{name}")(*arguments)

    def open(self, number=0):
        return self("open", ctypes.byref(self.device), ctypes.byref(self.board.io), number)

    def run(self, x, network):
        x = np.ascontiguousarray(x, np.int32)
        y = np.zeros((len(x), network.output_type.size), np.int32)
        error = self("run", ctypes.byref(self.device), pointer(x), ctypes.c_size_t(len(x)), pointer(y))
        assert error == 0, self("text", error)
        return y.reshape(-1, *network.output_type.shape)


def test_integers_counters_and_errors(doubler, tmp_path):
    driver = Opened({"net": doubler}, tmp_path / "board")
    assert driver.open(1) == 1
    assert driver.open() == 0
    x = np.random.default_rng(0).integers(0, 16, (11, 3))
    np.testing.assert_array_equal(driver.run(x, doubler.network), 2 * x)
    value = ctypes.c_uint32()
    assert driver("counter", ctypes.byref(driver.device), 0, ctypes.byref(value)) == 0
    assert value.value == 22
    assert driver("counter", ctypes.byref(driver.device), 1, ctypes.byref(value)) == 3
    bad = np.full(3, 16, np.int32)
    assert driver("run", ctypes.byref(driver.device), pointer(bad), ctypes.c_size_t(1), pointer(bad)) == 3
    raw = np.zeros(3, np.float32)
    assert driver("run_raw_float", ctypes.byref(driver.device), pointer(raw), ctypes.c_size_t(1), pointer(raw)) == 7
    assert (
        driver("text", 7)
        == b"the network does not declare how raw data become its input, or not in a way that C prepares"
    )
    assert (driver("inputs", ctypes.byref(driver.device)), driver("outputs", ctypes.byref(driver.device))) == (3, 3)
    driver.board.write(None, 2, 0, 0)  # the doubler takes nothing without its mask
    driver.board.io.polls = 3
    assert (
        driver("run", ctypes.byref(driver.device), pointer(x.astype(np.int32)), ctypes.c_size_t(1), pointer(bad)) == 4
    )


@pytest.mark.parametrize("target", ["tlmac", "bitsys", "rap"])
def test_raw_pixels_on_every_target(target, tmp_path):
    """The demo's digits, prepared in C: the floats of `Network.predict`, bit for bit."""
    network = bw.load(FOLDER / "digits.onnx")
    network = dataclasses.replace(network, inputs=dataclasses.replace(network.input, data_scale=1 / 16))
    design = bw.compile(network, target=target)
    driver = Opened({"digits": design}, tmp_path / "board")
    assert driver.open() == 0
    with np.load(FOLDER / "digits_test.npz") as file:
        raw = file["images"][:20]
    y = np.zeros((len(raw), network.output_type.size), np.float32)
    bytes_ = np.ascontiguousarray(raw, np.uint8)
    assert driver("run_raw", ctypes.byref(driver.device), pointer(bytes_), ctypes.c_size_t(len(raw)), pointer(y)) == 0
    expected = network.predict(network.input.prepare(raw))
    np.testing.assert_array_equal(y.reshape(expected.shape), expected)
    picked = [driver("class", ctypes.byref(driver.device), pointer(row)) for row in y]
    assert picked == expected.argmax(axis=1).tolist()
    x = network.input.quantize(network.input.prepare(raw))
    np.testing.assert_array_equal(driver.run(x, network), network.leaving(evaluate(network, x)))


@pytest.mark.parametrize("seed", range(12))
def test_preparation_is_that_of_the_network(doubler, tmp_path, seed):
    """Any scale, offset, layout, rule and type: the codes that reach the design are the network's."""
    rng = np.random.default_rng(seed)
    shape = tuple(int(n) for n in rng.integers(1, 5, 3))
    dtype = BIPOLAR if seed == 3 else IntType(int(rng.integers(1, 13)), bool(seed % 2))
    layout = str(rng.choice(["HWC", "CHW"]))
    own = (shape[2], *shape[:2]) if layout == "CHW" else shape
    channels = shape[2] if rng.integers(2) else 1
    rule = str(rng.choice(["multiply", "divide", "divide_then_add"]))
    offset = rng.integers(-3, 4, channels) / (1 if rule == "divide_then_add" else 4)
    spec = InputSpec(
        TensorType(shape, dtype),
        10 ** rng.uniform(-2, 0, channels),
        offset,
        own,
        layout,
        data_layout=str(rng.choice(["HWC", "CHW"])),
        data_scale=float(rng.choice([1 / 255, 1 / 16])),
        data_mean=tuple(rng.normal(0, 1, channels)),
        data_std=tuple(rng.uniform(0.1, 2, channels)),
        rule=rule,
    )
    network = Network(spec, (Node("sum", Add(), ("input", "input")),))
    out = OutputSpec(10 ** rng.uniform(-3, 0, channels), rng.integers(-5, 6, channels), own, layout)
    network = dataclasses.replace(network, outputs=out)
    lanes = int(rng.integers(1, spec.type.size + 1))
    design = dataclasses.replace(
        doubler,
        network=network,
        input=StreamSpec(spec.type, lanes),
        output=StreamSpec(network.output_type, 2),
        program=None,
        counters=None,
    )
    _, source = write_c_driver({"net": design}, tmp_path, "net")
    exposed = "int prepared(const float *raw, int32_t *q) { size_t k; const side *s = &n0_in[0];\n"
    exposed += (
        "  for (k = 0; k < s->size; k++) q[k] = quantized(s, k, raw[s->order ? s->order[k] : k]);\n  return 0; }\n"
    )
    source.write_text(source.read_text() + "int prepared(const float *raw, int32_t *q);\n" + exposed)
    c = library(source)
    raw_shape = shape if spec.data_layout == "HWC" else (shape[2], *shape[:2])
    for raw in rng.integers(0, 256, (20, *raw_shape)).astype(np.float32):
        q = np.zeros(spec.type.size, np.int32)
        assert c.prepared(pointer(np.ascontiguousarray(raw)), pointer(q)) == 0
        np.testing.assert_array_equal(q.reshape(shape), spec.quantize(spec.prepare(raw[None]))[0])


def test_weights_are_fed_and_networks_switched(doubler, tmp_path):
    """Two programs on one hardware; the weight stream is taken in reset."""
    other = dataclasses.replace(doubler, program=np.array([[0, 0x0F]], np.uint32))
    driver = Opened({"both": doubler, "low": other}, tmp_path / "board")
    x = np.random.default_rng(0).integers(0, 16, (5, 3))
    for number, factor in ((0, [2, 2, 2]), (1, [2, 0, 2]), (0, [2, 2, 2])):
        assert driver.open(number) == 0
        np.testing.assert_array_equal(driver.run(x, doubler.network), x * factor)


def test_means_by_channel_need_channels(doubler, tmp_path):
    spec = dataclasses.replace(doubler.network.input, data_mean=(0.0, 1.0, 2.0))
    design = dataclasses.replace(doubler, network=dataclasses.replace(doubler.network, inputs=spec))
    _, source = write_c_driver({"net": design}, tmp_path, "net")
    assert library(source).net_text(7).endswith(b"or not in a way that C prepares")
    assert "networks[] = {{n0_in, n0_out, 1, 1, n0_program, 0, 1, 0, 0}};" in source.read_text()


def test_networks_in_external_memory(tmp_path):
    """Written into memory once, switched by few register writes, whatever the memory's latencies; freed by close."""
    target = get("bitsys")
    options = target.options(hardware=str(Path(__file__).parents[1] / "bitsys" / "hardware" / "container_memory.toml"))
    first = bw.load(FOLDER / "digits.onnx")
    nodes = [Node("sum", Add(), ("input", "input"))]
    other = Network(InputSpec(TensorType((7, 5, 3), IntType(6))), tuple(nodes), name="sums")
    made = {n.name: target.emit(contract.accepted(target, n, options)) for n in (first, other)}
    driver = Opened(made, tmp_path / "board")
    flushed, written = [], []
    board = driver.board
    flush, write = board.flush, board.write
    board.flush = lambda context, start, size: (flushed.append(size), flush(context, start, size))[0]
    board.write = lambda *a: (written.append(a), write(*a))[1]
    board.io.flush, board.io.write = CACHE(board.flush), WRITE(board.write)
    for number in (1, 0, 1, 1, 0):
        written.clear()
        assert driver.open(number) == 0
        assert len(written) < 20
        network = (first, other)[number]
        x = network.input.type.dtype.decode(
            np.random.default_rng(number).integers(0, 16, (3, *network.input.type.shape))
        )
        np.testing.assert_array_equal(driver.run(x, network), network.leaving(evaluate(network, x)))
    images = [4 * design.memory.image.size for design in made.values()]
    assert flushed[:2] == images
    assert sum(size in images for size in flushed) == 2, "images are written once"
    assert driver("close", ctypes.byref(driver.device)) == 0
    assert board.overlay.frames.read(8) == 0
    board.io.memory_address += 64
    assert driver.open(0) == 2
    board.io.memory_address -= 64
    board.io.memory_bytes -= 1
    assert driver.open(0) == 2
    header = (tmp_path / "board" / "net.h").read_text()
    assert f"NET_MEMORY_BYTES {sum(design.memory.size for design in made.values())}u" in header
