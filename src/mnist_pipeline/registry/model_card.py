"""The card that people read beside a pulled model: data, recipe, accuracy, confusion, known limits, licence.

It begins with what Hugging Face's Hub reads of a README.md: YAML between two lines of dashes, whose keys are those of
https://huggingface.co/docs/hub/model-cards.
"""

import io
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.artifacts import load_dict, load_text
from mlflow.tracking import MlflowClient
from ruamel.yaml import YAML

from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.params import DIGITS
from mnist_pipeline.core.tables import ABSENT
from mnist_pipeline.registry.tags import Version
from mnist_pipeline.training import checkpoints
from mnist_pipeline.training.manifest import Manifest

LICENCES = {
    "mnist": "The weights are derived from MNIST: Yann LeCun and Corinna Cortes hold its copyright and make it "
    "available under CC BY-SA 3.0 (https://creativecommons.org/licenses/by-sa/3.0/). The code is under Apache-2.0."
}
UNKNOWN = "The weights are derived from the data named above: its licence holds for them. The code is Apache-2.0."
ON_THE_HUB = {"mnist": {"license": "cc-by-sa-3.0", "datasets": ["ylecun/mnist"]}}
TEMPLATE = """---
{metadata}---

# {version}

{description}

## Data

{manifest.training_images:,} training images of {version.name}; the test images took no part in training. SHA-256:

{digests}

## Accuracy

| test accuracy | 95 % interval | test errors | test loss | calibration error | validation accuracy |
|---|---|---|---|---|---|
| {test_accuracy:.2%} | {test_accuracy_low:.2%} – {test_accuracy_high:.2%} | {test_errors} | {test_loss:.4f} | \
{calibration_error:.4f} | {validation} |

Confusion on the test images: rows the true {what}, columns the answer.

{confusion}

## Recipe

Network `{manifest.recipe.network}` with {manifest.parameters:,} parameters; seed {manifest.seed}. All of it is in \
`model.json`; the recipe:

```json
{recipe}
```

## Known limits

{limits}
- The probabilities are calibrated, to within the calibration error, on pictures like the test images alone.
- The interval speaks of the choice of test images alone, not of another seed or of other writers.

## Licence

{licence}
"""

LIMITS = {
    "digit": """\
- It knows the digits 0 to 9 and always answers with one of them: a letter, a smudge or two digits get an answer too,
  and often a confident one.
- It expects what it was trained on: one digit, light on dark, size-normalised into 20×20 pixels and centred by mass in
  28×28. Pictures that were not prepared like that lose accuracy.""",
    "class": """\
- It knows {count} classes, {names}, and always answers with one of them: anything else gets an answer too, and often a
  confident one.
- It expects what it was trained on: images of 28×28 pixels that were prepared like those of {data}, 0 background to 255
  ink. Others lose accuracy.""",
}


def write(version: Version, folder: Path) -> str:
    """The card of a version as Markdown, from its model.json in `folder` and from what its run knows.

    Raises PipelineError when the run does not have what `publish` put there.
    """
    manifest, run = checkpoints.load_manifest(folder), f"runs:/{version.run_id}"
    try:
        figures = load_dict(f"{run}/metrics/{manifest.model}.json")
        classes, text = manifest.classes, load_text(f"{run}/tables/confusion.csv")
        counts = pd.read_csv(io.StringIO(text), converters={"label": str, "predicted": str})  # also NA, which is a name
        what = "digit" if classes == DIGITS else "class"
        confusion = counts.pivot_table(index="label", columns="predicted", values="count", aggfunc="sum")
        validation = figures.get("validation_accuracy")
        return TEMPLATE.format(
            **figures,
            metadata=_metadata(version, manifest, figures),
            version=version,
            manifest=manifest,
            description=MlflowClient().get_model_version(version.name, str(version.number)).description,
            digests="\n".join(f"- `{file}` `{digest}`" for file, digest in manifest.data_sha256.items()),
            validation=ABSENT if validation is None else f"{validation:.2%}",
            confusion=confusion.loc[classes, classes].rename("**{}**".format).to_markdown(),
            what=what,
            limits=LIMITS[what].format(count=len(classes), names=", ".join(classes), data=version.name),
            recipe=manifest.recipe.model_dump_json(indent=2, exclude_none=True),
            licence=LICENCES.get(version.name, UNKNOWN),
        )
    except (AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError) as error:
        said = f"{version}: its run has not what the model card needs ({type(error).__name__}: {error})"
        raise PipelineError(f"{said}; `mnist publish` its commit again into a store of your own") from error


def _metadata(version: Version, manifest: Manifest, figures: dict[str, Any]) -> str:
    known = ON_THE_HUB.get(version.name, {"license": "unknown"})
    result = {
        "task": {"type": "image-classification"},
        "dataset": {"name": version.name, "type": known.get("datasets", [version.name])[0], "split": "test"},
        "metrics": [
            {"type": "accuracy", "value": figures["test_accuracy"]},
            {"type": "loss", "value": figures["test_loss"]},
        ],
    }
    content = known | {
        "library_name": "pytorch",
        "pipeline_tag": "image-classification",
        "tags": ["safetensors", version.name],
        "metrics": ["accuracy"],
        "model-index": [{"name": f"{version.name}-{manifest.model}", "results": [result]}],
    }
    text = io.StringIO()
    YAML().dump(content, text)
    return text.getvalue()
