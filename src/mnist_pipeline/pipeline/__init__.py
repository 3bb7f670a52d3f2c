"""DVC's graph, its independent stages side by side. The only room that imports dvc.

Stands on core.
"""
