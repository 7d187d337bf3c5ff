"""Logic, memory and timing of the grid: synthesis against the estimate, and place and route for the ECP5.

The hardware does not depend on the network or on `lane_bits`, so a small network stands for all.
"""

from __future__ import annotations

from bitwright.errors import DeviceError, ToolError
from bitwright.hardware.resources import Resources
from bitwright.network import INPUT, InputSpec, IntType, Network, Node, TensorType, ops
from bitwright.synthesis import SynthesisOptions, synthesize
from bitwright.targets import get
from bitwright.targets.contract import Design
from bitwright.targets.rap.cost import resources

TARGET = get("rap")
PART, ECP5 = "xczu3eg", "ecp5-85k"
MIDDLE = {"a_words": 8192, "b_words": 16384}  # the most that fits the block RAM of the ECP5
GRIDS = {
    "4x4": {},
    "4x4 torus": {"torus": True, **MIDDLE, "param_words": 2048},
    "2x2": {"size": 2},
    "8x8": {"size": 8, **MIDDLE},
}
BOTH_WAYS = ("4x4", "2x2")  # with DSP blocks and without
FITTED = (("4x4", True), ("2x2", True), ("2x2", False))  # of the cost model's calibration; the others are predictions
TIMED = {"2x2": {"size": 2, **MIDDLE}, "4x4": MIDDLE}
CLOCK_MHZ = 50  # what place and route aims at
LIMIT = 0.10


def design(options: dict) -> Design:
    """The processor with these options and stream words of 32 bits."""
    copy = Node("copy", ops.Requantize(IntType(8)), (INPUT,))
    network = Network(InputSpec(TensorType((4, 4, 4), IntType(8))), (copy,))
    return TARGET.emit(TARGET.plan(network, TARGET.options(**options)))


def measure_synthesis(grids: list[str]) -> dict:
    """Every grid with DSP blocks, some without, too: synthesized, estimated, whether it fits."""
    found = {}
    for name in grids:
        made = design(GRIDS[name])
        machine = TARGET.options(**GRIDS[name]).machine
        for dsp in (True, False) if name in BOTH_WAYS else (True,):
            result = synthesize(made, PART, options=SynthesisOptions(dsp=dsp), check_fit=False)
            estimate = resources(machine, dsp=dsp)
            errors = relative_errors(estimate, result.total)
            found[f"{name}, {'with' if dsp else 'without'} DSP"] = {
                "options": GRIDS[name],
                "synthesized": vars(result.total),
                "estimate": vars(estimate),
                "error": errors,
                "fitted": (name, dsp) in FITTED,
                "within_10_percent": all(abs(e) <= LIMIT for e in errors.values()),
                "fits": result.fits,
                "tools": result.tools,
            }
            print(name, dsp, vars(result.total), errors, flush=True)
    return found


def relative_errors(estimate: Resources, measured: Resources) -> dict[str, float]:
    """Estimate over measurement less 1, of LUT, FF, DSP and BRAM; carry cells are no resource of their own."""
    pairs = {k: (getattr(estimate, k), getattr(measured, k)) for k in ("lut", "ff", "dsp", "bram36")}
    return {k: a / b - 1 if b else float(a > 0) for k, (a, b) in pairs.items()}


def measure_timing(grids: list[str]) -> dict:
    """Place and route on the ECP5: Fmax, or why there is none."""
    found = {}
    for name in grids:
        options = TIMED[name]
        try:
            result = synthesize(design(options), ECP5, clock_mhz=CLOCK_MHZ)
        except (DeviceError, ToolError) as error:
            found[name] = {"part": ECP5, "options": options, "failed": str(error)}
        else:
            found[name] = {
                "part": ECP5,
                "options": options,
                "fmax_mhz": result.fmax_mhz,
                "placed": vars(result.total),
                "tools": result.tools,
            }
        print(name, found[name], flush=True)
    return found
