# SPDX-License-Identifier: Apache-2.0
"""Where the hardware of a design first differs from its network."""
