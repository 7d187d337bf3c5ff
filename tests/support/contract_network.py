"""The networks that every target must compute."""

import numpy as np

from bitwright.models import FloatGraph, FloatNode, QuantizedWeight, Quantizer, lower
from bitwright.models.graph import ops as graph_ops
from bitwright.network import InputSpec, IntType, Network, Node, OutputSpec, TensorType, evaluate, ops


def image_network() -> Network:
    """Convolution with pads, step, pool, scale, dense layer: what any target for CNNs can compute."""
    rng = np.random.default_rng(7)
    int4 = IntType(4, True)
    nodes = [
        Node("conv", ops.Conv2d(rng.integers(-8, 8, (5, 3, 3, 3)), int4, pads=(1, 1, 1, 1)), ("input",)),
        Node("step", ops.Threshold(np.sort(rng.integers(-90, 90, (5, 15)), axis=1), IntType(4)), ("conv",)),
        Node("pool", ops.MaxPool((1, 2), (2, 2), (0, 1, 0, 0)), ("step",)),
        Node("mix", ops.Conv2d(rng.integers(-2, 2, (6, 1, 1, 5)), IntType(2, True)), ("pool",)),
        Node("scale", ops.Requantize(IntType(4), multiplier=[3], shift=[4], bias=[5]), ("mix",)),
        Node("flat", ops.Flatten(), ("scale",)),
        Node("fc", ops.Dense(rng.integers(-8, 8, (4, 54)), int4, bias=[3, 0, -3, 1]), ("flat",)),
    ]
    return Network(InputSpec(TensorType((6, 6, 3), IntType(4))), nodes, name="contract")


def gates() -> Network:
    """Products of a value with one of a pixel, of a channel and of a single element, all made of it."""
    rng = np.random.default_rng(5)
    int3, uint3 = IntType(3, True), IntType(3)
    nodes = [
        Node("a", ops.Conv2d(rng.integers(-4, 4, (8, 2, 2, 2)), int3, pads=(1, 0, 0, 1)), ("input",)),
        Node("x", ops.Requantize(uint3, shift=[3], bias=[16]), ("a",)),
        Node("pool", ops.SumPool((3, 4)), ("x",)),
        Node("squeezed", ops.Requantize(int3, multiplier=[3], shift=[5], bias=[-90]), ("pool",)),
        Node("excited", ops.Conv2d(rng.integers(-4, 4, (8, 1, 1, 8)), int3), ("squeezed",)),
        Node("pixel", ops.Threshold([np.arange(-21, 21, 6)], uint3), ("excited",)),
        Node("by_pixel", ops.Mul((0, 1)), ("x", "pixel")),
        Node("y", ops.Requantize(int3, shift=[2], bias=[-8]), ("by_pixel",)),
        Node("map", ops.Conv2d(rng.integers(-4, 4, (1, 1, 1, 8)), int3), ("y",)),
        Node("channel", ops.Threshold([[-9, 0, 9]], IntType(2)), ("map",)),
        Node("by_channel", ops.Mul((-1, 1)), ("y", "channel")),
        Node("z", ops.Requantize(int3, shift=[1]), ("by_channel",)),
        Node("most", ops.MaxPool((3, 4)), ("channel",)),
        Node("by_element", ops.Mul(), ("z", "most")),
    ]
    return Network(InputSpec(TensorType((3, 4, 2), IntType(4))), nodes, name="gates")


