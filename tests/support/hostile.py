"""Names that a model's file might bring, and networks and ONNX models that bear them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from bitwright import targets
from bitwright.network import INPUT, InputSpec, IntType, Network, Node, TensorType, ops
from bitwright.targets.contract import Design, accepted, make_options

EXPLOIT = 'net\nmodule bw_x; initial $system("touch injected"); endmodule\nbind tlmac_top bw_x bw_x_i();\n//'
NAMES = (
    EXPLOIT,
    '*/ initial $system("touch injected"); /*',
    'a\r\n`include "/etc/passwd"',
    "\x1b[2J\x1b]0;owned\x07\x9b31m",
    "red \u202e txet lamron \u2066",
    "one\u2028two\u2029three\x85four\x0bfive\x0csix",
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    '<b>bold</b> <a href="https://example.com">here</a> &amp;',
    "{{ 7 * 7 }}{% for x in y %}",
    "[exec touch injected]$env(HOME);{",
    "'''\"\"\"\\\n__import__('os').system('touch injected')",
    "[bold red]markup[/] [/] :boom: [link=x]",
    "../../../tmp/injected",
    "/etc/passwd",
    "-o injected",
    "C:\\temp\\n.sv",
    '=HYPERLINK("http://example.com")',
    "%0A %s %n {0} {name}",
    "verilator public",
    "module",
    "endmodule",
    "Layer",
    "layer",
    "layer_0_conv2d",
    "tlmac_top",
    "value_0",
    "fork_value_0",
    "a.b",
    "a/b",
    "a b",
    "a_b (fork)",
    "Größe 変換 🙂",
    "1",
    "x" * 3000,
    "\x00\x01\x7f",
    "\\",
    "$",
    "`",
    "//",
)
TARGETS = tuple(targets.names())
OPTIONS = {"bitsys": {"hardware": "small"}}
_STRUCTURE = re.compile(r"//[^\n]*")
CONTROLS = re.compile(r"[^\n\x20-\x7e\xa0-\U0010ffff]|[\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def names_of(seed: int, count: int) -> list[str]:
    """`count` different names: all of NAMES appear while seeds count up."""
    return [NAMES[(seed * count + i) % len(NAMES)] for i in range(count)]


def network(names: list[str], name: str, source: str = "") -> Network:
    """Convolution, residual sum, convolution of its sum, two layers with weights behind: seven named nodes."""
    rng = np.random.default_rng(0)
    weight = IntType(2, True)
    first, act, second, total, act_2, flat, last = names
    nodes = [
        Node(first, ops.Conv2d(rng.integers(-2, 2, (2, 1, 1, 2)), weight), (INPUT,)),
        Node(act, ops.Threshold([[-3, 0, 2]], IntType(2)), (first,)),
        Node(second, ops.Conv2d(rng.integers(-2, 2, (2, 1, 1, 2)), weight), (act,)),
        Node(total, ops.Add(), (act, second)),
        Node(act_2, ops.Threshold([[-2, 1, 4]], IntType(2)), (total,)),
        Node(flat, ops.Flatten(), (act_2,)),
        Node(last, ops.Dense(rng.integers(-2, 2, (3, 8)), weight), (flat,)),
    ]
    spec = InputSpec(TensorType((2, 2, 2), IntType(2)), scale=[0.5], shape=(2, 2, 2), layout="CHW")
    return Network(spec, nodes, name=name, source=source)


def hostile_network(seed: int) -> Network:
    """A network all of whose names come from NAMES."""
    return network(names_of(seed, 7), NAMES[seed % len(NAMES)], NAMES[(seed + 5) % len(NAMES)])


def plain_network() -> Network:
    """The same network with plain names."""
    return network(["n0", "n1", "n2", "n3", "n4", "n5", "n6"], "plain")


def onnx_model(seed: int, unsupported: bool = False) -> onnx.ModelProto:
    """A float model, Conv, Relu, Flatten, Gemm, whose graph, values, nodes and constants bear names of NAMES."""
    rng = np.random.default_rng(0)
    x, a, b, c, y, w, v, conv, relu, flat, gemm = names_of(seed, 11)
    nodes = [
        helper.make_node("Conv", [x, w], [a], name=conv, kernel_shape=[1, 1]),
        helper.make_node("Hardmax" if unsupported else "Relu", [a], [b], name=relu),
        helper.make_node("Flatten", [b], [c], name=flat),
        helper.make_node("Gemm", [c, v], [y], name=gemm, transB=1),
    ]
    stored = [
        numpy_helper.from_array(rng.normal(size=(2, 2, 1, 1)).astype(np.float32), w),
        numpy_helper.from_array(rng.normal(size=(3, 8)).astype(np.float32), v),
    ]
    graph = helper.make_graph(
        nodes,
        NAMES[seed % len(NAMES)],
        [helper.make_tensor_value_info(x, TensorProto.FLOAT, ["N", 2, 2, 2])],
        [helper.make_tensor_value_info(y, TensorProto.FLOAT, ["N", 3])],
        stored,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@cache
def design_of(target: str, seed: int | None) -> Design:
    """The design of a network with hostile names, or with plain ones."""
    network = plain_network() if seed is None else hostile_network(seed)
    chosen = targets.get(target)
    options = make_options(chosen, OPTIONS.get(target, {}))
    return chosen.emit(accepted(chosen, network, options))


def code(files: dict[str, str]) -> dict[str, str]:
    """The files without comments."""
    return {path: _STRUCTURE.sub("", text) for path, text in files.items()}


def redigested(folder: Path, digest: str) -> None:
    """Make a changed build folder claim that it is whole."""
    path = folder / "design.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "digest": digest}))


def with_files(design: Design, files: dict[str, str]) -> Design:
    """The design with other files."""
    return replace(design, files={**design.files, **files})
