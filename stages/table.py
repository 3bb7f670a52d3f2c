"""Stage `table` of a study: what write-ups report beside what their recipes gave here. Run: dvc repro table."""

import bootstrap

from mnist_pipeline import params, paths, reporting, study
from mnist_pipeline.files import write_csv


def main() -> None:
    models = list(params.load().models)
    table = study.table(models)
    write_csv(paths.STUDY_TABLE.with_suffix(".csv"), table)
    paths.STUDY_TABLE.with_suffix(".md").write_text(study.markdown(table), encoding="utf-8")
    write_csv(paths.STUDY_EPOCHS, reporting.curves(models))


if __name__ == "__main__":
    bootstrap.run(main)
