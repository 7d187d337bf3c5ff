"""External memory: networks with everything but a few settings behind m_axi, on chips too small for their maps."""

import dataclasses
import importlib.util
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from random_networks import random_network

from bitwright.debugging.layers import debug
from bitwright.design.io import load_design, save_design
from bitwright.errors import OptionError
from bitwright.network import InputSpec, IntType, Network, Node, TensorType, ops
from bitwright.simulation import compile_model, external_memory, simulate, stream_words
from bitwright.targets import contract, get
from bitwright.targets.bitsys import hardware, planning
from bitwright.targets.bitsys.external import search, timing
from bitwright.targets.bitsys.external.items import Run, Span, Transfer, kind_of, traffic, waits
from bitwright.tools.model import ProtocolError, Stalls

HERE = Path(__file__).parent
SPEC = importlib.util.spec_from_file_location("accelerator_networks", HERE / "test_bitsys_accelerator.py")
networks = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(networks)
TARGET = get("bitsys")
BEHIND = 3  # batches that come in behind those that are timed: input that goes on takes cycles, too
BEFORE_INPUT = 11  # cycles of the first layer of a batch before it takes the input
UNITS = ("container", *(pytest.param(unit, marks=pytest.mark.slow) for unit in ("dsp", "bitplane")))


def compile_for(net, unit="container", **options):
    found = TARGET.options(hardware=str(HERE / "hardware" / f"{unit}_memory.toml"), **options)
    plan = contract.accepted(TARGET, net, found)
    return plan, TARGET.emit(plan)


def frames(net, count, seed=11):
    return networks.values(np.random.default_rng(seed), net.input.type.dtype, (count, *net.input.type.shape))


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("make", networks.NETWORKS)
def test_networks_in_external_memory(make, unit, bitsys_cache):
    """Bit-exact with ideal and with random memory; layers take the cycles of the model, apart from counted waits."""
    net = make(np.random.default_rng(21))
    plan, design = compile_for(net, unit)
    assert len(design.program) < 20
    x = frames(net, 5)
    for stalls in (None, Stalls(3, 0.3, 0.3), Stalls(8, 0, 0)):
        result = simulate(design, x, jobs=1, cache_dir=bitsys_cache, stalls=stalls)
        assert result.bit_exact, result.first_mismatch()
        assert result.counters["errors"] == 0
        batches = result.counters["batches"]
        assert batches == len(x) / design.batch or design.batch > 1
        layers = plan.estimate.layers
        assert result.counters["cycles_array"] == batches * sum(layer.details["array_cycles"] for layer in layers)
        waits = sum(result.counters[f"cycles_{name}"] for name in ("loads", "stores", "input", "output"))
        cycles = sum(layer.details["cycles_batch"] for layer in layers)
        assert result.counters["cycles_busy"] - waits == batches * (cycles - BEFORE_INPUT)


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize(("latency", "gap"), [(100, 1), (7, 2)])
def test_frames_leave_when_the_model_says(unit, latency, gap, bitsys_cache):
    """Every frame's last word, under ideal memory, in the very cycle; behind the last frame no input comes in."""
    for make in networks.NETWORKS:
        net = make(np.random.default_rng(21))
        plan, design = compile_for(net, unit, memory_latency=latency, memory_gap=gap)
        model = compile_model(design, cache_dir=bitsys_cache).with_memory(external_memory(design, None))
        count = timing.WARM_UP + timing.PERIODS
        words = stream_words(design, frames(net, (count + BEHIND) * design.batch))
        base = [(register, value) for register, value in zip(design.memory.registers, (0, 0x12), strict=True)]
        program = np.concatenate([np.array(base, np.uint32), design.program])
        total = (count + BEHIND) * design.batch * design.output.words
        run = model.run(words, {"m_axis": total}, program=program)
        ends = run.produced["m_axis"][design.batch * design.output.words - 1 :: design.batch * design.output.words]
        times = planning.times(plan)
        assert (ends - run.accepted["s_axis"][0])[:count].tolist() == times.ends.tolist(), net.name
        first = run.produced["m_axis"][design.output.words - 1] - run.accepted["s_axis"][0]
        assert plan.estimate.latency_cycles == first


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("make", networks.NETWORKS)
def test_layers_are_seen_tile_by_tile(make, unit, bitsys_cache):
    """All values of all layers, and the layer whose weights in memory are wrong."""
    net = make(np.random.default_rng(21))
    plan, design = compile_for(net, unit)
    x = frames(net, 2)
    found = debug(design, x, cache_dir=bitsys_cache)
    assert (found.first, found.failure) == (None, None)
    names = {stage.name: stage for stage in plan.staged.stages}
    assert {check.layer for check in found.layers} == {*names, "output"}
    assert all(check.values == 2 * names[check.layer].type.size for check in found.layers[:-1])
    if plan.outside.planned.maps:
        tiles = [run.tile for run in plan.outside.planned.repeated if isinstance(run, Run)]
        assert len(tiles) > len({run.layer.name for run in plan.outside.planned.repeated if isinstance(run, Run)})
    name = next(piece for piece in reversed(plan.outside.image.places) if piece.startswith("weights "))
    words = design.memory.image.copy()
    first = 2 * plan.outside.image.places[name]
    words[first : first + 2 * len(plan.outside.planned.payload[name])] ^= 0xFFFFFFFF
    wrong = dataclasses.replace(design, memory=dataclasses.replace(design.memory, image=words))
    found = debug(wrong, x, cache_dir=bitsys_cache)
    assert found.first is not None
    assert found.first.layer == plan.staged.stages[int(name.split()[1].split(".")[0])].name
    assert found.first.missing == 0


