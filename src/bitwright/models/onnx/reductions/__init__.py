# SPDX-License-Identifier: Apache-2.0
"""Readers of what makes one number of several: pools, and reductions of axes."""
