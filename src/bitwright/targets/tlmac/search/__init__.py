"""The choice of foldings, elements and FIFOs for a goal."""
