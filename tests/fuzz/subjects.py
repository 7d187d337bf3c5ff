"""What is mutated, and what is done with it: one subject a kind of file."""

from __future__ import annotations

import importlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import mutations as m
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import bitwright as bw
from bitwright import api, models, targets
from bitwright.data.samples import open_samples
from bitwright.explore.cache import ResultCache
from bitwright.fast.evaluator import Evaluator
from bitwright.network import InputSpec, IntType, Network, Node, TensorType, ops
from bitwright.network.passes import simplify
from bitwright.network.sizes import check_op
from bitwright.reporting.summary import summary
from bitwright.tools import cache

SMALL_WORK = 10**6  # operations on numbers of networks that are also computed and planned
ROOT = Path(__file__).resolve().parents[2]
SPEC = InputSpec(TensorType((4, 4, 2), IntType(8)), shape=(2, 4, 4), layout="CHW")


@dataclass(frozen=True)
class Subject:
    """files: good content by path in a folder; mutations by ending; use: what is done with the folder."""

    make: Callable[[Path], None]
    use: Callable[[Path], None]
    mutations: dict[str, tuple[m.Mutation, ...]]


def small_network(seed: int = 0) -> Network:
    """An image network of seven kinds of nodes."""
    rng = np.random.default_rng(seed)
    nodes = [
        Node("conv", ops.Conv2d(rng.integers(-2, 2, (4, 3, 3, 2)), IntType(2, True), pads=(1, 1, 1, 1)), ("input",)),
        Node("act", ops.Threshold([[-3, 2, 6]], IntType(2)), ("conv",)),
        Node("pool", ops.MaxPool((2, 2), (2, 2)), ("act",)),
        Node("sum", ops.Add(), ("pool", "pool")),
        Node("scale", ops.Requantize(IntType(4), 3, 1), ("sum",)),
        Node("flat", ops.Flatten(), ("scale",)),
        Node("fc", ops.Dense(rng.integers(-2, 2, (3, 16)), IntType(2, True)), ("flat",)),
    ]
    return Network(InputSpec(SPEC.type, scale=[0.5], shape=(2, 4, 4), layout="CHW"), nodes, name="small")


def _network(folder: Path) -> None:
    bw.save(small_network(), folder / "network.bw")


def _use_network(folder: Path) -> None:
    _exercise(bw.load(folder / "network.bw"))


def _exercise(network: Network) -> None:
    """Simplify, ask every target, and compute and plan what is small."""
    simple = simplify(network)
    answers = {name: targets.get(name).check(simple, targets.get(name).options()) for name in targets.names()}
    types = network.types
    work = sum(check_op(n.op, [types[i] for i in n.inputs], types[n.name]) for n in network.nodes)
    if work > SMALL_WORK:
        return
    x = {s.name: s.type.dtype.decode(np.zeros((1, *s.type.shape), np.int64)) for s in network.inputs}
    network.dequantize(Evaluator(network, threads=1).run(x))
    network.quantize({s.name: np.zeros((1, *s.shape), np.float32) for s in network.inputs})
    for name, problems in answers.items():
        if not problems and name != "tlmac":  # whose search takes long
            api.plan(network, name, {})


def _onnx(nodes: list[onnx.NodeProto], constants: dict[str, np.ndarray]) -> onnx.ModelProto:
    stored = [numpy_helper.from_array(v, k) for k, v in constants.items()]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", ["n", 2, 4, 4]), ("y", ["n", 3]))]
    graph = helper.make_graph(nodes, "small", ends[:1], ends[1:], stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])


