"""All models side by side: leaderboard, curves, and the choice of the best."""

from typing import Any

import pandas as pd

from mnist_pipeline.core import paths
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.files import read_json
from mnist_pipeline.results import leftovers
from mnist_pipeline.training import history

HEAD = "| model | test accuracy | 95 % interval | test errors | validation accuracy | calibration | parameters |"
ROW = (
    "| {model} | {of[test_accuracy]:.2%} | {of[test_accuracy_low]:.2%} – {of[test_accuracy_high]:.2%} | "
    "{of[test_errors]:.0f} | {of[validation_accuracy]:.2%} | {of[calibration_error]:.4f} | {of[parameters]:,.0f} |"
)


def read_metrics(models: list[str]) -> pd.DataFrame:
    """The metrics of these models, a row each, in this order. Raises PipelineError for leftovers."""
    leftovers.check(models)
    rows = {model: read_json(paths.metrics(model)) for model in models}
    return pd.DataFrame.from_dict(rows, orient="index")


def best(table: pd.DataFrame) -> dict[str, Any]:
    """The model with the highest validation accuracy, ties to fewer parameters, then to the first in params.yaml.

    With it the numbers that decided. Raises PipelineError when no model was validated.
    """
    if "validation_accuracy" not in table:
        raise PipelineError("params.yaml: split.validation is 0: without validation images no model can be chosen")
    ranked = table.sort_values(["validation_accuracy", "parameters"], ascending=[False, True], kind="stable")
    ranking = ranked.rename_axis("model").reset_index()[["model", "validation_accuracy", "parameters"]]
    rule = "validation_accuracy, ties to fewer parameters"
    return {"model": ranked.index[0], "rule": rule, "ranking": ranking.to_dict("records")}


def read_best() -> str:
    """The model that best.json names. Raises PipelineError when the file is missing or damaged."""
    return str(read_json(paths.BEST)["model"])


def leaderboard(table: pd.DataFrame, chosen: str) -> str:
    """A Markdown table, a row a model, best test accuracy first; the chosen one is marked."""
    ranked = table.sort_values("test_accuracy", ascending=False, kind="stable").iterrows()
    rows = [ROW.format(model=f"**{name}**" if name == chosen else name, of=row) for name, row in ranked]
    best = f"**{chosen}** is the best on the validation images.\n"
    return "\n".join([HEAD, "|---" * 7 + "|", *rows, "", best])


def curves(models: list[str]) -> pd.DataFrame:
    """The histories of all models under one another, one row an epoch, with a column that names the model."""
    table = pd.concat([history.epochs(history.read(paths.history(model))).assign(model=model) for model in models])
    return table[["model", *table.columns.drop("model")]]


def summary(table: pd.DataFrame, chosen: str) -> dict[str, Any]:
    """The few metrics that are worth comparing across commits; of each model the accuracy by which one is chosen.

    Their names (`validation.MODEL`) fit into a column of `dvc exp show`, which crashes where a metric bears the name of
    a folder that some stage depends on.
    """
    validation = {str(name): float(value) for name, value in table["validation_accuracy"].items()}
    return {"best": chosen, "best_test_accuracy": table.loc[chosen]["test_accuracy"], "validation": validation}
