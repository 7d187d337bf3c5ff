"""Grids and rounding of weights."""
