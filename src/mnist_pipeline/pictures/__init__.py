"""From a photo to 28×28 pixels, and what a model says of them.

Stands on core, data, training and results.
"""
