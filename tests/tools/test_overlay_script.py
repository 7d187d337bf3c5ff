"""`overlay.tcl`, run by a Tcl interpreter against a mock of Vivado's commands."""

import dataclasses

import numpy as np
import pytest

from bitwright.deployment import write_overlay
from bitwright.devices import BOARDS
from bitwright.hardware.memory_port import MemoryPort
from bitwright.targets.contract import WeightStream

pytest.importorskip("_tkinter")
from mock_vivado import Refused, Vivado

PYNQ = [board.name for board in BOARDS.values() if board.processor]
FILES = ("em.avnet.com:ultra96v2:part0:1.2", "xilinx.com:kv260_som:part0:1.4", "tul.com.tw:pynq-z2:part0:1.0")
FILES += tuple(f"xilinx.com:{name}:part0:1.1" for name in ("zcu104", "zcu102", "zcu111"))


def with_memory(design):
    return dataclasses.replace(design, memory=MemoryPort(64, np.zeros(0, np.uint32), 4096, (60, 64), 100, 1))


def designs(doubler):
    weights = WeightStream(np.zeros((0, 2), np.uint32), 1)
    return {
        "registers": doubler,
        "plain": dataclasses.replace(doubler, program=None, counters=None),
        "weights": dataclasses.replace(doubler, weights=weights),
        "memory": with_memory(doubler),
    }


@pytest.mark.parametrize("kind", ["registers", "plain", "weights", "memory"])
@pytest.mark.parametrize("board", PYNQ)
def test_the_script_builds_a_whole_design(doubler, tmp_path, board, kind):
    design = designs(doubler)[kind]
    write_overlay(design, board, tmp_path, clock_mhz=80)
    vivado = Vivado(tmp_path, FILES)
    vivado.run(tmp_path / "overlay.tcl")
    slaves = {"dma/S_AXI_LITE", "frames/S_AXI"}
    slaves |= {"design/s_axil"} if design.has_control else set()
    slaves |= {"weights_dma/S_AXI_LITE"} if kind == "weights" else set()
    assert {end for end in vivado.memory_map if not end.startswith("ps/")} == slaves
    port = "S_AXI_HP3" if vivado.cells["ps"].ip == "processing_system7" else "S_AXI_HP3_FPD"
    assert vivado.spaces.get("design/m_axi") == ([f"ps/{port}"] if kind == "memory" else None)
    assert vivado.nets.get("frames/gpio2_io_i") == ("/design/busy" if kind == "memory" else None)
    assert vivado.nets["design/frames"] == "/frames/gpio_io_o"
    assert vivado.links["resize_in/M_AXIS"] == "design/s_axis"
    assert vivado.links["design/m_axis"] == "resize_out/S_AXIS"
    assert [step for step in vivado.done if step.startswith("copy")] == ["copy overlay.bit", "copy overlay.hwh"]
    clock = "80.0" if "80.0" in str(vivado.cells["ps"].config.values()) else "80"
    assert clock in vivado.cells["ps"].config.values()


def check_refused(script, old, new, message):
    """The mock refuses a script in which `new` stands for `old`."""
    text = script.read_text()
    assert old in text
    script.write_text(text.replace(old, new))
    with pytest.raises(Refused, match=message):
        Vivado(script.parent, FILES).run(script)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("converter resize_in 8 1", "converter resize_in 8 2", "resize_in/M_AXIS has 16 bits, /design/s_axis 8"),
        ("design/s_axil] {", "] {", "design/s_axil is open"),
        ("[get_bd_intf_pins design/m_axis]", "[get_bd_intf_pins design/q]", "design has no interface q"),
        ("CONFIG.C_GPIO_WIDTH", "CONFIG.C_GPIO_BITS", "axi_gpio has no property C_GPIO_BITS"),
        ("PCW_USE_S_AXI_HP1 1", "PCW_USE_S_AXI_HP1 0", "ps/S_AXI_HP1 is off: PCW_USE_S_AXI_HP1"),
        (
            "connect_bd_net [get_bd_pins frames/gpio_io_o] [get_bd_pins design/frames]",
            "",
            "design/frames has no driver",
        ),
        ("assign_bd_address", "", "no slave has an address"),
        ("validate_bd_design", "validate_bd_design {", "missing close-brace"),
    ],
)
def test_the_mock_finds_what_vivado_would(doubler, tmp_path, old, new, message):
    write_overlay(doubler, "pynq-z2", tmp_path, clock_mhz=80)
    check_refused(tmp_path / "overlay.tcl", old, new, message)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("PCW_USE_S_AXI_HP3 1", "PCW_USE_S_AXI_HP3 0", "ps/S_AXI_HP3 is off: PCW_USE_S_AXI_HP3"),
        ("Master /design/m_axi", "Master /design/s_axil", "are no master and slave"),
        ("[get_bd_pins design/busy]", "[get_bd_pins design/frames]", "gpio2_io_i has 1 bits, /design/frames 32"),
        ("CONFIG.C_IS_DUAL 1", "CONFIG.C_IS_DUAL 0", "frames/gpio2_io_i is off: C_IS_DUAL"),
    ],
)
def test_the_mock_finds_faults_of_the_memory_port(doubler, tmp_path, old, new, message):
    write_overlay(with_memory(doubler), "pynq-z2", tmp_path, clock_mhz=80)
    check_refused(tmp_path / "overlay.tcl", old, new, message)


def test_the_mock_finds_open_and_misnamed_signals_of_the_memory_port(doubler, tmp_path):
    write_overlay(with_memory(doubler), "pynq-z2", tmp_path, clock_mhz=80)
    script, wrapper = tmp_path / "overlay.tcl", tmp_path / "sources" / "bitwright_overlay.v"
    text, source = script.read_text(), wrapper.read_text()
    line = next(line for line in text.splitlines() if "/design/m_axi" in line)
    script.write_text(text.replace(line, ""))
    with pytest.raises(Refused, match="design/m_axi is open"):
        Vivado(tmp_path, FILES).run(script)
    script.write_text(text)
    wrapper.write_text(source.replace("m_axi ARADDR", "m_axi AWADDR", 1))
    with pytest.raises(Refused, match="m_axi: its attributes say"):
        Vivado(tmp_path, FILES).run(script)


def test_missing_board_files_are_told(doubler, tmp_path):
    write_overlay(doubler, "kv260", tmp_path)
    with pytest.raises(Refused, match=r"no board files match .*kv260_som.*: install those of kv260"):
        Vivado(tmp_path, FILES[:1]).run(tmp_path / "overlay.tcl")
