# SPDX-License-Identifier: Apache-2.0
"""The best design for a part: target, widths of every layer, hardware options and folding, chosen together."""

from bitwright.explore.fit.options import FitOptions
from bitwright.explore.fit.result import FitPoint, FitResult
from bitwright.explore.fit.run import fit

__all__ = ["FitOptions", "FitPoint", "FitResult", "fit"]
