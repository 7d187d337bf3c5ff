# SPDX-License-Identifier: Apache-2.0
"""What all targets build hardware with: resources, memories, Verilog text, the module library."""
