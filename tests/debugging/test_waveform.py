"""Waveforms of layers: their own instance, or shared hardware in the cycles in which it works on them."""

import numpy as np
import pytest
from contract_network import branches, image_network

import bitwright as bw
from bitwright import cli
from bitwright.debugging.layers import observation
from bitwright.debugging.waveform import MARGIN, waveform
from bitwright.errors import OptionError
from bitwright.simulation import record
from bitwright.tools.model import Stalls

SHARED = {"bitsys": {"hardware": "small"}, "rap": {"size": 2}}
NETWORK = image_network()
FRAMES = np.random.default_rng(3).integers(0, 16, (3, 6, 6, 3))
LAYERS = ["conv", "pool", "mix", "fc"]
PULSES = {"bitsys": "post_valid", "rap": "w_we"}  # in the cycles in which a part of a layer's value is written


@pytest.fixture(scope="module")
def designs():
    return {name: bw.compile(NETWORK, target=name, **SHARED.get(name, {})) for name in ("tlmac", *SHARED)}


def shown(path):
    """The instances in the top that have signals in a waveform."""
    scopes, found = [], set()
    for line in path.read_text().partition("$enddefinitions")[0].splitlines():
        match line.split():
            case ["$scope", _, name, *_]:
                scopes.append(name)
            case ["$upscope", *_]:
                scopes.pop()
            case ["$var", *_]:
                found |= set(scopes[3:4])
    return found


def cycles(path, name):
    """Cycles of a waveform, and those in which a signal of the top instance shown has a bit that is 1."""
    head, body = path.read_text().split("$enddefinitions $end")
    codes = {}
    for line in head.splitlines():
        if line.split()[:1] == ["$var"]:
            codes.setdefault(line.split()[4], line.split()[3])
    state, found, count = {}, 0, 0
    for step in body.split("\n#")[1:]:
        lines = step.splitlines()[1:]
        if f"1{codes['clk_i']}" in lines:
            found += "1" in state.get(codes[name], "")
            count += 1
        for line in lines:
            value, _, code = line.partition(" ") if line[:1] == "b" else (line[:1], "", line[1:])
            state[code.strip()] = value
    return count, found


def test_layers_are_found_by_name_node_or_instance(designs):
    found = waveform(designs["tlmac"], FRAMES, "wave.vcd", ["fc", "step", "layer_1"])
    assert found.scopes == ("i_layer_3", "i_layer_0", "i_layer_1")
    assert (found.start, found.cycles, found.words) == (None, 0, designs["tlmac"].output.words)
    for name in ("tlmac", *SHARED):
        with pytest.raises(OptionError, match="no layer is called fc2; legal are conv, pool, mix, fc"):
            waveform(designs[name], FRAMES, "wave.vcd", ["fc2"])


@pytest.fixture
def build(designs, tmp_path):
    bw.save_design(designs["tlmac"], tmp_path / "build")
    return tmp_path / "build"


def test_a_waveform_of_one_layer_holds_that_layer_alone(build, tmp_path, capsys):
    whole, part = tmp_path / "whole.vcd", tmp_path / "part.vcd"
    assert cli.main(["simulate", str(build), "--frames", "1", "--trace", str(whole)]) == 0
    assert cli.main(["simulate", str(build), "--frames", "1", "--trace", "pool", "--trace", str(part)]) == 0
    assert f"gtkwave {part}" in capsys.readouterr().out
    names = [f"i_layer_{i}" for i in range(4)]
    assert [shown(path) & set(names) for path in (whole, part)] == [set(names), {"i_layer_1"}]
    assert part.stat().st_size < whole.stat().st_size
    assert cli.main(["simulate", str(build), "--trace", "a.vcd", "--trace", "b.fst"]) == 2
    assert "--trace names 2 files; legal is one" in capsys.readouterr().err


@pytest.mark.parametrize("stalls", [None, Stalls(5, 0.5, 0.5)])
@pytest.mark.parametrize("name", SHARED)
def test_shared_hardware_is_shown_while_it_works_on_a_layer(name, stalls, designs, tmp_path):
    """Together the windows of all layers hold every write of the first frame, each its own."""
    design = designs[name]
    tap = observation(design).taps[-1]
    run, _ = record(design, FRAMES[:1], observation(design).taps, stalls=stalls)
    waves = {layer: waveform(design, FRAMES, tmp_path / f"{layer}.vcd", [layer], stalls=stalls) for layer in LAYERS}
    for layer, wave in waves.items():
        bw.simulate(design, FRAMES, trace=wave, stalls=stalls, jobs=1)
        written = [c for c in run.records[tap.name].cycles if wave.start <= c < wave.start + wave.cycles]
        assert cycles(tmp_path / f"{layer}.vcd", PULSES[name]) == (wave.cycles, len(written)), layer
        assert written
        assert shown(tmp_path / f"{layer}.vcd")
    starts = [wave.start for wave in waves.values()]
    assert starts == sorted(set(starts))
    for before, after in zip(waves.values(), list(waves.values())[1:], strict=False):
        assert 0 <= before.start + before.cycles - after.start - 2 * MARGIN <= 2


@pytest.mark.parametrize("name", SHARED)
def test_a_layer_after_which_nothing_comes_is_shown_to_the_first_result(name, designs, tmp_path):
    wave = waveform(designs[name], FRAMES[:1], tmp_path / "fc.vcd", ["fc"])
    assert (wave.cycles, wave.words) == (0, designs[name].output.words)
    result = bw.simulate(designs[name], FRAMES[:1], trace=wave)
    count, written = cycles(tmp_path / "fc.vcd", PULSES[name])
    assert written >= 1
    assert 0 < count < result.latency_cycles


@pytest.mark.parametrize("name", SHARED)
def test_several_layers(name, designs, tmp_path):
    both, mix = (waveform(designs[name], FRAMES, "w.vcd", names) for names in (["mix", "conv"], ["mix"]))
    conv = waveform(designs[name], FRAMES, "w.vcd", ["step"])
    assert (both.start, both.start + both.cycles) == (conv.start, mix.start + mix.cycles)
    several = bw.compile(branches(), target=name, **SHARED[name])
    x = {spec.name: np.zeros((1, *spec.type.shape), int) for spec in branches().inputs}
    assert waveform(several, x, "w.vcd", ["sum"]).cycles > 0


def test_layers_with_external_memory_are_shown(tmp_path):
    design = bw.compile(NETWORK, target="bitsys", hardware="ultra96_memory")
    wave = waveform(design, FRAMES, tmp_path / "mix.vcd", ["mix"])
    bw.simulate(design, FRAMES, trace=wave, jobs=1)
    count, written = cycles(tmp_path / "mix.vcd", PULSES["bitsys"])
    assert count == wave.cycles
    assert written >= -(-NETWORK.types["mix"].size // 8)


def test_the_command_says_which_cycles(designs, tmp_path, capsys):
    bw.save_design(designs["rap"], tmp_path / "build")
    wave = tmp_path / "pool.vcd"
    command = ["simulate", str(tmp_path / "build"), "--frames", "2", "--trace", "pool", "--trace", str(wave)]
    assert cli.main(command) == 0
    assert "from the first word on, in which the layer works; open it with `gtkwave" in capsys.readouterr().out
    assert cycles(wave, PULSES["rap"])[0] != 30
    assert cli.main([*command, "--trace-cycles", "30"]) == 0
    assert cycles(wave, PULSES["rap"])[0] == 30
