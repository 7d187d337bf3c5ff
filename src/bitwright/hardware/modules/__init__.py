# SPDX-License-Identifier: Apache-2.0
"""One hardware module each: `x.sv`, and where it has parameters, `x.py` with its memories, latency and cost."""
