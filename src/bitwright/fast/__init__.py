# SPDX-License-Identifier: Apache-2.0
"""The fast evaluator: a network as an ONNX graph that ONNX Runtime computes, equal to `evaluate` bit for bit."""
