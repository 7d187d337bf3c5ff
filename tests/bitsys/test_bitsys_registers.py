"""One description of registers and descriptors; hardware configurations and options."""

import json
from pathlib import Path

import pytest

import bitwright.targets.bitsys
from bitwright.errors import OptionError
from bitwright.targets.bitsys import hardware, registers
from bitwright.targets.bitsys.model import cost
from bitwright.targets.bitsys.options import BitsysOptions

FOLDER = Path(bitwright.targets.bitsys.__file__).parent
RESULTS = Path(__file__).parents[2] / "benchmarks/bitsys/results.json"


def test_header_and_documentation_come_from_the_description():
    assert (FOLDER / "rtl/bitsys_registers.svh").read_text() == registers.header()
    assert registers.tables() in (Path(__file__).parents[2] / "docs/targets/bitsys.md").read_text()


def test_fields_do_not_overlap():
    taken = set()
    for f in registers.fields("layer").values():
        bits = {(f.word, f.low + k) for k in range(f.bits)}
        assert not bits & taken
        assert f.low + f.bits <= 32
        assert f.word < registers.LAYER_WORDS
        taken |= bits


def test_encode_layer():
    words = registers.encode("layer", {"vector": 1, "table_bits": 5, "step_y": -3, "clamp_low": -128})
    assert (words[0], words[4], words[25]) == (1 | 5 << 8, (1 << 20) - 3, 0xFFFFFF80)
    with pytest.raises(ValueError, match="out_w = 4096 does not fit 12 bits"):
        registers.encode("layer", {"out_w": 4096})


def test_illegal_hardware(tmp_path):
    text = (FOLDER / "presets/small.toml").read_text()
    for old, new, message in (
        ("rows = 8", "rows = 7", "rows is 7; legal are even numbers, 2 to 64"),
        ("columns = 8", "columns = 12", "columns is 12; legal are powers of two, 8 to 64"),
        ('"container"', '"binary"', "unit is 'binary'; legal are container, bitplane, fixed, dsp"),
        ("layers = 32\n", "", "fields layers are missing or unknown"),
        ("multiplier_bits = 25", "multiplier_bits = 40", "multiplier_bits is 40; legal are 2 to 32"),
    ):
        path = tmp_path / "x.toml"
        path.write_text(text.replace(old, new))
        with pytest.raises(OptionError, match=message):
            hardware.load(str(path))
    with pytest.raises(OptionError, match="neither a preset"):
        BitsysOptions(hardware="zcu102")
    with pytest.raises(OptionError, match="batch is 256; legal are 0 to 255"):
        BitsysOptions(batch=256)


def test_presets_and_their_cost():
    """Every preset is legal; the estimates hold within a twentieth of what Yosys measured."""
    for path in (FOLDER / "presets").glob("*.toml"):
        hardware.load(path.stem)
    measured = json.loads(RESULTS.read_text())["presets"]
    for preset in ("ultra96", "ultra96_planes"):
        found = cost.resources(hardware.load(preset))
        for resource in ("lut", "ff", "bram36", "dsp"):
            assert abs(getattr(found, resource) / measured[preset][resource] - 1) < 0.05, (preset, resource)
