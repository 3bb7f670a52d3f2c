"""Stage `report`: all models side by side, and which is best. Run: dvc repro report."""

import bootstrap

from mnist_pipeline import figures, params, paths, reporting
from mnist_pipeline.files import write_csv, write_json


def main() -> None:
    models = list(params.load().models)
    table = reporting.read_metrics(models)
    best = reporting.best(table)
    write_json(paths.SUMMARY_METRICS, reporting.summary(table, best["model"]))
    write_json(paths.BEST, best)
    paths.LEADERBOARD.write_text(reporting.leaderboard(table, best["model"]), encoding="utf-8")
    write_csv(paths.CURVES, reporting.curves(models))
    figures.save(figures.comparison(table), paths.COMPARISON)


if __name__ == "__main__":
    bootstrap.run(main)
