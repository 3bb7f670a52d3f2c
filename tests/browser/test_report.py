"""The report and the page of `dvc plots`, opened from disk in Chromium that is offline."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pandas as pd
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from mnist_pipeline.core import paths
from mnist_pipeline.core.files import read_json, write_csv, write_json
from tests.repository import Repository

pytestmark = pytest.mark.browser

SIZES = {"desktop": (1280, 900), "phone": (360, 740)}
MODELS = 2
OLD = "v1</script><b>"  # a name that Git allows
OF_DVC = 'WARN Dropping {} from channel "row"'  # what Vega says of DVC's own template for confusion
Opener = Callable[..., Page]


@pytest.fixture(scope="module")
def repository(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """The small repository with one more network's worth of errors committed; the first commit is tagged."""
    made = Repository(built).clone(tmp_path_factory.mktemp("report") / "clone")
    made.run("dvc", "cache", "dir", "--local", str(built / ".dvc/cache"))
    made.run("dvc", "checkout")
    made.run("git", "tag", OLD)
    _err_more(made.path, "plain", images=4)
    made.commit("Four more errors")
    return made


def _err_more(folder: Path, model: str, images: int) -> None:
    path, metrics = folder / paths.test(model) / "predictions.csv", read_json(folder / paths.metrics(model))
    table = pd.read_csv(path)
    right = table.index[table["label"] == table["predicted"]][:images]
    table.loc[right, "predicted"] = (table.loc[right, "label"] + 1) % 10
    path.unlink()
    write_csv(path, table)
    errors = metrics["test_errors"] + images
    changed = {"test_errors": errors, "test_accuracy": 1 - errors / len(table)}
    write_json(folder / paths.metrics(model), metrics | changed)


def _report(repository: Repository, *revisions: str) -> Path:
    """Write the report and put it where the next one leaves it alone."""
    repository.run("mnist", "report", *revisions)
    kept = repository.path / f"kept-{len(revisions)}"
    return (repository.path / "report").rename(kept) / "index.html"


@pytest.fixture(scope="module")
def alone(repository: Repository) -> Path:
    return _report(repository)


@pytest.fixture(scope="module")
def beside(repository: Repository) -> Path:
    return _report(repository, OLD, "HEAD")


@pytest.fixture
def visit(browser: Browser, tmp_path: Path) -> Iterator[Opener]:
    """Opens a file offline. Afterwards: only files were asked for, and the browser had nothing to complain about.

    A picture of the page at the end of the test is left in its temporary folder.
    """
    asked, complaints, opened = set[str](), list[str](), list[Page]()

    def visit(file: Path, size: str = "desktop", scheme: str = "light") -> Page:
        width, height = SIZES[size]
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,  # type: ignore[arg-type]
            offline=True,
        )
        page = context.new_page()
        page.on("request", lambda request: asked.add(urlsplit(request.url).scheme))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text))
        page.goto(file.as_uri())
        opened.append(page)
        return page

    yield visit
    for number, page in enumerate(opened):
        page.screenshot(path=tmp_path / f"page-{number}.png", full_page=True)
        page.context.close()
    assert asked <= {"file", "data", "blob"}
    assert [complaint for complaint in complaints if not complaint.startswith(OF_DVC)] == []


def _chart(page: Page, column: str) -> Locator:
    chart = page.locator(f".chart[data-column={column}]")
    expect(chart.locator("svg.marks")).to_be_visible()
    return chart


def _lines(chart: Locator) -> Locator:
    return chart.locator(".mark-line path")


def _reach(chart: Locator) -> tuple[float, float]:
    """Where the first and the last point stand, in pixels from the left end of the axis."""
    points = chart.locator(".mark-symbol path").evaluate_all("(all) => all.map((one) => one.getAttribute('transform'))")
    places = [float(point.removeprefix("translate(").partition(",")[0]) for point in points]
    return min(places), max(places)


