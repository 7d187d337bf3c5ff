"""The whole accelerator against the networks' own evaluation: operations, widths, stalls, cycles."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from bitwright.network import BIPOLAR, InputSpec, IntType, Network, Node, TensorType, evaluate, ops
from bitwright.simulation import SimulationResult, compile_model, simulate, stream_words
from bitwright.targets import contract, get
from bitwright.targets.bitsys.registers import REGION_SHIFT, address, control_registers
from bitwright.tools.model import ProtocolError, Stalls

TARGET = get("bitsys")
HARDWARE = Path(__file__).parent / "hardware"
UNITS = ("container", "bitplane", "fixed", "dsp")
S8, U8, U4, S2 = IntType(8, True), IntType(8), IntType(4), IntType(2, True)


def values(rng, t, shape):
    return rng.choice(t.values(), shape)


def network(input_type, *nodes, name="test"):
    return Network(InputSpec(input_type), tuple(Node(*node) for node in nodes), name=name)


def requantize(rng, channels, dtype, shift, rounding="half_even"):
    """Multipliers of either sign around 64, shifts around `shift`."""
    return ops.Requantize(
        dtype,
        rng.integers(40, 90, channels) * rng.choice((-1, 1), channels),
        rng.integers(shift - 1, shift + 2, channels),
        rng.integers(-3000, 3000, channels),
        int(rng.integers(-3, 4)),
        rounding,
    )


def threshold(rng, channels, count, dtype, base=None, step=1, spread=900):
    thresholds = np.sort(rng.integers(-spread, spread, (channels, count)), axis=1)
    base = dtype.min if base is None else base
    return ops.Threshold(thresholds, dtype, base, step)


def convolution(rng, inputs, outputs, kernel, weight_type=S8, stride=1, pads=(0, 0, 0, 0), bias=True, **more):
    weight = values(rng, weight_type, (outputs, *kernel, inputs))
    constant = rng.integers(-500, 500, outputs) if bias else None
    return ops.Conv2d(weight, weight_type, (stride, stride), pads, bias=constant, **more)


def residual(rng):
    """Convolutions with strides and pads, a shortcut, an addition of 16-bit values, pooling, a dense end."""
    t = TensorType((7, 6, 3), U8)
    return network(
        t,
        ("c1", convolution(rng, 3, 12, (3, 3), pads=(1, 1, 1, 1)), ("input",)),
        ("r1", requantize(rng, 12, U8, 14), ("c1",)),
        ("c2", convolution(rng, 12, 20, (3, 2), IntType(4, True), stride=2, pads=(0, 1, 1, 0)), ("r1",)),
        ("r2", requantize(rng, 20, IntType(12, True), 8, "half_away"), ("c2",)),
        ("c3", convolution(rng, 12, 20, (2, 1), IntType(3, True), stride=2), ("r1",)),
        ("r3", requantize(rng, 20, IntType(11, True), 7, "floor"), ("c3",)),
        ("a", ops.Add(), ("r2", "r3")),
        ("ra", requantize(rng, 1, U8, 9, "half_up"), ("a",)),
        ("s", ops.SumPool((3, 3), (1, 1), (1, 1, 1, 1)), ("ra",)),
        ("rs", requantize(rng, 20, U4, 11), ("s",)),
        ("m", ops.MaxPool((2, 2), (1, 1), (1, 0, 0, 1)), ("rs",)),
        ("f", ops.Flatten(), ("m",)),
        ("d", ops.Dense(values(rng, S8, (11, 180)), S8), ("f",)),
        name="residual",
    )


def dense(rng):
    """Flatten at the input, thresholds of several counts, bipolar operands, ArgMax."""
    return network(
        TensorType((6, 5, 4), S2),
        ("f", ops.Flatten(), ("input",)),
        ("d1", ops.Dense(values(rng, BIPOLAR, (24, 120)), BIPOLAR), ("f",)),
        ("t1", threshold(rng, 24, 1, BIPOLAR, -1, 2, 30), ("d1",)),
        ("d2", ops.Dense(values(rng, BIPOLAR, (72, 24)), BIPOLAR), ("t1",)),
        ("t2", threshold(rng, 72, 6, IntType(3), 0, 1, 20), ("d2",)),
        ("d3", ops.Dense(values(rng, IntType(5), (10, 72)), IntType(5), rng.integers(-9, 9, 10)), ("t2",)),
        ("t3", threshold(rng, 10, 200, U8, 0, 1, 6000), ("d3",)),
        ("d4", ops.Dense(values(rng, S8, (5, 10)), S8), ("t3",)),
        ("y", ops.ArgMax(), ("d4",)),
        name="dense",
    )


def depthwise(rng):
    """A table on the input, depthwise and grouped convolutions with dilation, an image as the output."""
    table = values(rng, S8, (1, 16))
    return network(
        TensorType((6, 6, 16), U4),
        ("l", ops.Lookup(U4, table, S8), ("input",)),
        ("c1", convolution(rng, 1, 16, (3, 3), pads=(1, 1, 1, 1), groups=16, pad_value=0), ("l",)),
        ("r1", requantize(rng, 16, U8, 14), ("c1",)),
        ("c2", convolution(rng, 8, 24, (2, 2), pads=(2, 1, 0, 1), groups=2, dilation=(2, 1)), ("r1",)),
        ("r2", requantize(rng, 24, IntType(5, True), 16), ("c2",)),
        ("m", ops.MaxPool((2, 3), (2, 1)), ("r2",)),
        name="depthwise",
    )


def copies(rng):
    """A Concat into its place, pads that are no zeros, and an enlarged image, in 16 bits."""
    return network(
        TensorType((2, 3, 64), U4),
        ("c", convolution(rng, 64, 8, (1, 1), IntType(3, True)), ("input",)),
        ("r", requantize(rng, 8, IntType(12, True), 6), ("c",)),
        ("a", ops.Concat(), ("input", "r")),
        ("p", ops.Pad((1, 0, 0, 1), -700), ("a",)),
        ("l", ops.Resize((2, 3)), ("p",)),
        ("s", ops.SumPool((3, 2), (2, 3)), ("l",)),
        ("rs", requantize(rng, 72, U8, 12), ("s",)),
        name="copies",
    )


def joins(rng):
    """Concats of few channels, which are products; bipolar values that are padded, enlarged and joined."""
    return network(
        TensorType((3, 4, 5), U4),
        ("c", convolution(rng, 5, 3, (1, 1), IntType(3, True), bias=False), ("input",)),
        ("t", threshold(rng, 3, 1, BIPOLAR, -1, 2, 20), ("c",)),
        ("u", threshold(rng, 3, 5, IntType(3), spread=40), ("c",)),
        ("b", ops.Concat(), ("t", "u")),
        ("p", ops.Pad((0, 1, 1, 0), 1), ("t",)),
        ("l", ops.Resize((1, 2)), ("p",)),
        ("m", ops.MaxPool((2, 4), (1, 2)), ("l",)),
        ("d", ops.Concat(), ("b", "m")),
        ("y", ops.Resize((2, 1)), ("d",)),
        name="joins",
    )


NETWORKS = (residual, dense, depthwise, copies, joins)


def compile_for(net: Network, unit: str, batch: int = 0):
    options = TARGET.options(hardware=str(HARDWARE / f"{unit}.toml"), batch=batch)
    plan = contract.accepted(TARGET, net, options)
    return plan, TARGET.emit(plan)


def run(net, unit, cache, frames=6, batch=0, **more) -> tuple[object, SimulationResult]:
    x = values(np.random.default_rng(11), net.input.type.dtype, (frames, *net.input.type.shape))
    return run_integers(net, unit, x, cache, batch, **more)


def run_integers(net, unit, x, cache, batch=0, **more) -> tuple[object, SimulationResult]:
    plan, design = compile_for(net, unit, batch)
    return plan, simulate(design, x, jobs=1, cache_dir=cache, **more)


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("make", NETWORKS)
def test_bit_exact_and_cycle_exact(make, unit, bitsys_cache):
    """Outputs equal the evaluation, and every layer takes exactly the cycles that the model says."""
    net = make(np.random.default_rng(21))
    plan, result = run(net, unit, bitsys_cache)
    assert result.bit_exact, result.first_mismatch()
    layers = plan.estimate.layers
    batches = result.counters["batches"]
    assert result.counters["cycles_busy"] == batches * sum(layer.details["cycles_batch"] for layer in layers)
    assert result.counters["cycles_array"] == batches * sum(layer.details["array_cycles"] for layer in layers)
    assert result.counters["errors"] == 0


WITHOUT_REGISTER = (address("control", 15), address("control", 64), 7 << REGION_SHIFT)


@pytest.mark.parametrize(
    "change",
    [
        *({"program": np.array([(at, 0)], np.uint32)} for at in WITHOUT_REGISTER),
        *({"counters": {"x": at}} for at in (*WITHOUT_REGISTER, address("layers", 0))),
    ],
)
def test_addresses_without_a_register_answer_an_error(change, bitsys_cache):
    net = dense(np.random.default_rng(21))
    _, design = compile_for(net, "container", 0)
    x = values(np.random.default_rng(11), net.input.type.dtype, (1, *net.input.type.shape))
    if "program" in change:
        change = {"program": np.concatenate([design.program, change["program"]])}
    with pytest.raises(ProtocolError, match="s_axil answers 3 at address"):
        simulate(dataclasses.replace(design, **change), x, jobs=1, cache_dir=bitsys_cache)


@pytest.mark.parametrize("unit", UNITS)
def test_stalls_and_partial_batches(unit, bitsys_cache):
    """Random pauses on both streams, and frames that do not fill the last batch."""
    net = dense(np.random.default_rng(22))
    for seed, batch in ((1, 4), (2, 3), (3, 1)):
        _, result = run(net, unit, bitsys_cache, frames=7, batch=batch, stalls=Stalls(seed, 0.5, 0.5))
        assert result.bit_exact, result.first_mismatch()


@pytest.mark.parametrize("unit", ["container", pytest.param("bitplane", marks=pytest.mark.slow)])
@pytest.mark.parametrize("make", NETWORKS)
def test_streamed_weights(make, unit, bitsys_cache):
    """A weight memory that is too small: packets come in on a stream, with pauses, and the results are the same."""
    net = make(np.random.default_rng(27))
    plan, design = compile_for(net, f"{unit}_stream", 2)
    x = values(np.random.default_rng(2), net.input.type.dtype, (7, *net.input.type.shape))
    paused = simulate(design, x, jobs=1, cache_dir=bitsys_cache, stalls=Stalls(4, 0.6, 0.3))
    assert paused.bit_exact, paused.first_mismatch()
    result = simulate(design, x, jobs=1, cache_dir=bitsys_cache)
    _, ample = run_integers(net, unit, x, bitsys_cache)
    np.testing.assert_array_equal(result.outputs, ample.outputs)
    # The model is exact but for the cycles in which a layer waits for its weights, which are counted apart.
    layers = plan.estimate.layers
    for found in (result, paused):
        batches = found.counters["batches"]
        working = found.counters["cycles_busy"] - found.counters["cycles_weights"]
        assert working == batches * sum(layer.details["cycles_batch"] for layer in layers)
        assert found.counters["errors"] == 0
    streamed = plan.program.usage.stream_words
    assert (streamed > 0) == (plan.program.usage.weight_lines > plan.hardware.weight_lines)
    assert result.counters["cycles_weights"] <= paused.counters["cycles_weights"]
    assert bool(paused.counters["cycles_weights"]) == bool(streamed)


def test_packets_keep_clear_of_weights_in_use():
    """A packet never overwrites one that `ahead` lets be in use, and each is as far ahead as its place allows."""
    for make in NETWORKS:
        plan, _ = compile_for(make(np.random.default_rng(28)), "container_stream")
        packets = plan.program.packets * 2  # two batches
        for index in range(len(packets) // 2, len(packets)):
            own = packets[index]
            free = [p for p in packets[index - own.ahead : index] if p.base + p.lines <= own.base]
            free += [p for p in packets[index - own.ahead : index] if p.base >= own.base + own.lines]
            assert len(free) == own.ahead
            before = packets[index - own.ahead - 1]
            assert before.base < own.base + own.lines
            assert own.base < before.base + before.lines


def test_one_build_runs_all_networks():
    """No network changes the hardware's files."""
    digests = {compile_for(make(np.random.default_rng(23)), "container")[1].digest for make in NETWORKS}
    assert len(digests) == 1


