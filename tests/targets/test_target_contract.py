"""What every target owes the rest, whatever its architecture: each test runs for all targets by itself."""

import dataclasses
import re

import numpy as np
import pytest
from contract_network import branches, every_operation, gates, image_network, moves, spread_pools, turns
from random_networks import random_input

import bitwright as bw
from bitwright import targets
from bitwright.deployment.driver import driver_text
from bitwright.design.io import plain
from bitwright.errors import OptionError
from bitwright.hardware.closure import flatten
from bitwright.network import InputSpec, IntType, Network, Node, TensorType, evaluate, ops
from bitwright.network.passes import simplify
from bitwright.targets.contract import make_options
from bitwright.tools.model import Stalls

TARGETS = targets.names()
CHEAP = {"bitsys": {"hardware": "small"}, "rap": {"size": 2, "param_words": 1 << 15}}  # small circuits, roomy memory
NETWORKS = range(12)


@pytest.fixture(scope="module")
def compiled():
    """The design of `image_network` for a target."""
    return lambda name: bw.compile(image_network(), target=name, **CHEAP.get(name, {}))


@pytest.mark.parametrize("name", TARGETS)
def test_it_says_what_it_is(name):
    target = targets.get(name)
    assert target.name == name
    assert target.summary
    assert dataclasses.is_dataclass(make_options(target, {}))
    for field in dataclasses.fields(target.options):
        assert field.metadata.get("doc"), f"option {field.name} has no doc"
    with pytest.raises(OptionError, match=f"target {name} has no option 'no_such_thing'; legal are "):
        make_options(target, {"no_such_thing": 1})


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("seed", NETWORKS)
def test_check_decides_before_any_work(name, seed, random_network):
    """What `check` accepts can be planned and emitted; what it refuses it refuses by the names of nodes."""
    network, target = simplify(random_network(seed)), targets.get(name)
    options = make_options(target, CHEAP.get(name, {}))
    problems = target.check(network, options)
    if not problems:
        design = target.emit(target.plan(network, options))
        assert design.network.digest == network.digest
    for problem in problems:
        assert problem.node is None or problem.node in network.types
        assert problem.rule
        assert problem.legal


@pytest.mark.parametrize("name", TARGETS)
def test_design_is_complete(name, compiled):
    design = compiled(name)
    network = design.network
    assert design.target == name
    assert design.input.only.type == network.input.type
    assert design.output.only.type == network.output_type
    assert design.estimate.interval_cycles >= 1
    assert design.estimate.latency_cycles >= 1
    assert design.estimate.total.lut > 0
    flat = flatten(design.files)  # refuses two files of one name
    modules = set(re.findall(r"^module (\w+)", "\n".join(t for n, t in flat.items() if n.endswith(".sv")), re.M))
    assert {design.top, *(unit.top for unit in design.units)} <= modules
    compile(driver_text({"net": design}), "driver.py", "exec")


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("make", [image_network, every_operation, branches])
def test_what_was_chosen_makes_the_same_design(name, make):
    """The options of `--save-config`, and what `compile --config` does with them."""
    target, design = targets.get(name), bw.compile(make(), target=name, **CHEAP.get(name, {}))
    again = bw.compile(make(), target=name, **target.folded(design))
    assert again.digest == design.digest
    assert np.array_equal(again.program, design.program) or design.program is None


@pytest.mark.parametrize("name", TARGETS)
def test_same_input_same_bytes(name, compiled):
    first, second = compiled(name), compiled(name)
    for field in dataclasses.fields(first):
        if field.name != "network":
            assert plain(getattr(first, field.name)) == plain(getattr(second, field.name)), field.name


@pytest.mark.parametrize("name", TARGETS)
def test_designs_survive_the_disk(name, compiled, tmp_path):
    design = compiled(name)
    bw.save_design(design, tmp_path / "build")
    loaded = bw.load_design(tmp_path / "build")
    assert loaded.network.digest == design.network.digest
    for field in dataclasses.fields(design):
        if field.name != "network":
            assert plain(getattr(loaded, field.name)) == plain(getattr(design, field.name)), field.name


