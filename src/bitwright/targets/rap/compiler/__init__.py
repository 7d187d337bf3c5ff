"""From a network to a program: mapping, storage, code."""
