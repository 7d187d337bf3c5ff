"""Several words of activations read at once: the same results, the cycles of the model, fewer of them."""

import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest

from bitwright.errors import OptionError
from bitwright.network import TensorType
from bitwright.simulation import simulate
from bitwright.targets import contract, get
from bitwright.tools.model import Stalls

HERE = Path(__file__).parent
SPEC = importlib.util.spec_from_file_location("depthwise_networks", HERE / "test_bitsys_depthwise.py")
others = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(others)
networks = others.networks
TARGET = get("bitsys")
PORTS = (pytest.param(2, marks=pytest.mark.slow), 4)
STALLS = Stalls(3, 0.3, 0.3)
# Kernel, stride, pads: rows of taps that fill reads, or do not.
IMAGES = (((3, 3), 2, (0, 0, 1, 1)), ((5, 5), 2, (2, 2, 2, 2)), ((2, 4), 1, (0, 1, 1, 1)), ((7, 6), 2, (3, 3, 3, 3)))


@pytest.fixture
def plan_on(tmp_path):
    """`plan_on(net, base, port_words, **sizes)`: the plan on a hardware file of the tests with other sizes."""

    def plan(net, base, port, **sizes):
        text = (HERE / "hardware" / f"{base}.toml").read_text() + f"port_words = {port}\n"
        for name, size in sizes.items():
            old = next(line for line in text.splitlines() if line.startswith(f"{name} = "))
            text = text.replace(old, f"{name} = {size}")
        path = tmp_path / f"{base}_{port}.toml"
        path.write_text(text)
        return contract.accepted(TARGET, net, TARGET.options(hardware=str(path)))

    return plan


def image(kernel, stride, pads):
    """A convolution of an image with three channels, and one of its results."""
    rng = np.random.default_rng(4)
    return networks.network(
        TensorType((13, 14, 3), networks.U8),
        ("c", networks.convolution(rng, 3, 8, kernel, pads=pads, stride=stride), ("input",)),
        ("r", networks.requantize(rng, 8, networks.U8, 13), ("c",)),
        ("c2", networks.convolution(rng, 8, 24, (1, 1), stride=2), ("r",)),
        ("r2", networks.requantize(rng, 24, networks.U8, 13), ("c2",)),
        ("c3", networks.convolution(rng, 24, 8, (3, 3), stride=2), ("r2",)),
        ("r3", networks.requantize(rng, 8, networks.U8, 13), ("c3",)),
    )


def exact(plan, frames, cache, stalls=None):
    """Results as the network's, every layer in the cycles of the model, but for what it waits."""
    result = simulate(TARGET.emit(plan), frames, jobs=1, cache_dir=cache, stalls=stalls)
    assert result.bit_exact, result.first_mismatch()
    assert result.counters["errors"] == 0
    layers, batches = plan.estimate.layers, result.counters["batches"]
    assert result.counters["cycles_array"] == batches * sum(layer.details["array_cycles"] for layer in layers)
    names = ("loads", "stores", "input", "output")
    waits = sum(result.counters.get(f"cycles_{name}", 0) for name in names)
    cycles = sum(layer.details["cycles_batch"] for layer in layers) - (11 if plan.hardware.external else 0)
    assert result.counters["cycles_busy"] - waits == batches * cycles
    return result


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("shape", others.SHAPES)
def test_depthwise_layers(shape, port, plan_on, bitsys_cache):
    net = others.depthwise(np.random.default_rng(5), *shape)
    plan = plan_on(net, "container", port)
    assert others.own(plan) == {"c1", "c2"}
    exact(plan, others.frames(net, 3), bitsys_cache)


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("shape", IMAGES)
def test_pixels_next_to_each_other(shape, port, plan_on, bitsys_cache):
    """Pixels of a word each are read at once where that is faster: weights behind a row of taps are zeros."""
    net = image(*shape)
    plan, before = plan_on(net, "container", port, rows=8), plan_on(net, "container", 1, rows=8)
    near = [layer.fields["near"] for layer in plan.program.layers]
    assert near == [1, 0, 0]
    taps = plan.program.layers[0].fields["taps"]
    assert taps == shape[0][0] * math.ceil(shape[0][1] / port) * port
    assert plan.estimate.layers[0].cycles < before.estimate.layers[0].cycles
    exact(plan, others.frames(net, 3), bitsys_cache)


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize(
    "unit", ["container", *(pytest.param(unit, marks=pytest.mark.slow) for unit in ("fixed", "dsp"))]
)
@pytest.mark.parametrize("make", networks.NETWORKS)
def test_networks(make, unit, port, plan_on, bitsys_cache):
    """16-bit values are read and written at once, whatever else networks have."""
    net = make(np.random.default_rng(21))
    if unit != "container" and make not in (networks.residual, networks.depthwise):
        pytest.skip("operands of one bit")
    exact(plan_on(net, unit, port), others.frames(net, 5), bitsys_cache)


WIDE = pytest.param({"rows": 6, "columns": 16}, marks=pytest.mark.slow)


@pytest.mark.parametrize("sizes", [{}, WIDE], ids=["4 x 8", "6 x 16"])
@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("make", networks.NETWORKS)
def test_in_external_memory(make, port, sizes, plan_on, bitsys_cache):
    """In tiles, whose rows are copied two words at a time, under ideal and random memory."""
    net = make(np.random.default_rng(21))
    plan = plan_on(net, "container_memory", port, row_words=64, **sizes)
    for stalls in (None, STALLS):
        exact(plan, others.frames(net, 4), bitsys_cache, stalls)


@pytest.mark.parametrize("shape", [others.SHAPES[k] for k in (0, 1, 3, 4)])
def test_depthwise_layers_in_external_memory(shape, plan_on, bitsys_cache):
    net = others.depthwise(np.random.default_rng(7), *shape)
    plan = plan_on(net, "container_memory", 4, row_words=128)
    assert others.own(plan) == {"c1", "c2"}
    exact(plan, others.frames(net, 2), bitsys_cache, STALLS)


def test_a_layer_of_stride_two_keeps_the_array_busier(plan_on):
    net = others.depthwise(np.random.default_rng(7), 64, (3, 3), (2, 2), (1, 1, 1, 1), (8, 16))
    cycles = [plan_on(net, "container", port).estimate.layers[0].cycles for port in (1, 2, 4)]
    assert cycles[0] > 1.5 * cycles[1]
    assert cycles[1] > cycles[2]


@pytest.mark.parametrize(("base", "port"), [("container", 3), ("container", "true"), ("bitplane", 2)])
def test_what_is_refused(base, port, plan_on):
    net = image(*IMAGES[0])
    with pytest.raises(OptionError, match=r"port_words is .*; legal are 1"):
        plan_on(net, base, port)
