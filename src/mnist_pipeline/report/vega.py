"""Vega's scripts as an installed package holds them, and the charts of the report as Vega-Lite."""

from typing import Any

import vl_convert

Chart = dict[str, Any]
SEEN = {"labelExpr": "datum.value ? format(datum.value, '~s') : '0'"}


def scripts() -> str:
    """Vega, Vega-Lite and vega-embed as one script, for a file or between script tags; it asks no network.

    It leaves `vegaEmbed` in the page's window, and none of its thousand other names.
    """
    bundle = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;").replace("</script", "<\\/script")
    return f"(() => {{{bundle}\n}})();\n"


def curve(column: str, title: str, models: list[str], sides: list[str], *, logarithmic: bool, text: str) -> Chart:
    """A column of a history against images seen, a line for each model and side; its data are for the page to add.

    The page sets which lines are `shown`. `text` is how a value is written, in d3's format.
    """
    shown = {"transform": [{"filter": f"isValid(datum['{column}'])"}, {"filter": "indexof(shown, datum.line) >= 0"}]}
    lines = [f"{model}\n{side}" for model in models for side in sides]
    return shown | {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "description": f"{title} by images seen",
        "width": "container",
        "height": 260,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "params": [{"name": "shown", "value": lines}],
        "encoding": _encoding(column, models, sides, logarithmic=logarithmic),
        "layer": [
            {"mark": {"type": "line", "clip": True, "strokeWidth": 1.75}},
            _points(column, title, models, text),
        ],
    }


def _encoding(column: str, models: list[str], sides: list[str], *, logarithmic: bool) -> Chart:
    scale = {"type": "log"} if logarithmic else {"zero": False}
    ticks = {"tickCount": 6} if logarithmic else {"tickCount": 6, "format": "~%"}
    encoding: Chart = {
        "x": {
            "field": "images_seen",
            "type": "quantitative",
            "title": "images seen",
            "scale": {"zero": True},
            "axis": SEEN,
        },
        "y": {"field": column, "type": "quantitative", "title": None, "scale": scale, "axis": ticks},
        "color": {"field": "model", "type": "nominal", "scale": {"domain": models}, "legend": None},
        "detail": {"field": "line"},
    }
    if len(sides) > 1:
        dashes = {"domain": sides, "range": [[5, 4], [1, 0]]}
        encoding["strokeDash"] = {"field": "side", "type": "nominal", "scale": dashes, "legend": None}
    return encoding


def _points(column: str, title: str, models: list[str], text: str) -> Chart:
    """The points: dragging them moves the scales, and the one next to the pointer tells its values."""
    nearest = {"type": "point", "on": "pointerover", "nearest": True, "clear": "pointerout", "encodings": ["x", "y"]}
    return {
        "mark": {"type": "point", "filled": True, "opacity": 1, "clip": True},
        "params": [
            {"name": "zoom", "select": "interval", "bind": "scales"},
            {"name": "near", "select": nearest},
        ],
        "encoding": {
            "size": {"condition": {"param": "near", "empty": False, "value": 130}, "value": 36},
            "shape": {"field": "model", "type": "nominal", "scale": {"domain": models}, "legend": None},
            "strokeDash": {"value": [1, 0]},
            "tooltip": {"value": {"expr": _told(column, title, text)}},
        },
    }


def _told(column: str, title: str, text: str) -> str:
    """An expression for what a tooltip tells; Vega-Lite's own finds no names when the pointer is only near a point."""
    point = "(datum.datum || datum)"
    parts = {
        "model": f"{point}.model",
        "revision": f"{point}.side",
        "epoch": f"{point}.epoch",
        "images seen": f"format({point}.images_seen, ',')",
        title.lower(): f"format({point}['{column}'], '{text}')",
    }
    return "{" + ", ".join(f"'{name}': {value}" for name, value in parts.items()) + "}"
