"""The float graph of a quantized model to an integer network."""
