"""Vega's scripts as an installed package holds them, and the charts of the report as Vega-Lite."""

import json
from pathlib import Path
from typing import Any

import vl_convert

CURVE = Path(__file__).parent / "page" / "curve.json"
Chart = dict[str, Any]


def scripts() -> str:
    """Vega, Vega-Lite and vega-embed as one script, for a file or between script tags; it asks no network.

    It leaves `vegaEmbed` in the page's window, and none of its thousand other names.
    """
    bundle = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;").replace("</script", "<\\/script")
    return f"(() => {{{bundle}\n}})();\n"


def curve(column: str, title: str, models: list[str], sides: list[str]) -> Chart:
    """A column of a history against images seen, a line for each model and side; its data are for the page to add.

    A loss has a logarithmic axis, an accuracy one in percent. The page sets which lines are `shown`. Dragging the
    points moves the scales, and the one next to the pointer tells its values.
    """
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
    template = CURVE.read_text(encoding="utf-8")
    for name, text in texts.items():
        template = template.replace(name, text)
    chart: Chart = json.loads(
        template, object_hook=lambda part: {key: values.get(str(value), value) for key, value in part.items()}
    )
    return chart
