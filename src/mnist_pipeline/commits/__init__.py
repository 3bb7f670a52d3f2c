"""A commit, tag, branch, experiment or the working tree to read. Stands on core, arithmetic, training and pipeline."""
