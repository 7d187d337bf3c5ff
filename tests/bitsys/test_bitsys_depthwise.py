"""Depthwise layers: a channel a column, pixels of a tile and tiles of a strip that share what is read."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from bitwright.network import IntType, TensorType, ops
from bitwright.simulation import simulate
from bitwright.targets import contract, get
from bitwright.tools.model import Stalls

HERE = Path(__file__).parent
SPEC = importlib.util.spec_from_file_location("accelerator_networks", HERE / "test_bitsys_accelerator.py")
networks = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(networks)
TARGET = get("bitsys")
# Channels, kernel, stride, pads, image: tiles of 4, 3, 1 pixels; strips; windows of one row or column; partial groups.
SHAPES = (
    (16, (3, 3), (1, 1), (1, 1, 1, 1), (6, 8)),
    (12, (5, 5), (2, 2), (2, 2, 2, 2), (9, 12)),
    (8, (3, 2), (1, 1), (0, 1, 1, 0), (5, 7)),
    (24, (3, 3), (2, 1), (1, 1, 1, 1), (8, 4)),
    (40, (2, 3), (3, 3), (1, 0, 0, 1), (7, 9)),
    (20, (1, 4), (1, 2), (0, 1, 0, 1), (3, 9)),
    (9, (7, 1), (1, 1), (3, 0, 3, 0), (7, 2)),
)


def depthwise(rng, channels, kernel, stride, pads, size, dtype=networks.U8):
    """Two depthwise layers, the second one of signed values, and a dense convolution."""
    other = networks.convolution(rng, 1, channels, (3, 3), pads=(1, 1, 1, 1), groups=channels)
    conv = ops.Conv2d(
        networks.values(rng, networks.S8, (channels, *kernel, 1)), networks.S8, stride, pads, groups=channels
    )
    return networks.network(
        TensorType((*size, channels), dtype),
        ("c1", conv, ("input",)),
        ("r1", networks.requantize(rng, channels, networks.S8, 13), ("c1",)),
        ("c2", other, ("r1",)),
        ("r2", networks.requantize(rng, channels, networks.U8, 13), ("c2",)),
        ("c3", networks.convolution(rng, channels, 8, (1, 1)), ("r2",)),
        ("r3", networks.requantize(rng, 8, networks.U8, 14), ("c3",)),
        name=f"depthwise {channels}",
    )


def planned(net, hardware, **options):
    return contract.accepted(TARGET, net, TARGET.options(hardware=str(hardware), **options))


def frames(net, count):
    return networks.values(np.random.default_rng(11), net.input.type.dtype, (count, *net.input.type.shape))


def own(plan):
    """Names of the stages that are computed so."""
    return {layer.stage.name for layer in plan.program.layers if layer.fields.get("depthwise")}


@pytest.mark.parametrize("unit", ["container", pytest.param("container_six", marks=pytest.mark.slow), "fixed", "dsp"])
@pytest.mark.parametrize("shape", SHAPES)
def test_bit_exact_and_cycle_exact(shape, unit, bitsys_cache):
    net = depthwise(np.random.default_rng(5), *shape)
    plan = planned(net, HERE / "hardware" / f"{unit}.toml")
    # A row of three pixels takes half of six rows, and a stride of 3 shares nothing: a plain layer is faster.
    assert own(plan) == ({"c2"} if unit == "container_six" and shape == SHAPES[4] else {"c1", "c2"})
    result = simulate(TARGET.emit(plan), frames(net, 4), jobs=1, cache_dir=bitsys_cache)
    assert result.bit_exact, result.first_mismatch()
    assert result.counters["errors"] == 0
    layers = plan.estimate.layers
    assert result.counters["cycles_busy"] == 4 * sum(layer.details["cycles_batch"] for layer in layers)
    assert result.counters["cycles_array"] == 4 * sum(layer.details["array_cycles"] for layer in layers)
    assert result.interval_cycles == plan.estimate.interval_cycles


@pytest.mark.parametrize(
    ("batch", "size", "strips"),
    [(3, (6, 8), 1), (1, (6, 8), 6), (1, (254, 1), 1)],
    ids=["frames of a batch", "one strip", "higher than a window"],
)
def test_strips(batch, size, strips, bitsys_cache):
    """Tiles are a strip where one frame is computed and its windows together are no higher than a window may be."""
    net = depthwise(np.random.default_rng(6), 8, (3, 3), (1, 1), (1, 1, 1, 1), size)
    plan = planned(net, HERE / "hardware" / "container.toml", batch=batch)
    assert {layer.fields["strip_rows"] for layer in plan.program.layers if layer.fields.get("depthwise")} == {strips}
    result = simulate(TARGET.emit(plan), frames(net, 6), jobs=1, cache_dir=bitsys_cache, stalls=Stalls(3, 0.3, 0.3))
    assert result.bit_exact, result.first_mismatch()


@pytest.mark.parametrize("unit", ["container", "dsp"])
@pytest.mark.parametrize("shape", [SHAPES[k] for k in (0, 1, 3, 4)])
def test_in_external_memory(shape, unit, bitsys_cache):
    """In parts of the channels and tiles of the image, under random memory; cycles as the model says."""
    net = depthwise(np.random.default_rng(7), *shape)
    plan = planned(net, HERE / "hardware" / f"{unit}_memory.toml")
    assert own(plan) == {"c1", "c2"}
    assert len(plan.program.layers) > len(plan.staged.stages)
    design = TARGET.emit(plan)
    for stalls in (None, Stalls(3, 0.3, 0.3)):
        result = simulate(design, frames(net, 2), jobs=1, cache_dir=bitsys_cache, stalls=stalls)
        assert result.bit_exact, result.first_mismatch()
        waits = sum(result.counters[f"cycles_{name}"] for name in ("loads", "stores", "input", "output"))
        cycles = sum(layer.details["cycles_batch"] for layer in plan.estimate.layers)
        assert result.counters["cycles_busy"] - waits == 2 * (cycles - 11)


def test_more_columns_than_channels_of_a_word(tmp_path, bitsys_cache):
    """A tile has eight channels, however many columns there are."""
    text = (HERE / "hardware" / "container.toml").read_text()
    for old, new in (("rows = 4", "rows = 8"), ("columns = 8", "columns = 16")):
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "wide.toml").write_text(text)
    net = depthwise(np.random.default_rng(8), 24, (3, 3), (1, 1), (1, 1, 1, 1), (5, 8))
    plan = planned(net, tmp_path / "wide.toml")
    assert own(plan) == {"c1", "c2"}
    result = simulate(TARGET.emit(plan), frames(net, 3), jobs=1, cache_dir=bitsys_cache)
    assert result.bit_exact, result.first_mismatch()
    assert result.interval_cycles == plan.estimate.interval_cycles


def test_what_is_not_computed_so():
    """Narrow values, bit planes, dilation, several outputs a channel: as grouped convolutions."""
    rng = np.random.default_rng(9)
    container, planes = (HERE / "hardware" / f"{unit}.toml" for unit in ("container", "bitplane"))
    net = depthwise(rng, *SHAPES[0], dtype=IntType(4))
    narrow = networks.network(
        TensorType((6, 8, 16), IntType(4)),
        ("c", networks.convolution(rng, 1, 16, (3, 3), IntType(4, True), groups=16), ("input",)),
        ("r", networks.requantize(rng, 16, networks.U8, 12), ("c",)),
    )
    dilated, several = (
        networks.network(
            TensorType((6, 8, 16), networks.U8),
            ("c", networks.convolution(rng, 1, outputs, (3, 3), groups=16, dilation=(1, step)), ("input",)),
            ("r", networks.requantize(rng, outputs, networks.U8, 12), ("c",)),
        )
        for outputs, step in ((16, 2), (32, 1))
    )
    assert own(planned(net, container)) == {"c1", "c2"}  # weights of 8 bits: the input is stored in bytes
    assert own(planned(net, planes)) == set()
    for other in (narrow, dilated, several):
        assert own(planned(other, container)) == set()


def test_a_depthwise_layer_keeps_the_array_busy():
    """More than 70 % of the multipliers, where a tenth worked before."""
    rng = np.random.default_rng(10)
    net = networks.network(
        TensorType((32, 32, 24), networks.U8),
        ("c", networks.convolution(rng, 1, 24, (3, 3), pads=(1, 1, 1, 1), groups=24), ("input",)),
        ("r", networks.requantize(rng, 24, networks.U8, 13), ("c",)),
        ("p", ops.MaxPool((8, 8), (8, 8)), ("r",)),
    )
    plan = planned(net, "ultra96")
    assert plan.hardware.rows == plan.hardware.columns == 8
    assert own(plan) == {"c"}
    assert 24 * 9 * 32 * 32 / (64 * plan.estimate.layers[0].cycles) > 0.7
