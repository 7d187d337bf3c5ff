"""Constant matrices as da4ml and alkaid emit them, each through its own solver, tracer and Verilog generator.

Neither is a dependency: `pip install bitwright[compare]` brings both.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

TOOLS = ("da4ml", "alkaid")
# What is tried, the best result counts. "default": the solver searches every decomposition by itself (hard_dc = -1);
# "ternary": after that, alkaid's fusion of adders in threes.
SETTINGS = {"da4ml": ("default",), "alkaid": ("default", "ternary")}


@dataclass(frozen=True)
class Emitted:
    """A combinational module `core` (model_inp, model_out) and the files that it needs.

    Element k of either port has `in_bits[k]` or `out_bits[k]` bits, the first in the lowest bits;
    result k is its word, signed where `out_signed[k]`, times 2**out_shift[k].
    """

    files: dict[str, str]
    in_bits: tuple[int, ...]
    out_bits: tuple[int, ...]
    out_signed: tuple[bool, ...]
    out_shift: tuple[int, ...]
    adders: int
    seconds: float = 0.0


def available(tool: str) -> bool:
    """Whether the package can be imported."""
    return importlib.util.find_spec(tool) is not None


def emit(tool: str, setting: str, weights: np.ndarray, low: int, high: int) -> Emitted:
    """The matrix [inputs, sums] for inputs within [low, high]; every sum is checked on random inputs."""
    shape = np.ones(len(weights))
    ends = (low * shape, high * shape, shape)
    package = importlib.import_module(tool)
    trace = importlib.import_module(f"{tool}.trace")
    verilog = importlib.import_module(f"{tool}.codegen.rtl.verilog")
    if tool == "da4ml":
        x = trace.FixedVariableArray.from_lhs(*ends, solver_options={})
        logic = trace.comb_trace(x, x @ weights.astype(np.float64))
    else:
        x = trace.FVArray.from_lhs(*ends, solver_options={})
        logic = trace.trace(x, x @ weights.astype(np.float64))
        if setting == "ternary":
            logic = importlib.import_module("alkaid.trace.passes").fuse_ternary_adders(logic)
    _check(logic, weights, low, high)
    sources = Path(package.__file__).parent / "codegen/rtl/verilog/source"
    files = {path.name: path.read_text() for path in sorted(sources.glob("*.v"))}
    files["core.v"] = verilog.comb_logic_gen(logic, "core")
    ins, outs = (_kifs(tool, package, logic, side) for side in ("inp", "out"))
    return Emitted(
        files,
        tuple(sum(kif) for kif in ins),
        tuple(sum(kif) for kif in outs),
        tuple(bool(k) for k, _, _ in outs),
        tuple(-f for _, _, f in outs),
        sum(op.opcode in (0, 1) for op in logic.ops),
    )


def _kifs(tool: str, package, logic, side: str) -> list[tuple[int, int, int]]:
    """(sign bit, integer bits, fractional bits) of every input or output."""
    if tool == "da4ml":
        types = importlib.import_module("da4ml.types")
        return [tuple(map(int, types.minimal_kif(q))) for q in getattr(logic, f"{side}_qint")]
    return [tuple(map(int, kif)) for kif in np.array(getattr(logic, f"{side}_kifs")).T]


def _check(logic, weights: np.ndarray, low: int, high: int) -> None:
    x = np.random.default_rng(0).integers(low, high + 1, (64, len(weights)))
    got = np.asarray(logic.predict(x.astype(np.float64)))
    if not np.array_equal(got, x @ weights):
        raise AssertionError("the emitted logic does not compute the matrix")
