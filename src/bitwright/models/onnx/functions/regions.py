# SPDX-License-Identifier: Apache-2.0
"""Nodes that together compute a function of each element of one tensor: one node in their place.

Exporters write activations as Exp, Log, Where, Greater and the like, which no integer operation is alone. A value is
in a region where an operator of `formula.OPERATIONS` makes it from one tensor, its root, and single numbers. A region
is replaced where it has an operator that no reader takes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import onnx
from onnx import helper

from bitwright.models.exact.formula import MOST_PARTS, OPERATIONS, Formula, X, parts
from bitwright.models.onnx.budget import array

DOMAIN, OPERATOR = "bitwright.function", "Function"
PLAIN = ("Add", "Sub", "Mul", "Neg", "Relu")  # in front of a function they stay what they are
MOST_NODES = 512  # on all ways through a region
STATIC = ("Shape", "Size", "Constant", "ConstantOfShape", "Range", "RandomNormal", "RandomUniform")


def _same(argument: Formula | float) -> Formula:
    return argument if isinstance(argument, Formula) else Formula("Add", (argument, 0.0))


def _clip(x: Formula | float, low: float | None, high: float | None) -> Formula:
    made = x if low is None else Formula("Max", (x, low))
    return _same(made if high is None else Formula("Min", (made, high)))


def _shrink(x: Formula | float, bias: float, border: float) -> Formula:
    above, below = Formula("Sub", (x, bias)), Formula("Add", (x, bias))
    inner = Formula("Where", (Formula("Less", (x, -border)), below, 0.0))
    return Formula("Where", (Formula("Greater", (x, border)), above, inner))


@dataclass(frozen=True)
class _Regions:
    """What is known of the values of a model: numbers, tensors that are constants, and makers of the others."""

    numbers: dict[str, float]
    static: set[str]
    makers: dict[str, onnx.NodeProto]

    def formula(self, node: onnx.NodeProto, of: Callable[[str], Formula | float | None]) -> Formula | None:
        """A node as a formula of formulas; None where it is no function of each element."""
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        given = [of(name) if name else None for name in node.input]
        op = node.op_type
        if node.domain not in ("", "ai.onnx") or not given or given[0] is None:
            return None
        if op == "Clip":
            low, high = (*given[1:], None, None)[:2]
            ends = [attributes.get("min", low), attributes.get("max", high)]
            missing = any(name and value is None for name, value in zip(node.input[1:], given[1:], strict=True))
            numbers = all(e is None or isinstance(e, (int, float)) for e in ends)
            return _clip(given[0], *ends) if numbers and not missing else None
        if any(g is None for g in given):
            return None
        arguments = tuple(g for g in given if g is not None)
        if op == "ThresholdedRelu":
            border = float(attributes.get("alpha", 1.0))
            return Formula("Where", (Formula("Greater", (arguments[0], border)), arguments[0], 0.0))
        if op == "Shrink":
            return _shrink(arguments[0], float(attributes.get("bias", 0.0)), float(attributes.get("lambd", 0.5)))
        if op in ("Identity", "Cast") and attributes.get("to", 1) in (1, 9, 10, 11):
            return _same(arguments[0])
        if (op in ("Max", "Min", "Sum") and len(arguments) > 2) or op not in OPERATIONS or attributes:
            return None
        return Formula(op, arguments) if len(arguments) > 1 or op not in ("Max", "Min") else _same(arguments[0])


def with_functions(model: onnx.ModelProto, taken: Collection[str]) -> dict[str, Formula]:
    """Replace regions in the model; the formula of each node that takes their place, by the name of its result.

    taken: the operators that have readers.
    """
    known, order = _known(model), {o: k for k, n in enumerate(model.graph.node) for o in n.output}
    roots, hard = _rooted(model, known, taken)
    ends = _ends(model, roots, hard)
    found: dict[str, Formula] = {}
    for end in ends:
        start = _start(known, roots[end], end, order)
        formula = _expressed(known, end, start)
        if formula is None or len(parts(formula)) > MOST_PARTS:
            continue
        maker = known.makers[end]
        name = maker.name or end
        place = order[end]
        model.graph.node[place].CopyFrom(helper.make_node(OPERATOR, [start], [end], name=name, domain=DOMAIN))
        found[end] = formula
    return found


def _known(model: onnx.ModelProto) -> _Regions:
    stored = list(model.graph.initializer)
    makers = {o: n for n in model.graph.node for o in n.output if o}
    static = {t.name for t in stored}
    numbers = {t.name: _number(t) for t in stored if all(d == 1 for d in t.dims)}
    for node in model.graph.node:
        if node.op_type in STATIC or (node.input and all(i in static for i in node.input if i)):
            static |= set(node.output)
        if node.op_type == "Constant":
            value = {a.name: helper.get_attribute_value(a) for a in node.attribute}
            made = value.get("value_float", value.get("value"))
            if isinstance(made, onnx.TensorProto) and all(d == 1 for d in made.dims):
                numbers[node.output[0]] = _number(made)
            elif isinstance(made, float):
                numbers[node.output[0]] = made
    return _Regions({k: v for k, v in numbers.items() if v is not None}, static, makers)


def _number(tensor: onnx.TensorProto) -> float | None:
    try:
        return float(array(tensor).item())
    except (ValueError, TypeError):
        return None


def _rooted(model: onnx.ModelProto, known: _Regions, taken: Collection[str]) -> tuple[dict[str, str], set[str]]:
    """The root of every value in a region, and the values on whose way from it no reader takes an operator."""
    roots: dict[str, str] = {}
    hard: set[str] = set()
    sizes: dict[str, int] = {}
    for node in model.graph.node:
        inputs = [i for i in node.input if i and i not in known.numbers]
        if len(node.output) != 1 or not inputs or any(i in known.static for i in inputs):
            continue
        own = {roots.get(i, i) for i in inputs}
        made = known.formula(node, lambda name: known.numbers.get(name, X))
        size = 1 + sum(sizes.get(i, 0) for i in dict.fromkeys(inputs))
        if made is None or len(own) > 1 or size > MOST_NODES:
            continue
        (output,) = node.output
        roots[output], sizes[output] = own.pop(), size
        if not _is_taken(node, len(inputs), known, taken) or not hard.isdisjoint(inputs):
            hard.add(output)
    return roots, hard


def _is_taken(node: onnx.NodeProto, tensors: int, known: _Regions, taken: Collection[str]) -> bool:
    """Whether a reader takes the node as it is."""
    op = node.op_type
    if op == "Pow":
        return tensors == 1 and len(node.input) == 2 and known.numbers.get(node.input[1]) in (1.0, 2.0)
    if op == "Div":
        return tensors == 1 and node.input[1] in known.numbers
    if op in ("Max", "Min"):
        return tensors == 1
    return op in taken


def _ends(model: onnx.ModelProto, roots: dict[str, str], hard: set[str]) -> list[str]:
    """Values that a region yields to the rest of the model."""
    read = {o.name for o in model.graph.output}
    for node in model.graph.node:
        if not (len(node.output) == 1 and node.output[0] in hard):
            read |= set(node.input)
    return [name for name in roots if name in hard and name in read]


def _start(known: _Regions, root: str, end: str, order: dict[str, int]) -> str:
    """The last value up to which nothing but plain operations stands, and of which alone the end is a function."""
    way, waiting = set[str](), [end]
    while waiting:
        for name in known.makers[waiting.pop()].input:
            if name and name != root and name not in known.numbers and name not in way:
                way.add(name)
                waiting.append(name)
    plain = {root}
    for name in sorted(way, key=lambda n: order[n]):
        node = known.makers[name]
        inputs = [i for i in node.input if i and i not in known.numbers]
        if node.op_type in (*PLAIN, "Clip", "Identity") and len(inputs) == 1 and inputs[0] in plain:
            plain.add(name)
    for name in sorted(plain - {root}, key=lambda n: -order[n]):
        if _expressed(known, end, name) is not None:
            return name
    return root


def _expressed(known: _Regions, end: str, start: str) -> Formula | None:
    """The end as a formula of the start; None where it depends on something else."""
    made: dict[str, Formula | None] = {start: X}

    def of(name: str) -> Formula | float | None:
        if name in known.numbers:
            return known.numbers[name]
        if name not in made:
            made[name] = None
            node = known.makers.get(name)
            made[name] = None if node is None or name in known.static else known.formula(node, of)
        return made[name]

    found = of(end)
    return found if isinstance(found, Formula) else None
