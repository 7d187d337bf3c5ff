"""The layers of a design in simulation: all are seen and right, and a damaged one is found."""

import json
from dataclasses import replace

import numpy as np
import pytest
from contract_network import branches, image_network, turns
from random_networks import random_input

import bitwright as bw
from bitwright import cli, targets
from bitwright.debugging import layers
from bitwright.debugging.layers import observation
from bitwright.errors import ModelError
from bitwright.network import InputSpec, IntType, Network, Node, OutputSpec, TensorType, evaluate, ops

TARGETS = targets.names()
CHEAP = {"bitsys": {"hardware": "small"}, "rap": {"size": 2}}
NETWORK = image_network()
FRAMES = np.random.default_rng(3).integers(0, 16, (3, 6, 6, 3))
LAYERS = [["conv", "step"], ["pool"], ["mix", "scale"], ["fc"]]


@pytest.fixture(scope="module")
def designs():
    return {name: bw.compile(NETWORK, target=name, **CHEAP.get(name, {})) for name in TARGETS}


@pytest.mark.parametrize("name", TARGETS)
def test_every_layer_is_seen_and_is_the_networks(name, designs):
    seen = []
    found = bw.debug(designs[name], FRAMES, progress=lambda *step: seen.append(step))
    assert seen == [("layers", 0, 4), ("layers", 4, 4)]
    assert [c.layer for c in found.layers] == [*(nodes[0] for nodes in LAYERS), "output"]
    assert [c.value for c in found.layers] == [*(nodes[-1] for nodes in LAYERS), "output"]
    values = evaluate(NETWORK, FRAMES)
    assert [c.values for c in found.layers[:-1]] == [values[nodes[-1]].size for nodes in LAYERS]
    assert (found.first, found.differences, found.failure) == (None, (), None)


@pytest.mark.parametrize("name", TARGETS)
def test_several_inputs_and_outputs(name):
    network = branches()
    rng = np.random.default_rng(1)
    x = {
        spec.name: rng.integers(spec.type.dtype.min, spec.type.dtype.max, (2, *spec.type.shape))
        for spec in network.inputs
    }
    found = bw.debug(bw.compile(network, target=name, **CHEAP.get(name, {})), x)
    assert found.first is None
    assert {"conv", "small", "sum", "fc"} <= {c.layer for c in found.layers}


@pytest.mark.parametrize("channels", [3, 16])
@pytest.mark.parametrize("name", TARGETS)
def test_rows_and_columns_that_take_turns(name, channels):
    network = turns(channels)
    design = bw.compile(network, target=name, **{**CHEAP, "rap": {"size": 2, "param_words": 1 << 15}}.get(name, {}))
    found = bw.debug(design, random_input(network, 2))
    assert found.first is None
    seen = {c.layer: c.values for c in found.layers}
    types = network.types
    assert all(seen[n] == 2 * types[n].size for n in ("rows", "more rows", "columns"))


@pytest.mark.parametrize("name", TARGETS)
def test_an_input_that_leaves(name):
    step = Node("step", ops.Threshold([[3, 7, 9]], IntType(2)), ("input",))
    nodes = [step, Node("flat", ops.Flatten(), ("input",))]
    outputs = [OutputSpec(value=value, name=value) for value in ("step", "flat")]
    network = Network(InputSpec(TensorType((2, 3, 4), IntType(4))), nodes, outputs, name="passing")
    x = np.random.default_rng(0).integers(0, 16, (2, 2, 3, 4))
    found = bw.debug(bw.compile(network, target=name, **CHEAP.get(name, {})), x)
    assert found.first is None
    assert found.layers[-1].values == 2 * 2 * 24


def flipped(memory):
    """The words of a memory file with their lowest bit inverted."""
    return "".join(f"{int(word, 16) ^ 1:0{len(word)}x}\n" for word in memory.splitlines())


