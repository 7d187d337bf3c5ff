"""The cycle-exact simulator of the instruction set."""
