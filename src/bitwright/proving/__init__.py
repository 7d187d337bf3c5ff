# SPDX-License-Identifier: Apache-2.0
"""Proofs that a design's netlist is its network: what synthesis made of each unit, and what each unit computes."""