def damaged(design, layer):
    """The design with a bit of the weights or thresholds of a layer changed: in a memory file, or in the program."""
    if design.program is None:
        path = next(p for p in design.files if p.endswith(".mem") and layer in p)
        return replace(design, files={**design.files, path: flipped(design.files[path])})
    program = design.program.copy()
    at = np.flatnonzero(program[:-1, 1])[-4:]  # of the weights, which come last, before the hardware is started
    program[at, 1] ^= 1
    return replace(design, program=program)


@pytest.mark.parametrize("name", TARGETS)
def test_a_damaged_memory_is_found_in_its_layer(name, designs):
    found = bw.debug(damaged(designs[name], "dense_weights"), FRAMES)
    assert found.first == found.layers[-1]
    assert (found.first.layer, found.first.missing) == ("fc", 0)
    assert found.first.mismatches > 0
    assert all(c.equal for c in found.layers[:-1])
    expected = evaluate(NETWORK, FRAMES)["fc"]
    for d in found.differences:
        assert expected[(d.frame, *d.index)] == d.expected != d.found


def test_it_stops_at_the_first_layer_that_differs(designs):
    broken = damaged(damaged(designs["tlmac"], "conv2d_post0"), "dense_weights")
    found = bw.debug(broken, FRAMES)
    assert [c.layer for c in found.layers] == ["conv"]
    assert found.first.mismatches > 0
    assert bw.simulate(broken, FRAMES).bit_exact is False


def test_a_simulation_that_hangs_is_compared_as_far_as_it_came(designs):
    """A layer whose words are never taken: those before it are right, its own are missing."""
    design = designs["tlmac"]
    path = next(p for p in design.files if p.endswith("layer_1_maxpool.sv"))
    text = design.files[path].replace("assign m_valid_o =", "assign m_valid_o = 1'b0 &&")
    if text == design.files[path]:
        text = (
            design.files[path]
            .replace(".m_valid_o(m_valid_o)", ".m_valid_o()")
            .replace("endmodule", "  assign m_valid_o = 1'b0;\nendmodule")
        )
    found = bw.debug(replace(design, files={**design.files, path: text}), FRAMES)
    assert found.failure.startswith("DeadlockError: ")
    assert [c.layer for c in found.layers] == ["conv", "pool"]
    assert found.first.missing == found.first.values


def test_a_design_of_another_version_is_refused(designs):
    design = designs["tlmac"]
    other = replace(design, files={**design.files, "tlmac_top.sv": design.files["tlmac_top.sv"] + "\n"})
    with pytest.raises(ModelError, match="another version of bitwright; compile it again"):
        observation(other)


def test_layers_that_cannot_be_seen_are_refused(designs, monkeypatch):
    seen = replace(observation(designs["rap"]), hidden="its layers cannot be seen; legal are others")
    monkeypatch.setattr(layers, "observation", lambda design: seen)
    with pytest.raises(ModelError, match="its layers cannot be seen; legal are others"):
        bw.debug(designs["rap"], FRAMES)


@pytest.fixture
def build(designs, tmp_path):
    bw.save_design(designs["tlmac"], tmp_path / "build")
    return tmp_path / "build"


def test_command_names_the_layer_the_place_and_both_values(build, capsys):
    memory = next(build.glob("rtl/*dense_weights*.mem"))
    memory.write_text(flipped(memory.read_text()))
    assert cli.main(["debug", str(build), "--frames", "2"]) == 1
    out = capsys.readouterr().out
    assert "first difference in layer fc: " in out
    assert "index (y, x, channel)" in out
    assert "--trace wave.vcd --trace fc" in out
    assert cli.main(["debug", str(build), "--frames", "2", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["first"], found["failure"]) == ("fc", None)
    assert found["differences"][0]["expected"] != found["differences"][0]["found"]
    assert cli.main(["simulate", str(build)]) == 2
    assert "its files have changed since `compile`" in capsys.readouterr().err
