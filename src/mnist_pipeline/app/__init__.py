"""The page to draw digits on, answered by registered models. Stands on core, data, training, registry and pictures."""
