"""Ranges and scales of values from calibration data."""