@pytest.mark.parametrize("name", TARGETS)
def test_hardware_equals_the_network(name, compiled):
    design = compiled(name)
    dtype = design.network.input.type.dtype
    x = np.random.default_rng(0).integers(dtype.min, dtype.max + 1, (12, *design.network.input.type.shape))
    result = bw.simulate(design, x, stalls=Stalls(seed=3, input=0.2, output=0.3))
    assert result.first_mismatch() is None
    assert np.array_equal(result.outputs, evaluate(image_network(), x)["fc"])
    assert len(np.unique(result.outputs)) > 10


@pytest.mark.parametrize("name", TARGETS)
def test_every_operation_is_computed(name):
    """What one target can lower, all can."""
    network = every_operation()
    assert {type(node.op) for node in network.nodes} == set(ops.OPS.values())
    design = bw.compile(network, target=name, **CHEAP.get(name, {}))
    x = random_input(network, 12)
    result = bw.simulate(design, x, stalls=Stalls(seed=3, input=0.2, output=0.3))
    assert result.first_mismatch() is None
    assert len(np.unique(result.outputs)) > 2
    computed = {node for layer in design.estimate.layers for node in layer.nodes}
    assert computed <= set(design.network.types)


@pytest.mark.parametrize("name", TARGETS)
def test_products_are_computed(name):
    """Of factors that are repeated over the pixels, over the channels, over both."""
    design = bw.compile(gates(), target=name, **CHEAP.get(name, {}))
    x = random_input(design.network, 12)
    result = bw.simulate(design, x, stalls=Stalls(seed=4, input=0.2, output=0.3))
    assert result.first_mismatch() is None
    assert len(np.unique(result.outputs)) > 5


@pytest.mark.parametrize("name", TARGETS)
def test_pools_with_gaps_are_computed(name):
    design = bw.compile(spread_pools(), target=name, **CHEAP.get(name, {}))
    x = random_input(design.network, 12)
    result = bw.simulate(design, x, stalls=Stalls(seed=4, input=0.2, output=0.3))
    assert result.first_mismatch() is None
    assert len(np.unique(result.outputs)) > 5


@pytest.mark.parametrize("channels", [3, 16])
@pytest.mark.parametrize("name", TARGETS)
def test_rows_and_columns_take_turns(name, channels):
    """With 16 channels pixels fill words, where there are words."""
    network = turns(channels)
    design = bw.compile(network, target=name, **CHEAP.get(name, {}))
    x = random_input(network, 6)
    result = bw.simulate(design, x, stalls=Stalls(seed=4, input=0.2, output=0.3))
    assert result.first_mismatch() is None
    assert len(np.unique(result.outputs)) > 5


@pytest.mark.parametrize("part", [0, 1])
@pytest.mark.parametrize("name", TARGETS)
def test_moves_of_pixels_are_computed(name, part):
    """What the lowering of models says by weights of 1, pads, masks and sums."""
    network = simplify(moves(part))
    design = bw.compile(network, target=name, **CHEAP.get(name, {}))
    x = random_input(design.network, 6)
    result = bw.simulate(design, x, stalls=Stalls(seed=5, input=0.2, output=0.3))
    assert result.first_mismatch() is None
    assert len(np.unique(result.outputs)) > 5


@pytest.mark.parametrize("name", TARGETS)
def test_the_only_input_has_any_name(name):
    """Also that of a model's input, beside a node called as inputs are."""
    nodes = [Node("input", ops.Dense(np.eye(8, dtype=int), IntType(2, True)), ("x",))]
    network = Network(InputSpec(TensorType((8,), IntType(4)), name="x"), nodes)
    target, options = targets.get(name), CHEAP.get(name, {})
    assert target.check(network, make_options(target, options)) == []
    assert target.plan(network, make_options(target, options)).estimate.interval_cycles > 0


@pytest.mark.parametrize("name", TARGETS)
def test_several_inputs_and_outputs(name):
    """One stream each way carries the tensors of a frame, in the network's order."""
    network, options = simplify(branches()), CHEAP.get(name, {})
    design = bw.compile(network, target=name, **options)
    assert [spec.type for spec in design.input.tensors] == [spec.type for spec in network.inputs]
    assert [spec.type for spec in design.output.tensors] == [network.types[name] for name in network.output_values]
    x = random_input(network, 12)
    result = bw.simulate(design, x, stalls=Stalls(seed=6, input=0.2, output=0.3))
    assert result.first_mismatch() is None
    for output in network.outputs:
        assert len(np.unique(result.outputs[output.name])) > 2
    compile(driver_text({"net": design}), "driver.py", "exec")
