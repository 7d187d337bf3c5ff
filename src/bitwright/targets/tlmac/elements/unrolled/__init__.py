# SPDX-License-Identifier: Apache-2.0
"""The element `unrolled`: constant weights as a graph of shared sums, one result a cycle."""