def test_each_layer_takes_the_cycles_of_the_model(bitsys_cache):
    """The counter of single layers, selected by a register."""
    net = residual(np.random.default_rng(24))
    plan, design = compile_for(net, "container")
    model = compile_model(design, cache_dir=bitsys_cache)
    x = values(np.random.default_rng(1), net.input.type.dtype, (1, *net.input.type.shape))
    select, counter = (address("control", 0) + control_registers()[n].offset for n in ("layer_select", "layer_cycles"))
    layers = plan.estimate.layers
    for index, layer in enumerate(layers):
        found = model.run(
            stream_words(design, x),
            {"m_axis": 11},
            program=[(select, index), *design.program.tolist()],
            counters=(counter,),
        )
        # The last layer is timed to the end of the batch, one cycle before the next fetch could begin.
        assert found.counters[counter] == layer.details["cycles_batch"] - (index == len(layers) - 1)


def test_rounding_modes(bitsys_cache):
    """All roundings, shifts from 0 to 32, at ties and at the ends of the range."""
    x = np.arange(-128, 128).reshape(-1, 1, 1, 1)
    for rounding in ("floor", "half_up", "half_even", "half_away"):
        shift = np.array([0, 1, 2, 3, 5, 8, 16, 32])
        op = ops.Requantize(S8, np.array([1, 1, 2, -3, 7, 99, 20000, 2**23]), shift, np.arange(8), 1, rounding)
        copies = ops.Conv2d(np.ones((8, 1, 1, 1), np.int64), IntType(2, True))
        net = network(TensorType((1, 1, 1), S8), ("c", copies, ("input",)), ("r", op, ("c",)), name=rounding)
        _, design = compile_for(net, "container", 64)
        result = simulate(design, x, jobs=1, cache_dir=bitsys_cache)
        assert result.bit_exact, f"{rounding}: {result.first_mismatch()}"


