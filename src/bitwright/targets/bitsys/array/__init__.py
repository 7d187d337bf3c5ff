# SPDX-License-Identifier: Apache-2.0
"""Layers of the array: their lines of weights, and depthwise ones."""
