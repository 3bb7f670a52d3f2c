"""From the bytes of a source to tensors: download, the checks of the IDX format, the split, batches.

Stands on core.
"""
