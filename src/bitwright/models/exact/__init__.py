# SPDX-License-Identifier: Apache-2.0
"""Exact arithmetic of elementwise functions and quantizers, on integers and reals."""
