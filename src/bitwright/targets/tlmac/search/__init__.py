# SPDX-License-Identifier: Apache-2.0
"""The choice of foldings, elements and FIFOs for a goal."""
