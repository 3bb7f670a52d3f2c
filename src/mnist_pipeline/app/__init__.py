"""The page to draw digits on, answered by registered models.

Stands on core, data, training, inference, registry and pictures.
"""
