# SPDX-License-Identifier: Apache-2.0
"""Grids and rounding of weights."""
