"""A reproducible MNIST pipeline: the library that the stages call."""
