# SPDX-License-Identifier: Apache-2.0
"""ONNX files to the float graph."""
