"""DVC's graph, its independent stages side by side; the only room that imports dvc. Stands on core and arithmetic."""
