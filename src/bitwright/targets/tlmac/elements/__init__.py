"""The multiply-accumulate elements: how constant weights become lookups."""
