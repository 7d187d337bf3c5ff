# SPDX-License-Identifier: Apache-2.0
"""The instruction set: fields, machine, assembler, and the constants of the pipeline."""
