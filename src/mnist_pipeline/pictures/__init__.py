"""From a photo to 28×28 pixels, and what a model says of them.

Each module hands on to the next: decoder, regions, search, normalisation, recognition, explanation; `measures` is
below. Stands on core, data, training and results.
"""
