# SPDX-License-Identifier: Apache-2.0
"""What a program costs: cycles of its layers, times of its batches, resources of the hardware."""