@pytest.mark.parametrize("count", [1, 2, 5, 9, 20, 40, 100, 200])
def test_searches_take_turns(count, bitsys_cache):
    """Thresholds of every number of comparisons, behind reads of 1 to 4 items a group and behind tiles of few rows."""
    rng = np.random.default_rng(count)
    step = 2 if count == 1 else 1  # with a step of 1, one threshold is a bias
    for reads in (1, 2, 3, 4):
        steps = np.sort(rng.integers(0, 15 * reads + 1, (9, count)), axis=1)
        net = network(
            TensorType((3, 3 + reads, 9), U4),
            ("p", ops.SumPool((1, reads)), ("input",)),
            ("tp", ops.Threshold(steps, U8, 0, step), ("p",)),
            ("c", convolution(rng, 9, 16, (3, 1), S2), ("tp",)),
            ("tc", threshold(rng, 16, count, U8, 0, step, 2000), ("c",)),
        )
        plan, result = run(net, "container", bitsys_cache, frames=3)
        assert all(layer.fields["table_bits"] == count.bit_length() for layer in plan.program.layers)
        assert result.bit_exact, f"{reads} reads: {result.first_mismatch()}"
        cycles = sum(layer.details["cycles_batch"] for layer in plan.estimate.layers)
        working = result.counters["cycles_busy"] - result.counters["cycles_output"]
        assert working == result.counters["batches"] * cycles


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda rng: convolution(rng, 8, 8, (3, 3), IntType(9, True)), "weights have 9 bits"),
        (lambda rng: ops.Requantize(S8, rounding="stochastic"), "tiles are not computed in the order"),
        (lambda rng: convolution(rng, 8, 4000, (1, 1)), "parameters need 500 channel groups"),
        (lambda rng: convolution(rng, 8, 512, (4, 4)), "weights need 8192 lines"),
        (lambda rng: convolution(rng, 8, 512, (4, 4)), "hardware container, which has no weight_stream"),
    ],
)
def test_refusals_name_the_reason(make, rule):
    net = network(TensorType((8, 8, 8), U8), ("n", make(np.random.default_rng(1)), ("input",)))
    options = TARGET.options(hardware=str(HARDWARE / "container.toml"))
    found = "; ".join(map(str, TARGET.check(net, options)))
    assert rule in found


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda rng: convolution(rng, 8, 8, (8, 5)), "weights of 8 output channels need 320 lines"),
        (lambda rng: convolution(rng, 8, 520, (4, 4), stride=5), "layers need 33 descriptors"),
    ],
)
def test_refusals_of_streamed_weights(make, rule):
    net = network(TensorType((8, 8, 8), U8), ("n", make(np.random.default_rng(1)), ("input",)))
    options = TARGET.options(hardware=str(HARDWARE / "container_stream.toml"))
    assert rule in "; ".join(map(str, TARGET.check(net, options)))


def test_expected_values_are_not_trivial():
    """The random networks exercise the hardware: their outputs differ between frames."""
    rng = np.random.default_rng(21)
    for make in NETWORKS:
        net = make(rng)
        x = values(rng, net.input.type.dtype, (16, *net.input.type.shape))
        last = next(node.name for node in reversed(net.nodes) if not isinstance(node.op, ops.ArgMax))
        assert len(np.unique(evaluate(net, x)[last].reshape(16, -1), axis=0)) > 3
