# SPDX-License-Identifier: Apache-2.0
"""`bitwright check`: what is in a model, and which targets accept it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitwright.commands.common import (
    InputShape,
    Json,
    Model,
    OptionsByTarget,
    OutputName,
    Verbose,
    options_by_target,
    read_graph,
)

if TYPE_CHECKING:
    from bitwright.commands.console import Console
    from bitwright.network import Network


def run(
    model: Model,
    option: OptionsByTarget = [],  # noqa: B006
    output_name: OutputName = None,
    shape: InputShape = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Say what is in a model and which targets accept it."""
    from bitwright.commands.console import Console

    console = Console(json, verbose)
    options = options_by_target(option)
    kind, network, graph = _open(model, output_name, shape)
    found = {"model": str(model), "kind": kind}
    found |= _describe_network(console, network, options) if network else _describe_graph(console, graph)
    console.result(found)


def _open(model: Path, output_name: str | None, shape: str | None) -> tuple[str, Any, Any]:
    """(kind, network or None, float graph or None)."""
    from bitwright import models
    from bitwright.network import storage

    graph = read_graph(model, output_name, shape)
    if graph is None:
        return "integer network", storage.load(model), None
    if models.is_quantized(graph):
        return "quantized ONNX", models.lower(graph), graph
    return "float ONNX", None, graph


def _describe_network(console: Console, network: Network, options: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    from bitwright import api
    from bitwright.network.ops import Conv2d, Dense

    weights = sum(n.op.weight.size for n in network.nodes if isinstance(n.op, (Conv2d, Dense)))
    bits = sum(n.op.weight.size * n.op.weight_type.bits for n in network.nodes if isinstance(n.op, (Conv2d, Dense)))
    kinds = Counter(type(n.op).__name__ for n in network.nodes)
    console.say(f"integer network {network.name}: {network.signature}")
    console.say(f"{weights:,} weights, {bits / 8:,.0f} bytes")
    console.table("operations", ["operation", "nodes"], sorted(kinds.items()))
    if console.verbose:
        rows = [[n.name, type(n.op).__name__, str(network.types[n.name])] for n in network.nodes]
        console.table("nodes", ["node", "operation", "value"], rows)
    verdicts = {name: _verdict(name, problems) for name, problems in api.check(network, options).items()}
    rows = [[name, "accepts" if not v["problems"] else "refuses", v["summary"]] for name, v in verdicts.items()]
    console.table("targets", ["target", "verdict", "what it is"], rows)
    for name, verdict in verdicts.items():
        for problem in verdict["problems"]:
            console.say(f"  {name}: {problem}")
    return {
        "inputs": {spec.name: str(spec.type) for spec in network.inputs},
        "outputs": {spec.name: str(network.types[spec.value]) for spec in network.outputs},
        "weights": weights,
        "weight_bits": bits,
        "operations": dict(kinds),
        "targets": verdicts,
    }


def _verdict(name: str, problems: Sequence[object]) -> dict[str, Any]:
    from bitwright import targets

    told = [str(p) for p in problems]
    return {"summary": targets.get(name).summary, "accepts": not told, "problems": told}


def _port(port: Any, count: int, rest: str = "") -> str:
    """The shape of an input or output, with its name where there are several."""
    return f"{port.name + ' ' if count > 1 else ''}{port.shape}{rest}"


def _describe_graph(console: Console, graph: Any) -> dict[str, Any]:
    from bitwright import models

    kinds = Counter(node.kind for node in graph.nodes)
    weights = sum(node.op.weight.size for node in graph.layers)
    ins = ", ".join(_port(port, len(graph.inputs), f" ({port.layout})") for port in graph.inputs)
    outs = ", ".join(_port(port, len(graph.outputs)) for port in graph.outputs)
    console.say(f"float network {graph.name}: {ins} -> {outs}, {weights:,} weights")
    console.table("operations", ["operation", "nodes"], sorted(kinds.items()))
    problems = models.node_problems(graph)
    for problem in problems:
        console.say(f"  quantize refuses {problem}")
    if not problems:
        console.say("targets compile integer networks: `bitwright quantize` makes one of this model")
    return {
        "inputs": {port.name: {"shape": list(port.shape), "layout": port.layout} for port in graph.inputs},
        "outputs": {port.name: {"shape": list(port.shape)} for port in graph.outputs},
        "weights": weights,
        "operations": dict(kinds),
        "problems": problems,
        "targets": {},
    }
