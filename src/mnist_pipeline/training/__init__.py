"""From tensors to a model on disk, and from a model to what it says of images.

Stands on core, arithmetic, data, networks and exact.
"""
