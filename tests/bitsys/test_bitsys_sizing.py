"""Arrays of a size that suits a part, and arrays of any even number of rows."""

import importlib.util
import re
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from bitwright import cli
from bitwright.devices import DEVICES, find_device
from bitwright.errors import OptionError
from bitwright.targets import get
from bitwright.targets.bitsys import hardware
from bitwright.targets.bitsys.model import cost
from bitwright.tools.model import Stalls

HERE = Path(__file__).parent
SPEC = importlib.util.spec_from_file_location("accelerator_networks", HERE / "test_bitsys_accelerator.py")
networks = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(networks)
TARGET = get("bitsys")
PARTS = ("xczu3eg", "xck26", "xc7z020", "ecp5-85k")


@pytest.mark.parametrize(
    ("part", "unit"), [*product(PARTS, ("container", "bitplane")), ("xczu3eg", "dsp"), ("xck26", "dsp")]
)
@pytest.mark.parametrize("fill", [0.6, 0.8])
def test_an_array_fills_a_part(part, unit, fill, tmp_path):
    """Nothing above the share; another two rows, or the file that is written, pass it or are the same."""
    device = find_device(part)
    found = TARGET.sized(device, fill, [f"unit={unit}", "m_axi=64"])
    assert 0.8 * fill < max(found.utilization.values()) <= fill
    path = tmp_path / "chosen.toml"
    path.write_text(found.text)
    chosen = hardware.load(str(path))
    assert cost.resources(chosen) == found.resources
    assert (chosen.unit, chosen.m_axi, chosen.weight_stream) == (unit, 64, False)
    assert TARGET.options(hardware=str(path))
    assert TARGET.sized(device, fill, [f"unit={unit}", "m_axi=64"]) == found


def test_what_is_given_stays():
    found = TARGET.sized(find_device("xczu3eg"), 0.8, ["rows=6", "columns=32", "act_words=4096", "layers=64"])
    assert {name: found.sizes[name] for name in ("rows", "columns", "act_words", "layers")} == {
        "rows": 6,
        "columns": 32,
        "act_words": 4096,
        "layers": 64,
    }
    assert found.sizes["weight_stream"]
    assert found.sizes["m_axi"] == 0


def test_a_larger_part_has_a_larger_array():
    sizes = []
    for device in sorted((d for d in DEVICES.values() if d.family == "xcup"), key=lambda d: d.lut):
        found = TARGET.sized(device, 0.8, []).sizes
        sizes.append(found["rows"] * found["columns"])
    assert sizes == sorted(sizes)


@pytest.mark.parametrize(
    ("part", "fill", "given", "message"),
    [
        ("xczu3eg", 0.0, [], "fill is 0; legal is more than 0, up to 1"),
        ("xczu3eg", float("nan"), [], "fill is nan"),
        ("xczu3eg", 0.8, ["name=x"], "has the name of its file"),
        ("xczu3eg", 0.8, ["rows=7"], "rows is 7; legal are even numbers, 2 to 64"),
        ("xczu3eg", 0.8, ["rows=x"], "rows"),
        ("xczu3eg", 0.8, ["size=7"], "hardware of target bitsys has no option 'size'; legal are name, unit, rows"),
        ("xczu3eg", 0.8, ["m_axi=64", "weight_stream=true"], "legal is one of them"),
        ("xczu3eg", 0.8, ["weight_lines=524288"], "weight_lines is 524288; legal are at most"),
        (
            "ecp5-85k",
            0.8,
            ["unit=dsp"],
            "multiplies 18 bits, two products need 25; legal units are container, bitplane",
        ),
        ("gw1nr-9c", 0.8, [], r"gw1nr-9c is too small: the least array of container units takes \d+% of its lut"),
        ("xczu3eg", 0.8, ["rows=64", "columns=64"], "xczu3eg is too small"),
    ],
)
def test_what_is_illegal_is_told_in_a_line(part, fill, given, message):
    with pytest.raises(OptionError, match=message) as caught:
        TARGET.sized(find_device(part), fill, given)
    assert "\n" not in str(caught.value)


def test_the_command(tmp_path, capsys):
    path = tmp_path / "made.toml"
    assert cli.main(["targets", "--fit", "bitsys", "--device", "kv260", "-o", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "for xck26" in shown
    assert f"-O hardware={path}" in shown
    assert "# bitwright targets --fit bitsys --device xck26 --fill 0.8" in path.read_text()
    assert hardware.load(str(path)).rows >= 16
    for arguments, message in (
        (["--fit", "tlmac", "--device", "xck26"], "target tlmac has no hardware of any size; --fit takes bitsys"),
        (["--fit", "bitsys"], "--fit needs a part"),
        (["--device", "xck26", "-o", "x"], "--device, --output without --fit"),
        (["--fit", "bitsys", "--device", "xyz"], "unknown device 'xyz'"),
        (["--fit", "bits", "--device", "xck26"], "bits"),
        (["--fit", "bitsys", "--device", "xck26", "-o", str(tmp_path / "no" / "x.toml")], "No such file"),
    ):
        assert cli.main(["targets", *arguments]) == 2
        captured = capsys.readouterr()
        assert captured.err.count("\n") == 1
        assert message in captured.err


@pytest.mark.parametrize("unit", ["container_six", "bitplane_ten"])
@pytest.mark.parametrize("make", [networks.residual, networks.dense, networks.depthwise])
def test_rows_that_are_no_power_of_two(make, unit, bitsys_cache):
    """Bit-exact under pauses, too; the cycles of the model."""
    net = make(np.random.default_rng(21))
    plan, result = networks.run(net, unit, bitsys_cache)
    assert result.bit_exact, result.first_mismatch()
    layers, batches = plan.estimate.layers, result.counters["batches"]
    assert result.counters["cycles_busy"] == batches * sum(layer.details["cycles_batch"] for layer in layers)
    _, paused = networks.run(net, unit, bitsys_cache, frames=9, stalls=Stalls(3, 0.4, 0.4))
    assert paused.bit_exact, paused.first_mismatch()


def test_presets_of_whole_parts_fill_them():
    """Their first comment is the command that chose them, from which their fields come."""
    chosen = {}
    for name in hardware.presets():
        text = (hardware.PRESETS / f"{name}.toml").read_text()
        command = re.search(r"^# bitwright targets --fit bitsys --device (\S+) --fill (\S+) (.*)$", text, re.M)
        if command is None:
            continue
        chosen[name] = find_device(command[1])
        found = hardware.load(name)
        used = chosen[name].estimated_utilization(cost.resources(found))
        assert 0.75 <= max(used.values()) <= 0.88, name
        given = [word for word in command[3].split(" ") if word != "-O"]
        assert all(f"{key} = {value}" in text.replace('"', "") for key, value in (word.split("=") for word in given))
    assert chosen