@contextmanager
def _moves(page: Page, chart: Locator) -> Iterator[None]:
    """What is done inside has to move the points, once the page has drawn anew."""
    first = chart.locator(".mark-symbol path").first
    before = str(first.get_attribute("transform"))
    yield
    expect(first).not_to_have_attribute("transform", before)
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_everything_is_drawn_and_fits(
    alone: Path, repository: Repository, visit: Opener, size: str, scheme: str
) -> None:
    page = visit(alone, size, scheme)
    for column in ("batch_loss", "training_loss", "validation_loss", "training_accuracy", "validation_accuracy"):
        expect(_lines(_chart(page, column))).to_have_count(MODELS)
    expect(page.locator(".matrix:visible")).to_have_count(MODELS)
    expect(page.locator("#leaderboard-table tbody tr")).to_have_count(MODELS)
    expect(page.locator("#pictures img")).to_have_count(4)
    assert page.evaluate("[...document.images].every((image) => image.naturalWidth > 0)")
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    commit = repository.run("git", "rev-parse", "HEAD")
    assert commit.startswith(page.locator("#sides code").inner_text())
    assert commit.startswith(page.locator("#commits code").inner_text())


def test_models_go_off_and_on(alone: Path, visit: Opener) -> None:
    page = visit(alone)
    chart = _chart(page, "batch_loss")
    expect(_lines(chart)).to_have_count(2)
    page.get_by_label("weak").first.uncheck()
    expect(_lines(chart)).to_have_count(1)
    expect(page.locator(".matrix:visible figcaption strong")).to_have_text(["plain"])
    page.get_by_label("weak").first.check()
    expect(_lines(chart)).to_have_count(2)


def test_a_point_tells_its_values(alone: Path, repository: Repository, visit: Opener) -> None:
    chart = _chart(page := visit(alone), "validation_accuracy")
    chart.scroll_into_view_if_needed()
    chart.locator(".mark-symbol path").first.hover(force=True)
    told = page.locator("#vg-tooltip-element")
    expect(told).to_contain_text("images seen")
    curves = pd.read_csv(repository.path / paths.CURVES)
    known = {(str(row.model), f"{row.images_seen:,}", f"{row.validation_accuracy:.2%}") for row in curves.itertuples()}
    cells = dict(zip(told.locator("td.key").all_inner_texts(), told.locator("td.value").all_inner_texts(), strict=True))
    assert (cells["model"], cells["images seen"], cells["validation accuracy"]) in known


def test_zoom_by_buttons_wheel_and_drag(alone: Path, visit: Opener) -> None:
    page = visit(alone)
    chart = _chart(page, "batch_loss")
    whole = _reach(chart)
    with _moves(page, chart):
        page.get_by_role("button", name="Zoom in: Training loss of a batch").click()
    near = _reach(chart)
    assert near[1] - near[0] == pytest.approx(1.5 * (whole[1] - whole[0]), rel=0.01)
    with _moves(page, chart):
        page.get_by_role("button", name="Show all: Training loss of a batch").click()
    assert _reach(chart) == whole
    chart.locator("svg").hover()
    page.mouse.wheel(0, 20)
    page.wait_for_function("scrollY > 0")
    assert _reach(chart) == whole  # the wheel turned the page
    chart.locator("svg").click()
    before = page.evaluate("scrollY")
    with _moves(page, chart):
        page.mouse.wheel(0, -100)
    near, box = _reach(chart), chart.bounding_box()
    assert near[1] - near[0] > whole[1] - whole[0]
    assert page.evaluate("scrollY") == before
    assert box is not None
    page.mouse.move(box["x"] + 700, box["y"] + 100)
    page.mouse.down()
    with _moves(page, chart):
        page.mouse.move(box["x"] + 600, box["y"] + 100)
    page.mouse.up()
    assert _reach(chart) == pytest.approx((near[0] - 100, near[1] - 100), abs=1)
    with _moves(page, chart):
        chart.locator("svg").dblclick()
    assert _reach(chart) == whole


