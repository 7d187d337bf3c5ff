"""Constants of cost models: fitted by a command, from modules that are kept beside them."""

import dataclasses
from importlib import import_module

import numpy as np
import pytest

from bitwright.errors import ToolError
from bitwright.hardware import calibration
from bitwright.hardware.calibration import KINDS, Constants, Sample
from bitwright.hardware.resources import Resources
from bitwright.targets.bitsys.model import cost as bitsys_cost
from bitwright.targets.rap import cost as rap_cost
from bitwright.tools import yosys
from bitwright.tools.calibration import measure

FILES = {"bitsys": bitsys_cost.CONSTANTS, "rap": rap_cost.CONSTANTS}
FIT = 0.03  # largest error of a module's LUTs, registers and DSP blocks that the constants were fitted to
QUICK = {
    "bitsys": ("array of 2 x 8 container units", "array of 2 x 8 fixed units"),
    "rap": ("element, DSP", "element, LUT"),
}


def test_constants_of_linear_modules_are_found_exactly():
    truth = Constants(
        {"element": Resources(lut=90.25, ff=180, dsp=1), "row": Resources(lut=40), "core": Resources(900)}
    )
    known = Resources(lut=12, bram36=3.5)
    sizes = [(1, 1), (2, 1), (2, 2), (4, 2)]
    samples = []
    for elements, rows in sizes:
        counts = {"element": elements, "row": rows, "core": 1}
        samples.append(Sample(f"{elements}, {rows}", counts, known, truth.cost(counts) + known))
    found = calibration.fit(samples)
    assert found == truth
    assert all(error == pytest.approx(0) for sample in samples for error in found.error(sample).values())


def test_modules_that_leave_a_constant_open_are_refused():
    row = Sample("one", {"element": 2, "row": 2}, Resources(), Resources(lut=10))
    with pytest.raises(ValueError, match="2 modules do not settle 2 constants: element, row"):
        calibration.fit([row, dataclasses.replace(row, counts={"element": 4, "row": 4})])


def test_a_file_holds_what_it_was_made_from(tmp_path):
    blocks = {n: Resources(bram36=n / 2) for n in (1, 2)}
    samples = [
        Sample(f"{n} rows", {"row": n, "core": 1}, known, known + Resources(5 * n + 70, 3 * n))
        for n, known in blocks.items()
    ]
    path = tmp_path / "cost.toml"
    path.write_text(calibration.text(samples, "python -m x.calibrate", "Yosys 0.70", "a part"))
    assert list(calibration.load_samples(path)) == samples
    assert calibration.load(path).values == {"row": Resources(5, 3), "core": Resources(70)}
    assert "# Written by `python -m x.calibrate`." in path.read_text()


@pytest.mark.parametrize("target", FILES)
def test_constants_are_those_of_the_modules_beside_them(target):
    """They were written by the command, not by hand, for the modules that it synthesizes today."""
    samples, constants = calibration.load_samples(FILES[target]), calibration.load(FILES[target])
    assert calibration.fit(samples) == constants
    points = import_module(f"bitwright.targets.{target}.calibrate").points()
    assert [(p.name, p.counts, p.known) for p in points] == [(s.name, s.counts, s.known) for s in samples]
    for sample in samples:
        for kind in ("lut", "ff", "bram36", "dsp"):
            assert abs(constants.error(sample).get(kind, 0)) <= FIT, (sample.name, kind)


@pytest.mark.slow
@pytest.mark.parametrize(("target", "name"), [(target, name) for target, names in QUICK.items() for name in names])
def test_synthesis_gives_what_the_file_says(target, name):
    """Within the error of the fit, for the tool of today."""
    point = next(p for p in import_module(f"bitwright.targets.{target}.calibrate").points() if p.name == name)
    measured = measure(point).measured
    estimate = calibration.load(FILES[target]).cost(point.counts) + point.known
    for kind in KINDS:
        assert getattr(estimate, kind) == pytest.approx(getattr(measured, kind), rel=FIT, abs=3), kind


def test_parameters_of_a_module_are_plain():
    script = yosys.Synthesis("xcup", "fifo", parameters=(("Width", 4), ("Wide", True))).script(["fifo.sv"])
    assert "; hierarchy -top fifo -chparam Width 4 -chparam Wide 1; " in script
    with pytest.raises(ToolError, match="cannot be named in a script"):
        yosys.Synthesis("xcup", "fifo", parameters=(("Width 4; shell", 4),)).script(["fifo.sv"])


def test_what_counts_zero_times_needs_no_constant():
    assert Constants({}).cost({"planes": 0}) == Resources()
    assert Constants({"row": Resources(2)}).cost({"row": np.int64(3), "planes": 0}) == Resources(6)
