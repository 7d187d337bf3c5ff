# SPDX-License-Identifier: Apache-2.0
"""The embedded example: a 3-bit CNN for 8x8 digits, from QONNX to synthesized hardware."""

from bitwright.demo.run import DemoResult, files, run

__all__ = ["DemoResult", "files", "run"]
