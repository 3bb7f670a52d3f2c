"""Plots: data in, a matplotlib Figure out. Nothing here reads a file or knows a path except `drawing.save`."""