def test_mistakes_are_filtered(alone: Path, repository: Repository, visit: Opener) -> None:
    page = visit(alone)
    tables = {
        model: pd.read_csv(repository.path / paths.test(model) / "predictions.csv").query("label != predicted")
        for model in ("plain", "weak")
    }
    mistakes = sum(len(table) for table in tables.values())
    expect(page.locator("#count")).to_contain_text(f"{mistakes} mistakes")
    weak = tables["weak"]
    label, predicted = int(weak["label"].iloc[0]), int(weak["predicted"].iloc[0])
    chosen = weak[(weak["label"] == label) & (weak["predicted"] == predicted)]
    page.get_by_label("Model", exact=True).select_option("weak")
    expect(page.locator("#count")).to_contain_text(f"{len(weak)} mistakes on {len(weak)} images")
    page.get_by_label("True class").select_option(str(label))
    page.get_by_label("Predicted").select_option(str(predicted))
    tiles = page.locator("#gallery li")
    expect(tiles).to_have_count(len(chosen))
    assert tiles.locator("button").first.get_attribute("title") == f"Test image {chosen['index'].min()}, weak"
    tiles.first.click()
    expect(page.get_by_role("dialog")).to_contain_text(f"Test image {chosen['index'].min()}: {label}")
    page.keyboard.press("Escape")
    page.locator("#filters").get_by_role("button", name="All").click()
    expect(page.locator("#count")).to_contain_text(f"{mistakes} mistakes")


def test_a_cell_of_a_matrix_leads_to_its_images(alone: Path, visit: Opener) -> None:
    page = visit(alone)
    cell = page.locator(".matrix").nth(1).locator("button").first
    count = int(cell.inner_text())
    cell.click()
    expect(page.locator("#gallery li")).to_have_count(count)
    expect(page.get_by_label("Model", exact=True)).to_have_value("weak")


@pytest.mark.parametrize("size", SIZES)
def test_two_revisions_side_by_side(beside: Path, visit: Opener, size: str) -> None:
    page = visit(beside, size)
    expect(page.locator("#sides strong")).to_have_text([OLD, "HEAD"])
    row = page.locator("#leaderboard-table tbody tr").filter(has_text="plain")
    expect(row).to_contain_text("−4.00")
    assert row.locator("td").all_inner_texts()[-3:] == ["4", "0", "0.25"]  # 0.125, of two models
    chart = _chart(page, "batch_loss")
    expect(_lines(chart)).to_have_count(2 * MODELS)
    page.locator("input[name=side]").first.uncheck()
    expect(_lines(chart)).to_have_count(MODELS)
    expect(page.locator(".matrix:visible")).to_have_count(MODELS)
    page.get_by_label("Revision").select_option(label=f"gained: right in {OLD}, wrong in HEAD")
    expect(page.locator("#count")).to_have_text("4 mistakes on 4 images")
    page.get_by_label("Revision").select_option(label=f"lost: wrong in {OLD}, right in HEAD")
    expect(page.locator("#count")).to_have_text("0 mistakes on 0 images")
    page.get_by_text("What dvc.lock says").click()
    expect(page.locator("#lock")).to_contain_text("metrics/models/plain.json")
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_every_control_is_named_and_reached_by_the_keyboard(alone: Path, visit: Opener) -> None:
    page = visit(alone)
    _chart(page, "batch_loss")
    for control in page.locator("button:visible, select:visible, input:visible").all():
        assert control.evaluate("(it) => it.ariaLabel || it.textContent || it.labels?.length"), control
    page.get_by_label("plain").first.focus()
    page.keyboard.press("Space")
    expect(_lines(_chart(page, "batch_loss"))).to_have_count(1)


def test_the_page_of_dvc_plots_draws_its_charts(repository: Repository, visit: Opener) -> None:
    repository.run("mnist", "plots-page")
    repository.run("dvc", "plots", "diff", "HEAD~1", "--out", "plots")
    page = visit(repository.path / "plots" / "index.html")
    charts = page.locator(".vega-embed svg.marks")
    expect(charts).to_have_count(2 * MODELS + 2)
    for chart in charts.all():
        assert chart.locator(":is(.mark-line, .mark-rect) path").count() > 0
    assert page.evaluate("[...document.images].every((image) => image.naturalWidth > 0)")
