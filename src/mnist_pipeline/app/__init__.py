"""The page to draw digits on, answered by the registered models.

Stands on core, training, registry and pictures.
"""
