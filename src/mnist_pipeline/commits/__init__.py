"""A state of the project to read from: a commit, tag, branch or experiment, or the working tree.

Stands on core, arithmetic, training and pipeline.
"""
