# SPDX-License-Identifier: Apache-2.0
"""Design-space exploration: the search for the widths of every layer under a budget."""
