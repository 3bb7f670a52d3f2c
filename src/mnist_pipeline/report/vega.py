"""Vega's scripts as an installed package holds them, and the charts of the report as Vega-Lite."""

from typing import Any

import vl_convert

Chart = dict[str, Any]


def scripts() -> str:
    """Vega, Vega-Lite and vega-embed as one script, for a file or between script tags; it asks no network.

    It leaves `vegaEmbed` in the page's window, and none of its thousand other names.
    """
    bundle = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;").replace("</script", "<\\/script")
    return f"(() => {{{bundle}\n}})();\n"


def curve(column: str, title: str, models: list[str], sides: list[str]) -> Chart:
    """A column of a history against images seen, a line for each model and side; its data are for the page to add.

    A loss has a logarithmic axis, an accuracy one in percent. The page sets which lines are `shown`.
    """
    loss = column.endswith("loss")
    by_model = _nominal("model", {"domain": models})
    x = {"field": "images_seen", "type": "quantitative", "title": "images seen", "scale": {"zero": True}}
    y = {"field": column, "type": "quantitative", "title": None, "scale": {"type": "log"} if loss else {"zero": False}}
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "description": f"{title} by images seen",
        "width": "container",
        "height": 260,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "params": [{"name": "shown", "value": [f"{model}\n{side}" for model in models for side in sides]}],
        "transform": [{"filter": f"isValid(datum['{column}'])"}, {"filter": "indexof(shown, datum.line) >= 0"}],
        "encoding": {
            "x": x | {"axis": {"labelExpr": "datum.value ? format(datum.value, '~s') : '0'"}},
            "y": y | {"axis": {"tickCount": 6} if loss else {"tickCount": 6, "format": "~%"}},
            "color": by_model,
            "strokeDash": _nominal("side", {"domain": sides, "range": [[5, 4], [1, 0]][-len(sides) :]}),
            "detail": {"field": "line"},
        },
        "layer": [
            {"mark": {"type": "line", "clip": True, "strokeWidth": 1.75}},
            _points(by_model, _tooltip(column, title, ".4f" if loss else ".2%")),
        ],
    }


def _nominal(field: str, scale: Chart) -> Chart:
    return {"field": field, "type": "nominal", "scale": scale, "legend": None}


def _points(shape: Chart, tooltip: str) -> Chart:
    """The points: dragging them moves the scales, and the one next to the pointer tells its values."""
    nearest = {"type": "point", "on": "pointerover", "nearest": True, "clear": "pointerout", "encodings": ["x", "y"]}
    zoom = {"name": "zoom", "select": "interval", "bind": "scales"}
    return {
        "mark": {"type": "point", "filled": True, "opacity": 1, "clip": True},
        "params": [zoom, {"name": "near", "select": nearest}],
        "encoding": {
            "size": {"condition": {"param": "near", "empty": False, "value": 130}, "value": 36},
            "shape": shape,
            "strokeDash": {"value": [1, 0]},
            "tooltip": {"value": {"expr": tooltip}},
        },
    }


def _tooltip(column: str, title: str, form: str) -> str:
    """An expression for what a tooltip tells; Vega-Lite's own finds no names when the pointer is only near a point."""
    point = "(datum.datum || datum)"
    parts = {
        "model": f"{point}.model",
        "revision": f"{point}.side",
        "epoch": f"{point}.epoch",
        "images seen": f"format({point}.images_seen, ',')",
        title.lower(): f"format({point}['{column}'], '{form}')",
    }
    return "{" + ", ".join(f"'{name}': {value}" for name, value in parts.items()) + "}"
