# SPDX-License-Identifier: Apache-2.0
"""Post-training quantization: from float graphs and calibration data to integer networks."""