def test_networks_are_in_tiles():
    """The small chip's networks have maps outside, inputs and outputs in parts, weights and parameters in turns."""
    plans = [compile_for(make(np.random.default_rng(21)))[0] for make in networks.NETWORKS]
    planned = [plan.outside.planned for plan in plans]
    assert any(p.maps for p in planned)
    assert any(p.input_pixels for p in planned)
    assert any(p.output_pixels for p in planned)
    kinds = {item.kind for p in planned for item in (*p.once, *p.repeated)}
    assert kinds == {"layer", "activations", "store", "weights", "parameters", "tables"}


def test_one_build_runs_all_networks():
    digests = {compile_for(make(np.random.default_rng(23)))[1].digest for make in networks.NETWORKS}
    assert len(digests) == 1


def woven(rng, axis):
    """Two images whose rows or columns take turns, in a network whose maps do not fit on the small chip."""
    return networks.network(
        TensorType((8, 6, 8), networks.U8),
        ("c0", networks.convolution(rng, 8, 16, (3, 3), pads=(1, 1, 1, 1)), ("input",)),
        ("r0", networks.requantize(rng, 16, networks.U8, 15), ("c0",)),
        ("c1", networks.convolution(rng, 16, 8, (1, 1)), ("r0",)),
        ("r1", networks.requantize(rng, 8, networks.U8, 14), ("c1",)),
        ("c2", networks.convolution(rng, 16, 8, (1, 1)), ("r0",)),
        ("r2", networks.requantize(rng, 8, networks.U8, 14), ("c2",)),
        ("w", ops.Weave(axis), ("r1", "r2")),
        ("c3", networks.convolution(rng, 8, 8, (3, 3), pads=(1, 1, 1, 1)), ("w",)),
        ("r3", networks.requantize(rng, 8, networks.U8, 15), ("c3",)),
        name=f"woven {axis}",
    )


@pytest.mark.parametrize("axis", [0, 1])
def test_rows_and_columns_that_take_turns(axis, bitsys_cache):
    net = woven(np.random.default_rng(axis), axis)
    _, design = compile_for(net)
    result = simulate(design, frames(net, 3), jobs=1, cache_dir=bitsys_cache, stalls=Stalls(axis, 0.2, 0.2))
    assert result.bit_exact, result.first_mismatch()


