"""The card that people read beside a pulled model: data, recipe, accuracy, confusion, known limits, licence."""

from typing import Any

import pandas as pd

from mnist_pipeline.core.tables import ABSENT
from mnist_pipeline.training.manifest import Manifest

LICENCES = {
    "mnist": "The weights are derived from MNIST: Yann LeCun and Corinna Cortes hold its copyright and make it "
    "available under CC BY-SA 3.0 (https://creativecommons.org/licenses/by-sa/3.0/). The code is under Apache-2.0."
}
UNKNOWN_LICENCE = (
    "The weights are derived from the data named above: its licence holds for them. The code is Apache-2.0."
)
LIMITS = """\
- It knows the digits 0 to 9 and always answers with one of them: a letter, a smudge or two digits get an answer too,
  and often a confident one.
- It expects what it was trained on: one digit, light on dark, size-normalised into 20×20 pixels and centred by mass in
  28×28. Pictures that were not prepared like that lose accuracy.
- The probabilities are calibrated, to within the calibration error, on pictures like the test images alone.
- The interval speaks of the choice of test images alone, not of another seed or of other writers."""
TEMPLATE = """# {title}

{description}

## Data

{training_images:,} training images of {name}; the test images took no part in training. SHA-256:

{digests}

## Accuracy

| test accuracy | 95 % interval | test errors | test loss | calibration error | validation accuracy |
|---|---|---|---|---|---|
| {test_accuracy:.2%} | {test_accuracy_low:.2%} – {test_accuracy_high:.2%} | {test_errors} | {test_loss:.4f} | \
{calibration_error:.4f} | {validation} |

Confusion on the test images: rows the true digit, columns the answer.

{confusion}

## Recipe

Network `{network}` with {parameters:,} parameters; seed {seed}. All of it is in `model.json`; the recipe:

{recipe}

## Known limits

{limits}

## Licence

{licence}
"""


def write(
    title: str, name: str, description: str, manifest: Manifest, figures: dict[str, Any], confusion: pd.DataFrame
) -> str:
    """The card as Markdown; `name` is that of the data, `figures` the metrics, `confusion` as in confusion.csv."""
    validation = figures.get("validation_accuracy")
    table = confusion.pivot_table(index="label", columns="predicted", values="count", aggfunc="sum")
    return TEMPLATE.format(
        **figures,
        title=title,
        name=name,
        description=description,
        training_images=manifest.training_images,
        digests="\n".join(f"- `{file}` `{digest}`" for file, digest in manifest.data_sha256.items()),
        validation=ABSENT if validation is None else f"{validation:.2%}",
        confusion=table.rename("**{}**".format).to_markdown(),
        network=manifest.recipe.network,
        seed=manifest.seed,
        recipe="```json\n" + manifest.recipe.model_dump_json(indent=2, exclude_none=True) + "\n```",
        limits=LIMITS,
        licence=LICENCES.get(name, UNKNOWN_LICENCE),
    )
