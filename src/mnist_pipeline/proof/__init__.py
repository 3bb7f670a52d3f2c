"""A commit rebuilt, and what came out held against what it promises.

Stands on core, arithmetic, pipeline and commits.
"""
