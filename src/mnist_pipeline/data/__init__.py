"""From the bytes of a source to tensors: download, checks of the IDX format, split, batches. Stands on core."""
