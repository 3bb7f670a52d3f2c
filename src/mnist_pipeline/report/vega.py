"""Vega's scripts as an installed package holds them, the page with them for `dvc plots`, and the report's charts."""

import json
from pathlib import Path
from typing import Any

import vl_convert

from mnist_pipeline.core import paths
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.files import write_durably
from mnist_pipeline.pipeline import dvc_program

PAGE = Path(__file__).with_name("page")
NAME, OPTION = "plots.html", "plots.html_template"
Chart = dict[str, Any]


def scripts() -> str:
    """Vega, Vega-Lite and vega-embed as one script, for a file or between script tags; it asks no network, and leaves
    `vegaEmbed` in the page's window, none of its thousand other names."""
    bundle = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;").replace("</script", "<\\/script")
    return f"(() => {{{bundle}\n}})();\n"


def install_page() -> str:
    """Make a page with these scripts that of `dvc plots` here, unless someone chose another; returns what was done. It
    stands beside .dvc/config.local, which names it, so that both move with the repository: named in .dvc/config, it
    would make DVC fail wherever it was not written yet. Raises PipelineError outside a repository."""
    page = paths.project() / ".dvc" / NAME
    if not page.parent.is_dir():
        raise PipelineError(f"{page.parent}: not found; run this in a clone of the project")
    chosen = dvc_program.run("config", OPTION)
    if chosen not in ("", NAME):
        return f"dvc plots keeps the page that was chosen for it: {chosen}"
    template = (PAGE / NAME).read_text(encoding="utf-8")
    write_durably(page, template.replace("{{scripts}}", scripts()).encode())
    dvc_program.run("config", "--local", OPTION, NAME)
    return f"dvc plots writes pages that need no network, by {page.relative_to(paths.project())}"


def curve(column: str, title: str, models: list[str], sides: list[str]) -> Chart:
    """A column of a history against images seen, a line for each model and side; a loss has a logarithmic axis, an
    accuracy one in percent. The page adds the data, and which lines are `shown`."""
    loss = column.endswith("loss")
    texts = {
        "<COLUMN>": column,
        "<TITLE>": title,
        "<NAME>": title.lower(),
        "<FORMAT>": ".4f" if loss else ".2%",
        "<POINT>": "(datum.datum || datum)",  # the first where the pointer is only near a point
    }
    values = {
        "<LINES>": [f"{model}\n{side}" for model in models for side in sides],
        "<MODELS>": models,
        "<SIDES>": sides,
        "<DASHES>": [[5, 4], [1, 0]][-len(sides) :],
        "<SCALE>": {"type": "log"} if loss else {"zero": False},
        "<AXIS>": {"tickCount": 6} if loss else {"tickCount": 6, "format": "~%"},
    }
    template = (PAGE / "curve.json").read_text(encoding="utf-8")
    for name, text in texts.items():
        template = template.replace(name, text)
    chart: Chart = json.loads(
        template, object_hook=lambda part: {key: values.get(str(value), value) for key, value in part.items()}
    )
    return chart
