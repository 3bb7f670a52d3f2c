"""From tensors to a model on disk, and from it to predictions. Stands on core, arithmetic, data, networks, exact."""
