"""Post-training quantization: from float graphs and calibration data to integer networks."""
