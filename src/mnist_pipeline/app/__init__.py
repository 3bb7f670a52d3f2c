"""The page to draw digits on, answered by the registered models.

Stands on core, data, training, registry and pictures.
"""
