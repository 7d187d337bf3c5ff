# SPDX-License-Identifier: Apache-2.0
"""Ranges and scales of values from calibration data."""
