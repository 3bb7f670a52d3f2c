"""Pages to look at without a network: the report, and those of `dvc plots`.

Stands on core, data, results, pipeline, commits and compare.
"""