@pytest.mark.parametrize("seed", range(12))
def test_random_networks(seed, bitsys_cache):
    """Whatever random networks the target takes, in tiles, under random memory."""
    rng = np.random.default_rng(seed)
    for attempt in range(200):
        net = random_network(1000 * seed + attempt)
        if len(net.inputs) > 1:
            continue
        found = TARGET.options(hardware=str(HERE / "hardware" / "container_memory.toml"))
        plan = contract.make_plan(TARGET, net, found)
        if not isinstance(plan, contract.Refusal) and plan.outside.planned.maps:
            break
    else:
        pytest.fail("no network with maps outside")
    x = networks.values(rng, net.input.type.dtype, (3, *net.input.type.shape))
    result = simulate(TARGET.emit(plan), x, jobs=1, cache_dir=bitsys_cache, stalls=Stalls(seed, 0.2, 0.2))
    assert result.bit_exact, result.first_mismatch()


def test_a_build_folder_keeps_the_memory(tmp_path, bitsys_cache):
    net = networks.residual(np.random.default_rng(21))
    _, design = compile_for(net)
    save_design(design, tmp_path / "build")
    loaded = load_design(tmp_path / "build")
    np.testing.assert_array_equal(loaded.memory.image, design.memory.image)
    assert loaded.memory.facts() == design.memory.facts()
    assert simulate(loaded, frames(net, 2), jobs=1, cache_dir=bitsys_cache).bit_exact


def test_records_are_not_read_from_memory_that_no_one_wrote(bitsys_cache):
    net = networks.residual(np.random.default_rng(21))
    _, design = compile_for(net)
    memory = dataclasses.replace(design.memory, image=design.memory.image[:64])
    with pytest.raises(ProtocolError, match="a read of what was never written"):
        simulate(dataclasses.replace(design, memory=memory), frames(net, 1), jobs=1, cache_dir=bitsys_cache)


def test_what_is_too_large_for_external_memory_is_refused():
    """1 MiB does not hold 2 MB of weights; the chip's own memories do not matter."""
    rng = np.random.default_rng(1)
    dense = ops.Dense(rng.integers(-128, 128, (200, 400)), IntType(8, True))
    net = Network(InputSpec(TensorType((400,), IntType(8))), (Node("d", dense, ("input",)),), name="wide")
    found = TARGET.options(hardware=str(HERE / "hardware" / "container_memory.toml"))
    assert "d: a window takes 50 words; legal: at most 32" in "; ".join(map(str, TARGET.check(net, found)))
    nodes, last = [], "input"
    for k in range(66):
        conv = ops.Conv2d(rng.integers(-128, 128, (128, 1, 1, 128)), IntType(8, True))
        nodes += [Node(f"c{k}", conv, (last,)), Node(f"r{k}", ops.Requantize(IntType(8), 1, 12), (f"c{k}",))]
        last = f"r{k}"
    net = Network(InputSpec(TensorType((1, 1, 128), IntType(8))), tuple(nodes), name="large")
    rule = "bytes of external memory; legal: at most 1048576 in hardware container_memory"
    assert rule in "; ".join(map(str, TARGET.check(net, found)))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("m_axi = 64", "m_axi = 32", "m_axi is 32; legal are 0 and 64"),
        ("memory_mib = 1", "memory_mib = 0", "memory_mib is 0; legal are 1 to 32768"),
        ("weight_stream = false", "weight_stream = true", "weights come by m_axi or by weight_stream"),
    ],
)
def test_illegal_hardware(old, new, message, tmp_path):
    text = (HERE / "hardware" / "container_memory.toml").read_text()
    assert old in text
    (tmp_path / "x.toml").write_text(text.replace(old, new))
    with pytest.raises(OptionError, match=message):
        hardware.load(str(tmp_path / "x.toml"))
    with pytest.raises(OptionError, match="memory_gap is 0; legal are 1 to 100"):
        TARGET.options(memory_gap=0)


