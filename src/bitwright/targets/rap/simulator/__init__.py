# SPDX-License-Identifier: Apache-2.0
"""The cycle-exact simulator of the instruction set."""
