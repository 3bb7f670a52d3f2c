"""A commit rebuilt, and held against what it promises. Stands on core, arithmetic, pipeline and commits."""
