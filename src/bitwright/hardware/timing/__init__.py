# SPDX-License-Identifier: Apache-2.0
"""Static timing analysis of netlists that Yosys maps: estimated clocks and the slowest paths, for every family."""

from bitwright.hardware.timing.analysis import WORST, Arrivals, Range, Timing, analyze
from bitwright.hardware.timing.netlist import Netlist, flatten, read_modules
from bitwright.hardware.timing.paths import Point, TimingPath
from bitwright.hardware.timing.routed import routed_path

__all__ = [
    "WORST",
    "Arrivals",
    "Netlist",
    "Point",
    "Range",
    "Timing",
    "TimingPath",
    "analyze",
    "flatten",
    "read_modules",
    "routed_path",
]
