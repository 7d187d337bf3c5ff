"""The designs that are kept are what the targets write, byte for byte; their texts say what is loaded."""

import golden
import numpy as np
import pytest

from bitwright import api, targets
from bitwright.targets.bitsys.registers import address_of, decode, encode
from bitwright.targets.rap.isa.assembler import assemble


@pytest.mark.parametrize("target", targets.names())
def test_golden_designs_are_what_is_written(target):
    """`python tests/support/golden.py` renews them where a change is meant."""
    kept = {path.name: path.read_text() for path in (golden.FOLDER / target).iterdir()}
    made = golden.files(target)
    assert sorted(kept) == sorted(made)
    assert [name for name in kept if kept[name] != made[name]] == []


def test_no_golden_design_is_left_over():
    assert sorted(path.name for path in golden.FOLDER.iterdir()) == sorted(targets.names())


def test_the_listing_of_a_program_assembles_to_it():
    plan = api.accepted_plan(golden.network(), "rap", golden.OPTIONS["rap"])
    program = plan.code.program
    found = assemble((golden.FOLDER / "rap" / "program.asm").read_text(), plan.options.machine)
    np.testing.assert_array_equal(found.code, program.code)
    np.testing.assert_array_equal(found.params, program.params)
    for kind in ("a", "b"):
        banks = [{}, {}]
        for bank, made in zip(banks, (program, found), strict=True):
            for number, parts in getattr(made, kind).items():
                words = {first + i: int(word) for first, values in parts for i, word in enumerate(values)}
                bank[number] = words
        assert banks[0] == banks[1]


def test_descriptors_are_read_back_as_they_were_written():
    plan = api.accepted_plan(golden.network(), "bitsys", {})
    for layer in plan.program.layers:
        words = dict(enumerate(encode("layer", layer.fields)))
        assert {name: value for name, value in decode("layer", words).items() if value} == {
            name: value for name, value in layer.fields.items() if value
        }
    regions = [address_of(int(at))[0] for at, _ in targets.get("bitsys").emit(plan).program]
    assert list(dict.fromkeys(regions)) == ["control", "inputs", "outputs", "layers", "parameters", "tables", "weights"]


def test_no_module_renames_a_signal():
    """Between the modules of a circuit there are no wires that only have another name."""
    aliases = [
        line
        for name, text in golden.files("tlmac").items()
        for line in text.splitlines()
        if line.strip().startswith("assign ") and line.split("=")[1].strip(" ;").isidentifier()
    ]
    assert aliases == []
