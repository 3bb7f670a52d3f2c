"""Exact arithmetic: bits that no processor, library, device or thread can change (docs/exact.md). Stands on core."""