def test_waits_hold_across_the_end_of_a_frame():
    """A load waits for the last layer that reads its place, in this frame or the one before; a store for its layer."""
    place, other = Span("activations", 0, 8), Span("activations", 8, 8)
    load = Transfer("activations", "map a", 0, 8, 1, 8, 0, (Span("map a", 0, 8),), (place,))
    store = Transfer("store", "map b", 0, 8, 1, 8, 8, (other,), (Span("map b", 0, 8),))
    reading = Run(None, (place,), (other,), 0)
    idle = Run(None, (), (), 1)
    items = [load, reading, store, idle, idle]
    assert [kind_of(item) for item in items] == ["load", "layer", "store", "layer", "layer"]
    found = waits([], items)
    assert found[0]["layer"] == 2  # the two idle layers of the frame before
    assert found[1] == {"load": 0, "store": 0}  # its load; the store of the frame before from where it writes
    assert found[2]["layer"] == 0


def bottleneck(rng):
    """Wide maps between narrow ones: a convolution, a depthwise one, another, a sum with the start, a pool."""
    return networks.network(
        TensorType((24, 4, 8), networks.U8),
        ("c1", networks.convolution(rng, 8, 16, (1, 1)), ("input",)),
        ("r1", networks.requantize(rng, 16, networks.U8, 14), ("c1",)),
        ("c2", networks.convolution(rng, 1, 16, (3, 3), pads=(1, 1, 1, 1), groups=16), ("r1",)),
        ("r2", networks.requantize(rng, 16, networks.U8, 14), ("c2",)),
        ("c3", networks.convolution(rng, 16, 8, (1, 1)), ("r2",)),
        ("r3", networks.requantize(rng, 8, networks.U8, 14), ("c3",)),
        ("a", ops.Add(), ("r3", "input")),
        ("r4", networks.requantize(rng, 8, networks.U8, 7), ("a",)),
        ("m", ops.MaxPool((4, 4), (4, 4)), ("r4",)),
        name="bottleneck",
    )


def test_stages_run_together(bitsys_cache):
    """What lies between stages that run band by band is never outside, and every row is computed once."""
    net = bottleneck(np.random.default_rng(3))
    plan, design = compile_for(net)
    planned = plan.outside.planned
    assert not planned.maps
    runs = [item for item in planned.repeated if isinstance(item, Run)]
    stages = [run.stage for run in runs]
    assert stages.index(2) < len(stages) - 1 - stages[::-1].index(1)
    assert [sum(run.tile.rows for run in runs if run.stage == k) for k in (1, 2, 3)] == [24, 24, 24]
    assert any(run.layer.stage.name == "r1 kept" for run in runs)
    for stalls in (None, Stalls(3, 0.3, 0.3)):
        result = simulate(design, frames(net, 3), jobs=1, cache_dir=bitsys_cache, stalls=stalls)
        assert result.bit_exact, result.first_mismatch()
    assert (design.parameters["bytes_read"], design.parameters["bytes_written"]) == traffic(planned.repeated)


@pytest.mark.parametrize(
    ("make", "unit"),
    [
        *(
            (make, "container")
            for make in (*networks.NETWORKS, partial(woven, axis=0), partial(woven, axis=1), bottleneck)
        ),
        *(pytest.param(make, "bitplane", marks=pytest.mark.slow) for make in (*networks.NETWORKS, bottleneck)),
    ],
)
def test_all_maps_outside(make, unit, bitsys_cache, monkeypatch):
    """Every stage by itself, every map in external memory."""
    monkeypatch.setattr(search, "LONGEST", 1)
    monkeypatch.setattr(search.Search, "_left_outside", lambda self, *ends: [frozenset(self.ways.left(*ends))])
    net = make(np.random.default_rng(22))
    plan, design = compile_for(net, unit)
    between = {stage.value for stage in plan.staged.stages} - set(plan.layout.leaving)
    assert set(plan.outside.planned.maps) == (set() if make is networks.dense else between)  # all of that one fits
    for stalls in (None, Stalls(5, 0.3, 0.3)):
        result = simulate(design, frames(net, 3), jobs=1, cache_dir=bitsys_cache, stalls=stalls)
        assert result.bit_exact, result.first_mismatch()
        assert result.counters["errors"] == 0
