"""Stage `report`: all models side by side, and which is best. Run: dvc repro report."""

import bootstrap

from mnist_pipeline.core import paths
from mnist_pipeline.core.files import write_csv, write_json
from mnist_pipeline.results import leaderboard
from mnist_pipeline.results.plots import comparison, drawing

with bootstrap.stage():
    models = list(bootstrap.settings.models)
    table = leaderboard.read_metrics(models)
    best = leaderboard.best(table)
    write_json(paths.SUMMARY_METRICS, leaderboard.summary(table, best["model"]))
    write_json(paths.BEST, best)
    paths.LEADERBOARD.write_text(leaderboard.leaderboard(table, best["model"]), encoding="utf-8")
    write_csv(paths.CURVES, leaderboard.curves(models))
    drawing.save(comparison.draw(table), paths.COMPARISON)
