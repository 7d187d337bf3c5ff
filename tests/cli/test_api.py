"""The package's own names."""

import subprocess
import sys

import pytest

import bitwright as bw


def test_every_public_name_is_there_and_documented():
    assert sorted(bw.__all__) == bw.__all__
    for name in bw.__all__:
        assert callable(getattr(bw, name))
        assert getattr(bw, name).__doc__


def test_functions_stay_functions_when_their_modules_are_imported():
    code = (
        "import bitwright as bw, bitwright.simulation, bitwright.quantization.ptq, bitwright.reporting\n"
        "import bitwright.synthesis\n"
        "assert all(callable(getattr(bw, n)) for n in bw.__all__)\n"
        "from bitwright.simulation import SimulationResult\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_importing_the_package_loads_nothing_heavy():
    code = "import bitwright, sys; print([m for m in ('numpy', 'onnx', 'onnxruntime', 'numba') if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"


def test_an_unknown_name():
    with pytest.raises(AttributeError, match="no attribute 'optimise'"):
        bw.optimise  # noqa: B018
