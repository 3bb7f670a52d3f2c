"""Exact arithmetic: a training's bits that no processor, vendor, library, device or number of threads can change.

Why they cannot, and what that costs: docs/exact.md. Stands on core.
"""
