"""Readers: ONNX, QONNX and QDQ files as float graphs, and quantized float graphs as integer networks."""

from bitwright.readers.export import to_onnx
from bitwright.readers.floatgraph import FloatGraph, FloatNode, QuantizedWeight, Quantizer
from bitwright.readers.onnx_reader import read, read_model

__all__ = ["FloatGraph", "FloatNode", "QuantizedWeight", "Quantizer", "read", "read_model", "to_onnx"]
