"""The circuit of a network: units, their folding, their streams."""