def turns(channels: int) -> Network:
    """Rows and columns of images in turns: one by one, several by one, all of one behind all of the other."""
    rng = np.random.default_rng(13)
    int3, int5 = IntType(3, True), IntType(5, True)
    shape = (channels, 2, 2, 2)
    a, b, c = (Node(n, ops.Conv2d(rng.integers(-4, 4, shape), int3, (2, 1), (0, 0, 0, 1)), ("input",)) for n in "abc")
    codes = [Node(f"{n}q", ops.Requantize(t, shift=[2]), (n,)) for n, t in (("a", int5), ("b", int5), ("c", int3))]
    nodes = [
        *(a, b, c, *codes),
        Node("rows", ops.Weave(0), ("aq", "bq")),
        Node("more rows", ops.Weave(0, (2, 1)), ("rows", "cq")),
        Node("below", ops.Weave(0, (9, 9)), ("more rows", "more rows")),
        Node("pool", ops.MaxPool((2, 1), (2, 1)), ("below",)),
        Node("columns", ops.Weave(1, (1, 1)), ("pool", "pool")),
        Node("more columns", ops.Weave(1, (2, 1)), ("columns", "pool")),
        Node("right", ops.Weave(1, (12, 12)), ("more columns", "more columns")),
        Node("sum", ops.Conv2d(rng.integers(-4, 4, (3, 2, 3, channels)), int3, (2, 3)), ("right",)),
        Node("y", ops.Requantize(int5, shift=[4]), ("sum",)),
    ]
    return Network(InputSpec(TensorType((6, 4, 2), IntType(4))), nodes, name="turns")


def spread_pools() -> Network:
    """A maximum and a sum over windows with gaps, among pads."""
    rng = np.random.default_rng(9)
    nodes = [
        Node("conv", ops.Conv2d(rng.integers(-4, 4, (6, 2, 1, 2)), IntType(3, True), pads=(1, 0, 0, 0)), ("input",)),
        Node("code", ops.Requantize(IntType(4, True), shift=[3]), ("conv",)),
        Node("most", ops.MaxPool((2, 3), (1, 2), (1, 2, 1, 1), (2, 2)), ("code",)),
        Node("mean", ops.SumPool((3, 2), (2, 1), (0, 1, 2, 1), (1, 2)), ("most",)),
        Node("y", ops.Requantize(IntType(5, True), multiplier=[3], shift=[3]), ("mean",)),
    ]
    return Network(InputSpec(TensorType((6, 7, 2), IntType(4))), nodes, name="pools")


def moves(part: int) -> Network:
    """What lowering says by other operations: pixels in other places and among zeros (0), side by side, in blocks,
    and what is one of all channels (1).
    """
    rng = np.random.default_rng(3)

    def conv(outputs: int, kernel: int, inputs: int) -> graph_ops.Conv:
        codes, dtype = rng.integers(-4, 4, (outputs, kernel, kernel, inputs)), IntType(3, True)
        return graph_ops.Conv(codes * 0.25, quantized=QuantizedWeight(codes, dtype, np.array([0.25])))

    quant = graph_ops.Quant(Quantizer(IntType(4, True), [0.5]))
    wider = graph_ops.Quant(Quantizer(IntType(4), [1.0], [6]))
    spread = [
        FloatNode("q", quant, ("input",)),
        FloatNode("reflected", graph_ops.Pixels((1, 0, 1, 2, 1), (0, 1, 2, 3, 3)), ("q",)),
        FloatNode("conv", conv(3, 2, 2), ("reflected",)),
        FloatNode("grid", wider, ("conv",)),
        FloatNode("stretched", graph_ops.Stretch((2, 1)), ("grid",)),
        FloatNode("y", conv(4, 2, 3), ("stretched",)),
    ]
    joined = [
        FloatNode("q", quant, ("input",)),
        FloatNode("blocks", graph_ops.DepthToSpace((1, 2)), ("q",)),
        FloatNode("below", graph_ops.Stack(0), ("blocks", "blocks")),
        FloatNode("blend", graph_ops.Blend((1, 2, 1), (1, 1)), ("below",)),
        FloatNode("soft", quant, ("blend",)),
        FloatNode("most", graph_ops.ChannelMax(), ("soft",)),
        FloatNode("mean", graph_ops.ChannelMean(), ("soft",)),
        FloatNode("middle", quant, ("mean",)),
        FloatNode("y", graph_ops.Concat(), ("most", "middle")),
    ]
    shape = ((3, 4, 2), (3, 4, 4))[part]
    return lower(FloatGraph.build((spread, joined)[part], input_shape=shape, input_layout="HWC", name="moves"))


