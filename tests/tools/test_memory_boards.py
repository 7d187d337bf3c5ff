"""Designs with external memory on boards: the shipped drivers, the overlay, its gate, and what is refused."""

import dataclasses
import importlib.util
from pathlib import Path

import numpy as np
import pytest
from shipped_driver import run_driver, shipped

import bitwright as bw
from bitwright.deployment.vivado import overlay_files
from bitwright.errors import OptionError
from bitwright.hardware.closure import flatten
from bitwright.network import evaluate
from bitwright.targets import contract, get
from bitwright.tools import verilator
from bitwright.tools.model import SimulationError

BITSYS = Path(__file__).parents[1] / "bitsys"
SPEC = importlib.util.spec_from_file_location("accelerator_networks", BITSYS / "test_bitsys_accelerator.py")
networks = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(networks)
FEW = 20  # register writes


@pytest.fixture(scope="module")
def designs():
    """Networks whose maps, weights or parameters do not fit on the chip, of one hardware."""
    target, made = get("bitsys"), {}
    options = target.options(hardware=str(BITSYS / "hardware" / "container_memory.toml"))
    for make in networks.NETWORKS:
        network = make(np.random.default_rng(21))
        made[network.name] = target.emit(contract.accepted(target, network, options))
    return made


@pytest.fixture(scope="module")
def board(designs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("boards") / "board"
    bw.deploy(designs, folder, "ultra96")
    return folder


def frames(network, count, seed=0):
    rng = np.random.default_rng(seed)
    specs = network.inputs
    codes = {s.name: rng.integers(0, 1 << s.type.dtype.bits, (count, *s.type.shape)) for s in specs}
    return {s.name: s.type.dtype.decode(codes[s.name]) for s in specs}


def same(driver, network, count=3, seed=0):
    """Whether the board computes what the network does."""
    x = frames(network, count, seed)
    expected = network.leaving(evaluate(network, x if len(x) > 1 else next(iter(x.values()))))
    found = driver.execute_integers(x)
    pairs = [(found[k], expected[k]) for k in found] if isinstance(found, dict) else [(found, expected)]
    return all(np.array_equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("seed", [None, 5])
def test_networks_are_switched_by_few_register_writes(designs, board, seed):
    """Ideal and random memory; each image is written once, however often its network is loaded."""
    with shipped(board / "driver.py").Driver(simulate=True, timeout_s=600, memory_seed=seed) as driver:
        overlay, link, written = driver.link.overlay, driver.link, []
        write, toggles = overlay.design.write, overlay.frames.write
        overlay.design.write = lambda *pair: (written.append(pair), write(*pair))
        overlay.frames.write = lambda *pair: (written.append(pair), toggles(*pair))
        for number, name in enumerate([*designs, *reversed(designs)]):
            written.clear()
            driver.load(name)
            assert len(written) < FEW, name
            assert same(driver, designs[name].network, seed=number), name
            assert driver.counters()["errors"] == 0
        assert len(link.held) == len(designs)
        addresses = [buffer.device_address for buffer in link.held]
        assert len(set(addresses)) == len(addresses)
        assert min(addresses) >= 1 << 32, "the high register is tried, too"


@pytest.mark.parametrize("seed", [1, 2])
def test_a_reset_awaits_what_is_under_way_to_memory(designs, board, seed):
    """Networks are stopped anywhere in their frames, under random memory, and the next one computes as ever."""
    rng = np.random.default_rng(seed)
    waited, stops = 0, 24
    with shipped(board / "driver.py").Driver(simulate=True, timeout_s=600, memory_seed=seed) as driver:
        overlay, sender = driver.link.overlay, driver.link.overlay.dma.sendchannel
        for number in range(stops):
            name = driver.names[number % len(designs)]
            driver.load(name)
            x = frames(designs[name].network, 4, number)
            packed = driver._packed([x[side["name"]].reshape(4, -1) for side in driver.facts["inputs"]])
            buffer = driver.link.pynq.allocate(shape=packed.reshape(-1).shape, dtype=np.uint8)
            buffer[:] = packed.reshape(-1)
            buffer.flush()
            sender.transfer(buffer)
            overlay._model.run(int(rng.integers(1, 4000)))
            overlay.frames.write(0, 0)
            waited += overlay.frames.read(8)
            assert any(not overlay.frames.read(8) and sender.idle for _ in range(1000))
            if number % 4 == 3:
                other = driver.names[(number + 2) % len(designs)]
                driver.load(other)
                assert same(driver, designs[other].network, 2, number), other
        assert waited > stops // 4, "resets came while something was under way"


def test_a_design_may_reach_its_own_memory_alone(designs, board):
    module = shipped(board / "driver.py")
    name = next(iter(designs))
    module.DESIGN["networks"][name]["memory_bytes"] = 4096
    with pytest.raises((SimulationError, ValueError)):
        module.Driver(simulate=True).execute_integers(frames(designs[name].network, 1)["input"])
    driver = shipped(board / "driver.py").Driver(simulate=True)
    low, high = driver.design["memory"]["registers"]
    with pytest.raises(RuntimeError, match="no buffer begins at 0x500001000"):
        driver.link.write(np.array([[low, 0x1000], [high, 5]]))


def test_buffers_begin_with_a_page(designs, board):
    driver = shipped(board / "driver.py").Driver(simulate=True)
    allocate = driver.link.pynq.allocate

    def crooked(shape, dtype):
        made = allocate(shape, dtype)
        made.device_address += 64
        return made

    driver.link.pynq.allocate = crooked
    with pytest.raises(RuntimeError, match=r"a buffer lies at 0x\w+40; legal are multiples of 4096"):
        driver.load(list(designs)[-1])


def test_the_driver_from_a_terminal(board):
    found = run_driver(board / "driver.py", "--memory-seed", 3, "--network", "joins", "--frames", 2)
    assert (found["network"], found["counters"]["errors"]) == ("joins", 0)


def test_the_wrapper_is_clean(designs, tmp_path):
    design = next(iter(designs.values()))
    files = flatten(design.files) | overlay_files(design)
    others = [f'lint_off -file "*{name}"\n' for name in flatten(design.files) if name.endswith("sv")]
    waiver = '`verilator_config\nlint_off -rule WIDTHTRUNC -file "*bitwright_overlay.v"\n' + "".join(others)
    verilator.lint({**files, "waivers.vlt": waiver}, "bitwright_overlay", tmp_path)


@pytest.mark.parametrize("name", ["ulx3s-85f", "tang-nano-20k"])
def test_boards_with_a_serial_line_refuse(designs, tmp_path, name):
    with pytest.raises(OptionError, match=r"'residual' needs external memory, which boards with a serial line do not"):
        bw.deploy(designs, tmp_path / "board", name)
    assert not (tmp_path / "board").exists()


def test_what_is_copied_to_the_board(designs, tmp_path):
    first = next(iter(designs.values()))
    found = bw.deploy(first, tmp_path / "one", "kv260")
    assert {"memory.npy", "sources/axi_gate.sv"} <= set(found["files"])
    assert "driver.py program.npy memory.npy USER@BOARD" in (tmp_path / "one" / "README.md").read_text()
    plain = dataclasses.replace(first, memory=None)
    assert "axi_gate.sv" not in overlay_files(plain)
    assert "m_axi_" not in overlay_files(plain)["bitwright_overlay.v"]
