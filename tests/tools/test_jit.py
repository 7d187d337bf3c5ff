"""Functions that are compiled at their first call."""

import subprocess
import sys

import numpy as np

from bitwright.jit import njit

SCALE = 3


@njit(cache=False)
def scaled(value: int) -> int:
    return SCALE * value


@njit(cache=False)
def total(values: np.ndarray) -> int:
    result = 0
    for value in values:
        result += scaled(value)
    return result


def outer(function):
    @njit(cache=False)
    def applied(value: int) -> int:
        return function(value) + 1

    return applied


def test_compiled_functions_call_each_other():
    """By a global name and out of a closure."""
    assert total(np.arange(5)) == 30
    assert outer(scaled)(4) == 13
    assert total.py_func.__name__ == total.__name__ == "total"


def test_importing_compiled_functions_loads_no_compiler():
    code = "import sys, bitwright.targets.rap.simulator.compiled as c; print('numba' in sys.modules, c.run.__name__)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.split() == ["False", "run"]


def test_what_commands_say_of_themselves_loads_neither_compiler_nor_solver():
    code = (
        "import sys; from bitwright.cli import main; main(['targets']);"
        "print([m for m in ('numba', 'scipy', 'onnx', 'onnxruntime', 'torch', 'joblib') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[-1] == "[]"
