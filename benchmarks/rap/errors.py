"""Relative errors of layer outputs against the float network, on real images, under several definitions.

Each layer is measured in four settings:
  format   the float output rounded to the layer's output type: no error of the layer itself
  wide     the layer alone, fed with the float network's quantized values: what its operands of 16, 8 or 4 bits yield,
           stored by the processor with 16-bit outputs
  layer    the same, with outputs as narrow as the operands
  network  the layer within the integer network, with the errors of all layers before it
and by three measures: rms (root mean square of the difference over that of the value), mean (mean absolute
difference over mean absolute value), range (mean absolute difference over the range of the values).
"""

from __future__ import annotations

import numpy as np

from bitwright.fast.evaluator import Evaluator
from bitwright.network.graph import INPUT, Network
from bitwright.network.inputs import quantize
from bitwright.network.ops import Requantize
from bitwright.network.types import IntType
from bitwright.quantization.floatrun import FloatRunner

SETTINGS = ("format", "wide", "layer", "network")
MEASURES = ("rms", "mean", "range")
BOUND, WIDE_BITS = 0.01, 16


def error(got: np.ndarray, want: np.ndarray) -> dict[str, float]:
    """All measures of `MEASURES`."""
    got, want = got.astype(np.float64), want.astype(np.float64)
    difference = np.abs(got - want)
    return {
        "rms": float(np.sqrt(np.sum(difference**2) / np.sum(want**2))),
        "mean": float(difference.sum() / np.abs(want).sum()),
        "range": float(difference.mean() / (want.max() - want.min())),
    }


def layer_errors(graph, made, images: np.ndarray) -> dict:
    """{layer: {setting: {measure: error}}} of every quantized value that the float graph names, and of the output."""
    network, scales = made.network, {v.name: (v.scale, v.zero_point) for v in made.report.values}
    floats = {node.name for node in graph.nodes}
    sources = {name: name.removesuffix("_q") for name in scales if name.removesuffix("_q") in floats}
    last = network.output_name
    expected = _floats(graph, [*sources.values(), last], images)
    factors = {name: made.channel_scales.get(source, 1.0) for name, source in sources.items()}
    given = {name: _codes(network, name, expected[sources[name]] / factors[name], *scales[name]) for name in sources}
    given[INPUT] = quantize(network.input, images)
    through = Evaluator(network).run(given[INPUT], [*sources, last])
    found = {}
    for name, source in sources.items():
        scale, zero = scales[name]
        want, (wide, extra) = expected[source], _wide(network, name, given)
        codes = {"format": given[name], "layer": _evaluate(network, name, given), "network": through[name]}
        values = {setting: (q - zero) * (scale * factors[name]) for setting, q in codes.items()}
        values["wide"] = (wide - (zero << extra)) * (scale / (1 << extra) * factors[name])
        found[source] = {setting: error(values[setting].reshape(want.shape), want) for setting in SETTINGS}
    spec = network.output
    for setting, q in (("wide", _evaluate(network, last, given)), ("network", through[last])):
        # Nothing rounds the logits: they are the accumulators.
        found.setdefault("output", {})[setting] = error((q - spec.offset) * spec.scale, expected[last])
    return found


def summary(layers: dict) -> dict:
    """{setting: {measure: {mean and largest over the layers, how many of them are below BOUND, of how many}}}."""
    found = {}
    for setting in SETTINGS:
        of = [settings[setting] for settings in layers.values() if setting in settings]
        found[setting] = {measure: _over_layers([e[measure] for e in of]) for measure in MEASURES}
    return found


def _over_layers(errors: list[float]) -> dict[str, float]:
    below = sum(e < BOUND for e in errors)
    return {"mean": float(np.mean(errors)), "largest": max(errors), "below_bound": below, "layers": len(errors)}


def _floats(graph, names: list[str], images: np.ndarray) -> dict[str, np.ndarray]:
    parts = [part for _, part in FloatRunner(graph, names, jobs=2).batches(images)]
    return {name: np.concatenate([part[name] for part in parts]) for name in names}


def _codes(network: Network, name: str, values: np.ndarray, scale: float, zero: int) -> np.ndarray:
    """The float values in the type of a quantized value, rounded to nearest."""
    t = network.types[name]
    return np.clip(np.rint(values / scale) + zero, t.dtype.min, t.dtype.max).astype(np.int64).reshape(-1, *t.shape)


def _value(network: Network, name: str, given: dict[str, np.ndarray]) -> np.ndarray:
    """A value from those that are given."""
    return given[name] if name in given else _evaluate(network, name, given)


def _evaluate(network: Network, name: str, given: dict[str, np.ndarray]) -> np.ndarray:
    """The operation of one node, on values that follow from those that are given."""
    node = network.node(name)
    return node.op.evaluate(*(_value(network, n, given) for n in node.inputs))


def _wide(network: Network, name: str, given: dict[str, np.ndarray]) -> tuple[np.ndarray, int]:
    """A Requantize with `extra` more bits of output, 16 in all, and those bits; the processor's own arithmetic."""
    node = network.node(name)
    op = node.op
    if not isinstance(op, Requantize):
        raise TypeError(f"{name} is a {type(op).__name__}")
    extra = WIDE_BITS - op.dtype.bits
    low = np.maximum(op.shift - extra, 0)  # what the shift does not give, the multiplier does
    more = extra - (op.shift - low)
    wide = Requantize(
        IntType(WIDE_BITS, op.dtype.signed),
        op.multiplier << more,
        low,
        op.bias << more,
        op.zero_point << extra,
        op.rounding,
        op.seed,
    )
    return wide.evaluate(_value(network, node.inputs[0], given)), extra