def _float_model(folder: Path) -> None:
    rng = np.random.default_rng(0)
    nodes = [
        helper.make_node("Pad", ["x", "pads"], ["p"]),
        helper.make_node("Conv", ["p", "w"], ["c"], kernel_shape=[3, 3]),
        helper.make_node("BatchNormalization", ["c", "s", "b", "b", "s"], ["n"], epsilon=1e-5),
        helper.make_node("Clip", ["n", "low", "high"], ["r"]),
        helper.make_node("MaxPool", ["r"], ["q"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("ConstantOfShape", ["one"], ["k"], value=numpy_helper.from_array(np.ones(1, np.float32))),
        helper.make_node("Add", ["q", "k"], ["a"]),
        helper.make_node("Resize", ["a", "", "scales"], ["z"], mode="nearest", nearest_mode="floor",
                         coordinate_transformation_mode="asymmetric"),
        helper.make_node("Shape", ["z"], ["sh"]),
        helper.make_node("Gather", ["sh", "zero"], ["batch"], axis=0),
        helper.make_node("Concat", ["batch", "minus"], ["to"], axis=0),
        helper.make_node("Reshape", ["z", "to"], ["f"]),
        helper.make_node("Gemm", ["f", "v"], ["y"], transB=1),
    ]  # fmt: skip
    constants = {
        "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1]),
        "w": rng.normal(size=(4, 2, 3, 3)).astype(np.float32),
        "s": np.ones(4, np.float32),
        "b": np.zeros(4, np.float32),
        "low": np.array(0, np.float32),
        "high": np.array(6, np.float32),
        "one": np.array([1, 4, 1, 1]),
        "scales": np.array([1, 1, 2, 2], np.float32),
        "zero": np.array([0]),
        "minus": np.array([-1]),
        "v": rng.normal(size=(3, 64)).astype(np.float32),
    }
    (folder / "model.onnx").write_bytes(_onnx(nodes, constants).SerializeToString())


def _quantized_model(folder: Path) -> None:
    rng = np.random.default_rng(0)
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "sx", "z"], ["xq"]),
        helper.make_node("DequantizeLinear", ["xq", "sx", "z"], ["xd"]),
        helper.make_node("DequantizeLinear", ["w", "sw", "zw"], ["wd"], axis=0),
        helper.make_node("Conv", ["xd", "wd"], ["c"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("QuantizeLinear", ["r", "sr", "z"], ["rq"]),
        helper.make_node("DequantizeLinear", ["rq", "sr", "z"], ["rd"]),
        helper.make_node("Flatten", ["rd"], ["f"]),
        helper.make_node("DequantizeLinear", ["v", "sw1", "z8"], ["vd"]),
        helper.make_node("Gemm", ["f", "vd"], ["y"], transB=1),
    ]
    constants = {
        "sx": np.array(0.02, np.float32),
        "z": np.array(0, np.uint8),
        "z8": np.array(0, np.int8),
        "w": rng.integers(-100, 100, (4, 2, 3, 3)).astype(np.int8),
        "sw": np.array([0.1, 0.2, 0.1, 0.3], np.float32),
        "zw": np.zeros(4, np.int8),
        "sr": np.array(0.25, np.float32),
        "v": rng.integers(-100, 100, (3, 64)).astype(np.int8),
        "sw1": np.array(0.1, np.float32),
    }
    (folder / "model.onnx").write_bytes(_onnx(nodes, constants).SerializeToString())


def _use_model(folder: Path) -> None:
    graph = models.read(folder / "model.onnx")
    if models.is_quantized(graph):
        _exercise(models.lower(graph))
    elif np.prod(graph.input_shape) < 10_000 and len(graph.nodes) < 50:
        x = np.random.default_rng(0).uniform(size=(4, *graph.input_shape)).astype(np.float32)
        _exercise(bw.quantize(graph, x, jobs=1))


def _data(folder: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez_compressed(folder / "data.npz", x=rng.integers(0, 255, (6, 2, 4, 4)), labels=np.arange(6))


def _use_data(folder: Path) -> None:
    open_samples(folder / "data.npz", SPEC).prepared()


def _hardware(folder: Path) -> None:
    shutil.copy(ROOT / "src/bitwright/targets/bitsys/presets/small.toml", folder / "own.toml")


def _use_hardware(folder: Path) -> None:
    importlib.import_module("bitwright.targets.bitsys.hardware").load(str(folder / "own.toml"))


def _assembly(folder: Path) -> None:
    shutil.copy(ROOT / "examples/rap_matmul.asm", folder / "program.asm")


_COMMANDS = importlib.import_module("bitwright.targets.rap.commands")


def _use_assembly(folder: Path) -> None:
    _COMMANDS.assemble(folder / "program.asm", folder / "words", json=True)


def _words(folder: Path) -> None:
    _assembly(folder)
    _use_assembly(folder)
    (folder / "words").rename(folder / "program.hex")
    (folder / "program.asm").unlink()


def _use_words(folder: Path) -> None:
    _COMMANDS.disassemble(folder / "program.hex", folder / "text", json=True)


def _build(folder: Path) -> None:
    design = bw.compile(small_network(), "rap", cache_dir=folder / "cache")
    bw.save_design(design, folder / "build")
    shutil.rmtree(folder / "cache", ignore_errors=True)
    for name in ("simulation", "synthesis"):
        (folder / "build" / f"{name}.json").write_text(json.dumps({"design": design.digest, "frames": 3}))


def _use_build(folder: Path) -> None:
    from bitwright.design.results import read_result

    design = bw.load_design(folder / "build")
    read_result(folder / "build" / "simulation.json", design.digest)
    summary(design)
    bw.save_design(design, folder / "again")


def _caches(folder: Path) -> None:
    def made(work: Path) -> list[Path]:
        (work / "result").write_text("content")
        return [work / "result"]

    cache.entry(folder / "tools", "key", made)
    ResultCache(folder / "search").put("abcdef", {"loss": 0.5, "accuracy": None})


def _use_caches(folder: Path) -> None:
    """Whatever was done to it, a cache gives what was put there, or makes it anew: no error is right."""
    found = ResultCache(folder / "search").get("abcdef")
    assert found in (None, {"loss": 0.5, "accuracy": None}), found
    entry, _ = cache.entry(folder / "tools", "key", lambda work: [_written(work)], ["result"])
    assert (entry / "result").read_text() == "content"


def _written(work: Path) -> Path:
    (work / "result").write_text("content")
    return work / "result"


JSON = (*m.BYTES, *[m.edit_json] * 5)
ZIP = (*m.BYTES, *[m.edit_zip] * 10)
MODEL = (*m.BYTES, *[m.edit_model] * 10)
TEXT = (*m.BYTES, *[m.edit_text] * 5)
NPY = (*m.BYTES, *[m.edit_npy] * 5)
ENDINGS = {".json": JSON, ".bw": ZIP, ".npz": ZIP, ".onnx": MODEL, ".npy": NPY}

SUBJECTS = {
    "network": Subject(_network, _use_network, ENDINGS),
    "float model": Subject(_float_model, _use_model, ENDINGS),
    "quantized model": Subject(_quantized_model, _use_model, ENDINGS),
    "data": Subject(_data, _use_data, ENDINGS),
    "hardware": Subject(_hardware, _use_hardware, ENDINGS),
    "assembly": Subject(_assembly, _use_assembly, ENDINGS),
    "words": Subject(_words, _use_words, ENDINGS),
    "build folder": Subject(_build, _use_build, ENDINGS),
    "caches": Subject(_caches, _use_caches, ENDINGS),
}
