# SPDX-License-Identifier: Apache-2.0
"""The circuit of a network: units, their folding, their streams."""
