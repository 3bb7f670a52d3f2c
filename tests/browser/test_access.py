"""The page by keyboard and screen reader, on a phone, in light and dark."""

from itertools import pairwise
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit

pytestmark = pytest.mark.browser

PHONE = {"viewport": {"width": 360, "height": 740}, "device_scale_factor": 2, "has_touch": True, "is_mobile": True}
RING = "getComputedStyle(document.activeElement.closest('.button, .board') ?? document.activeElement).outlineStyle"
LUMINANCE = """(element) => {
    const light = (colour) => colour.match(/[\\d.]+/g).slice(0, 3)
        .map((part) => part / 255).map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
        .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
    let behind = element;
    while (getComputedStyle(behind).backgroundColor.endsWith(", 0)")) behind = behind.parentElement;
    return [light(getComputedStyle(element).color), light(getComputedStyle(behind).backgroundColor)];
}"""


def test_everything_is_reached_by_tab_with_a_visible_focus(visit: Visit) -> None:
    reached = []
    for _ in range(5):
        visit.page.keyboard.press("Tab")
        reached.append(visit.page.evaluate("document.activeElement.id"))
        assert visit.page.evaluate(RING) == "solid"
    assert reached == ["model", "board", "undo", "clear", "file"]


def test_a_digit_can_be_drawn_with_keys_alone(visit: Visit) -> None:
    board, spoken = visit.page.get_by_role("application", name="Drawing area"), visit.page.get_by_role("status")
    expect(board).to_have_accessible_description(visit.page.locator("#keys").inner_text().replace("\n", " "))
    board.focus()
    visit.page.keyboard.press("Space")
    expect(spoken).to_have_text("Pen down")
    for key in ["ArrowDown"] * 12 + ["Shift+ArrowRight"] * 2:
        visit.page.keyboard.press(key)
    visit.page.keyboard.press("Space")
    percents, digit = visit.percents(), visit.page.locator("#digit").inner_text()
    expect(spoken).to_have_text(f"Pen up. {digit}, {visit.page.locator('#sure').inner_text()}")
    assert max(percents) == percents[int(digit)]
    visit.page.keyboard.press("Delete")
    visit.is_empty()
    visit.page.keyboard.press("Control+z")
    visit.percents()


def test_a_screen_reader_hears_the_answer_once_and_not_at_every_movement(visit: Visit) -> None:
    visit.page.evaluate(
        "window.heard = []; new MutationObserver(() => heard.push(document.querySelector('#spoken').textContent))"
        ".observe(document.querySelector('#spoken'), { childList: true, characterData: true, subtree: true })"
    )
    visit.stroke(*[(0.3 + 0.4 * (step % 2), 0.2 + step / 20) for step in range(12)])
    visit.percents()
    visit.page.wait_for_timeout(800)
    digit, sure = visit.page.locator("#digit").inner_text(), visit.page.locator("#sure").inner_text()
    assert visit.page.evaluate("heard") == [f"{digit}, {sure}"]


@pytest.mark.parametrize("options", [PHONE])
def test_a_finger_draws_on_a_phone_and_nothing_scrolls(visit: Visit) -> None:
    box = visit.page.locator("#board").bounding_box()
    assert box is not None
    touch = visit.page.context.new_cdp_session(visit.page)
    places = [(box["x"] + box["width"] / 2, box["y"] + box["height"] * (0.1 + step / 20)) for step in range(15)]
    for kind, place in [("touchStart", places[0]), *(("touchMove", place) for place in places[1:]), ("touchEnd", None)]:
        points = [{"x": place[0], "y": place[1]}] if place else []
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    visit.percents()
    assert visit.page.evaluate("[scrollX, scrollY, document.documentElement.scrollWidth]") == [0, 0, 360]
    answer = visit.page.locator("#bars").bounding_box()
    assert answer is not None
    assert answer["y"] + answer["height"] <= 740  # what was drawn and what came of it are seen together


@pytest.mark.parametrize("options", [PHONE])
def test_what_is_tapped_is_large_enough(visit: Visit) -> None:
    for name in ("#model", "#undo", "#clear", ".button"):
        box = visit.page.locator(name).bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 44


@pytest.mark.parametrize("options", [{"color_scheme": "light"}, {"color_scheme": "dark"}])
def test_text_has_contrast(options: dict[str, Any], visit: Visit) -> None:
    visit.drop(b"hello", None)  # for its complaint
    grounds = []
    for name in ("h1", "#model", "#undo", ".button", "#keys", "#problem", "figcaption", "#bars li", ".percent"):
        text, ground = visit.page.locator(name).first.evaluate(LUMINANCE)
        grounds.append(ground)
        high, low = max(text, ground), min(text, ground)
        assert (high + 0.05) / (low + 0.05) >= 4.5, name
    assert all((ground > 0.5) == (options["color_scheme"] == "light") for ground in grounds)


@pytest.mark.parametrize("options", [{"reduced_motion": "reduce"}])
def test_bars_do_not_move_for_those_who_do_not_want_it(visit: Visit) -> None:
    expect(visit.page.locator("#bars i").first).to_have_css("transition-duration", "0s")


def test_headings_are_in_order(visit: Visit) -> None:
    levels = [int(heading.evaluate("(one) => one.tagName[1]")) for heading in visit.page.get_by_role("heading").all()]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
