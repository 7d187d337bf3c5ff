# SPDX-License-Identifier: Apache-2.0
"""bitwright: from a trained neural network to verified FPGA logic.

    import bitwright as bw
    net = bw.load("model.onnx")                  # QONNX or QDQ: an integer Network at once
    net = bw.quantize("float.onnx", x)           # float ONNX and calibration data
    net = bw.finetune("float.onnx", x, weight_bits=3, activation_bits=3)     # trained as 3-bit integers
    y = net.predict(x)                           # floats in, floats out
    bw.evaluate(net, x, labels).accuracy         # of the integers
    bw.check(net), bw.compare(net)               # what each target refuses; what it would cost, estimated
    bw.search("float.onnx", x).chosen            # widths for every layer under a budget
    best = bw.fit("float.onnx", x, device="xc7z020").recommendation          # target, widths, hardware options
    design = bw.compile(net)                 # hardware; target="..." chooses the architecture
    design = bw.compile(net, goals=bw.Goals(fps=10_000, device="ultra96"))       # what is fast enough, and fits
    sim = bw.simulate(design, x)                 # .outputs .latency_cycles .interval_cycles .bit_exact
    bw.debug(design, x).first                    # the first layer whose values in simulation are not the network's
    bw.prove(design, x).units                    # of each: whether its netlist is its RTL, and that its operation
    syn = bw.synthesize(design, "xczu3eg")       # .lut .ff .bram36 .dsp
    bw.report(design, "build", simulation=sim, synthesis=syn)
    bw.deploy(design, "board", "ultra96")        # Vivado scripts, sources, driver

The functions are loaded on first use: importing the package costs nothing.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bitwright import devices, targets
    from bitwright.api import check, compile, load, quantize, save
    from bitwright.comparison import compare
    from bitwright.debugging.layers import debug
    from bitwright.deployment import deploy
    from bitwright.design.io import load_design, save_design
    from bitwright.errors import DataError, DeviceError, ModelError, OptionError, ToolError, UserError
    from bitwright.evaluation import evaluate
    from bitwright.explore.fit import fit
    from bitwright.explore.search import search
    from bitwright.fast.export import export
    from bitwright.limits import limit
    from bitwright.network import Network
    from bitwright.proving.units import prove
    from bitwright.quantization.options import QuantizeOptions
    from bitwright.reporting import report
    from bitwright.simulation import simulate
    from bitwright.synthesis import SynthesisOptions, synthesize
    from bitwright.targets.goals import Goals
    from bitwright.tools.model import DeadlockError, ProtocolError, SimulationError, Stalls, Waveform
    from bitwright.training import finetune

    __version__: str

__all__ = [
    "DataError",
    "DeadlockError",
    "DeviceError",
    "Goals",
    "ModelError",
    "Network",
    "OptionError",
    "ProtocolError",
    "QuantizeOptions",
    "SimulationError",
    "Stalls",
    "SynthesisOptions",
    "ToolError",
    "UserError",
    "Waveform",
    "check",
    "compare",
    "compile",
    "debug",
    "deploy",
    "devices",
    "evaluate",
    "export",
    "finetune",
    "fit",
    "limit",
    "load",
    "load_design",
    "prove",
    "quantize",
    "report",
    "save",
    "save_design",
    "search",
    "simulate",
    "synthesize",
    "targets",
]

_HOMES = {
    "DataError": "errors",
    "DeadlockError": "tools.model",
    "DeviceError": "errors",
    "Goals": "targets.goals",
    "ModelError": "errors",
    "Network": "network",
    "OptionError": "errors",
    "ProtocolError": "tools.model",
    "QuantizeOptions": "quantization.options",
    "SimulationError": "tools.model",
    "Stalls": "tools.model",
    "SynthesisOptions": "synthesis",
    "ToolError": "errors",
    "UserError": "errors",
    "Waveform": "tools.model",
    "check": "api",
    "compare": "comparison",
    "compile": "api",
    "debug": "debugging.layers",
    "deploy": "deployment",
    "evaluate": "evaluation",
    "export": "fast.export",
    "finetune": "training",
    "fit": "explore.fit.run",
    "limit": "limits",
    "load": "api",
    "load_design": "design.io",
    "prove": "proving.units",
    "quantize": "api",
    "report": "reporting",
    "save": "api",
    "save_design": "design.io",
    "search": "explore.search",
    "simulate": "simulation",
    "synthesize": "synthesis",
}


_MODULES = ("devices", "targets")


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version  # takes longer than all else

        return version("bitwright")
    if name in _MODULES:
        return import_module(f"bitwright.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'bitwright' has no attribute {name!r}")
    found = getattr(import_module(f"bitwright.{_HOMES[name]}"), name)
    setattr(sys.modules[__name__], name, found)
    return found


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
