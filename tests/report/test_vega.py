import json
import re

import vl_convert

from mnist_pipeline.report import vega


def curve(column: str = "loss", sides: tuple[str, ...] = ("v1", "v2")) -> vega.Chart:
    return vega.curve(column, f"Training {column}", ["a", "b"], list(sides))


def row(model: str, side: str, seen: int, value: float) -> dict[str, object]:
    line = {"model": model, "side": side, "line": f"{model}\n{side}"}
    return line | {"images_seen": seen, "epoch": 1, "loss": value, "accuracy": value}


ROWS = [row(model, side, seen, 1 / seen) for model in "ab" for side in ("v1", "v2") for seen in (1, 10, 100)]


def svg(chart: vega.Chart, shown: list[str] | None = None) -> str:
    chart["width"] = 300
    if shown is not None:
        chart["params"][0]["value"] = shown
    return str(vl_convert.vegalite_to_svg(chart | {"data": {"values": ROWS}}))


def drawn(chart: vega.Chart, shown: list[str] | None = None) -> list[str]:
    """The lines and points of a chart as Vega names them for those who listen."""
    return re.findall(r'aria-roledescription="(line mark|point)"', svg(chart, shown))


def test_the_scripts_end_no_page_and_fill_no_placeholder() -> None:
    scripts = vega.scripts()
    assert "window.vegaEmbed" in scripts
    for forbidden in ("</script", "{plot_divs}", "{refresh_tag}", "{scripts}", "{{content}}"):
        assert forbidden not in scripts
    assert scripts == vega.scripts()


def test_a_curve_has_a_line_for_each_model_and_side() -> None:
    assert drawn(curve()).count("line mark") == 4
    assert drawn(curve()).count("point") == 12


def test_only_what_is_shown_is_drawn() -> None:
    assert drawn(curve(), ["b\nv2"]).count("line mark") == 1
    assert drawn(curve(), []) == []


def test_the_first_of_two_sides_is_dashed_and_a_lone_one_is_not() -> None:
    assert svg(curve(), ["a\nv1"]).count('stroke-dasharray="5,4"') == 1
    assert 'stroke-dasharray="5,4"' not in svg(curve(), ["a\nv2"])
    assert 'stroke-dasharray="5,4"' not in svg(curve(sides=("v1",)), ["a\nv1"])


def test_losses_are_logarithmic_and_accuracies_in_percent() -> None:
    labels = re.findall(r">([0-9.]+%?)</text>", svg(curve()))
    assert {"0.01", "0.1", "1"} <= set(labels)
    assert "100%" in re.findall(r">([0-9.]+%?)</text>", svg(curve("accuracy")))


def test_a_chart_names_nothing_to_load() -> None:
    assert re.findall(r'"url"', json.dumps(curve())) == []
