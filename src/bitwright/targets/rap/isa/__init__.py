"""The instruction set: fields, machine, assembler, and the constants of the pipeline."""
