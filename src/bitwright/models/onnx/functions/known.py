# SPDX-License-Identifier: Apache-2.0
"""Functions by their values: an activation that has a name, or else one that a table holds."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from bitwright.errors import ModelError
from bitwright.models.exact.formula import Computed, Formula, parts
from bitwright.models.graph import ops
from bitwright.models.onnx.context import Context, NodeView
from bitwright.models.onnx.elementwise import affine
from bitwright.models.onnx.functions.regions import DOMAIN, OPERATOR
from bitwright.models.onnx.surface import Reader, Readers
from bitwright.models.onnx.tensors import Constant, Tensor
from bitwright.network.types import Floats

PROBES = np.linspace(-8, 8, 257)[None]
CLOSE = 1e-5  # of the largest value, between a function and the one that its export approximates in float32
KNOWN: tuple[ops.Activation, ...] = (
    *(ops.Silu(), ops.Gelu(), ops.GeluTanh(), ops.Mish(), ops.Softsign()),
    *(ops.Sigmoid(), ops.Tanh(), ops.Softplus(), ops.Erf(), ops.HardSwish()),
)


def named(context: Context, x: Tensor, name: str, found: Floats, factors: Iterable[float]) -> Tensor | None:
    """k * f(b * x) for a known f, where those are the values at `PROBES`, and b one of the factors."""
    if not np.all(np.isfinite(found)):
        return None
    for f in KNOWN:
        for factor in sorted(factors):
            wanted = f.evaluate(PROBES * factor)
            at = int(np.abs(wanted).argmax())
            outer = found[0, at] / wanted[0, at] if wanted[0, at] else 0.0
            if np.abs(found - outer * wanted).max() <= CLOSE * np.abs(found).max():
                outer = round(outer) if abs(outer - round(outer)) < CLOSE else outer
                x = affine(context, x, f"{name}/in", np.full(1, factor), np.zeros(1))
                x = x.on(context.emit(f, [x.value], name if outer == 1 else f"{name}/activation"))
                return affine(context, x, name, np.full(1, outer), np.zeros(1))
    return _in_two_parts(context, x, name, found)


def _in_two_parts(context: Context, x: Tensor, name: str, found: Floats) -> Tensor | None:
    """A leaky rectifier, or an Elu: x where x is not negative."""
    low, one = found[0, 0], float(np.interp(-1.0, PROBES[0], found[0]))
    made: tuple[ops.Op, ...] = (ops.LeakyRelu(np.full(1, -one)),)
    if low < 0:
        made = (*made, ops.Elu(float(one / np.expm1(-1.0))))
    for op in made:
        if isinstance(op, (ops.LeakyRelu, ops.Elu)) and _is(op, found):
            return x.on(context.emit(op, [x.value], name))
    return None


def _is(op: ops.Elementwise, found: Floats) -> bool:
    wanted = PROBES
    for step in op.steps:
        wanted = step.evaluate(wanted)
    return bool(np.abs(found - wanted).max() <= CLOSE * np.abs(found).max())


def _function(context: Context, node: NodeView) -> Tensor | Constant:
    """The node in the place of a region."""
    formula = context.formulas.get(node.output)
    if formula is None:
        raise ModelError("is a function without a formula")
    given = node.inputs[0]
    if isinstance(given, Constant):
        return Constant(Computed(formula).evaluate(given.array))
    x = context.plain(node.tensor())
    with np.errstate(all="ignore"):
        found = Computed(formula).evaluate(PROBES)
    if not any(isinstance(n.op, ops.Quant) for n in context.nodes):
        made = named(context, x, node.output, found, _factors(formula))
        if made is not None:
            return made
    return x.on(context.emit(ops.Function(formula), [x.value], node.output))


def _factors(formula: Formula) -> set[float]:
    """What x may be multiplied by inside."""
    found = {1.0, -1.0}
    for part in parts(formula):
        numbers = [a for a in part.arguments if isinstance(a, float) and a]
        if part.operation == "Mul":
            found |= {*numbers, *(-n for n in numbers)}
        elif part.operation == "Div":
            found |= {1 / n for n in numbers}
    return found


READERS: Readers = {(DOMAIN, OPERATOR): Reader(_function)}
