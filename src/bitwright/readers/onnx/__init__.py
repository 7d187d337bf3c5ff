"""ONNX files to the float graph."""
