"""Pages to look at offline: the report, `dvc plots`. Stands on core, data, results, pipeline, commits and compare."""
