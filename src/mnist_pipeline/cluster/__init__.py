"""Stages on the machines of a Ray cluster. Ray places, starts and cancels; DVC decides, hashes and books, as ever.

Stands on core, arithmetic and pipeline. Alone imports ray, and only when a cluster is asked for.
"""