def every_operation() -> Network:
    """All operations of the integer network, each where it is awkward: pads, joins and copies of a few channels, tables
    over sums, thresholds of any step and in great number, a Flatten that is read by a sum.
    """
    rng = np.random.default_rng(11)
    int2, int4, uint4 = IntType(2, True), IntType(4, True), IntType(4)
    sums = IntType(9, True)
    rising = np.clip(np.arange(-256, 256) // 40, -6, 6)
    nodes = [
        Node("conv", ops.Conv2d(rng.integers(-4, 4, (3, 2, 2, 2)), IntType(3, True), pads=(1, 0, 1, 2)), ("input",)),
        Node("narrow", ops.Requantize(sums), ("conv",)),
        Node("table", ops.Lookup(sums, rising[None], int4), ("narrow",)),
        Node("any_table", ops.Lookup(sums, rng.integers(-2, 2, (1, 512)) * (np.arange(512) < 500), int2), ("narrow",)),
        Node("both", ops.Concat(), ("table", "any_table")),
        Node("large", ops.Resize((2, 1)), ("both",)),
        Node("wide", ops.Weave(1), ("large", "large")),
        Node("steps", ops.Threshold([[-3, 0, 2]], int4, [-1], [2]), ("wide",)),
        Node("pad", ops.Pad((1, 0, 1, 2), -2), ("steps",)),
        Node("shrunk", ops.SumPool((2, 3), (2, 2)), ("pad",)),
        Node("many", ops.Threshold([np.arange(-125, 125) // 8], IntType(9), [7]), ("shrunk",)),
        Node("less", ops.Requantize(uint4, shift=[2], bias=[-138]), ("many",)),
        Node("most", ops.MaxPool((1, 2), (2, 2), (0, 1, 0, 0)), ("less",)),
        Node("square", ops.Mul((1, 2)), ("most", "most")),
        Node("small", ops.Requantize(uint4, shift=[4]), ("square",)),
        Node("flat", ops.Flatten(), ("small",)),
        Node("twice", ops.Add(), ("flat", "flat")),
        Node("again", ops.Concat(), ("twice", "flat")),
    ]
    source = TensorType((3, 3, 2), uint4)
    before = Network(InputSpec(source), nodes)
    size = before.output_type.size
    weight = rng.permuted(np.tile(np.arange(size) % 2 * 2 - 1, (5, 1)), axis=1)
    usual = evaluate(before, rng.integers(0, 16, (50, *source.shape)))["again"].mean(axis=0)
    bias = -(weight @ usual).astype(np.int64)  # no class wins by itself
    nodes += [Node("fc", ops.Dense(weight, int2, bias), ("again",)), Node("y", ops.ArgMax(), ("fc",))]
    return Network(InputSpec(source), nodes, name="every")


def branches() -> Network:
    """Two inputs that meet, and four outputs: a value that is read on, an image behind a Flatten, a wide sum, a class.

    The second input is declared first, and the output that is made first is the last one.
    """
    rng = np.random.default_rng(5)
    image, side = TensorType((6, 6, 2), IntType(4)), TensorType((3, 3, 4), IntType(3, True))
    nodes = [
        Node("conv", ops.Conv2d(rng.integers(-2, 2, (4, 3, 3, 2)), IntType(2, True), pads=(1, 1, 1, 1)), ("image",)),
        Node("code", ops.Requantize(IntType(4), shift=[2]), ("conv",)),
        Node("small", ops.MaxPool((2, 2), (2, 2)), ("code",)),
        Node("sum", ops.Add(), ("small", "side")),
        Node("both", ops.Requantize(IntType(3), shift=[1]), ("sum",)),
        Node("flat", ops.Flatten(), ("both",)),
        Node("fc", ops.Dense(rng.integers(-2, 2, (5, 36)), IntType(2, True)), ("flat",)),
        Node("class", ops.ArgMax(), ("fc",)),
    ]
    outputs = [OutputSpec(value=value, name=f"the {value}") for value in ("class", "flat", "fc", "code")]
    return Network((InputSpec(side, name="side"), InputSpec(image, name="image")), nodes, outputs, "branches")
