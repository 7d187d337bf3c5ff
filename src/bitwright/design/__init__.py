"""A design on disk and on its streams: build folders, their checks, packed words."""
