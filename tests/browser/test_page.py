"""The page end to end: draw and read the bars, take back, choose a model, drop pictures and rubbish."""

import io
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw
from playwright.sync_api import Route, expect

from mnist_pipeline.pictures import reader
from mnist_pipeline.training import predictor
from tests import synthetic
from tests.browser.conftest import Visit
from tests.pictures import bombs

pytestmark = pytest.mark.browser

SEVEN = ((0.3, 0.2), (0.7, 0.2), (0.45, 0.8))
DASH = ((0.4, 0.5), (0.7, 0.5))


def test_a_stroke_is_answered_by_ten_bars(visit: Visit) -> None:
    visit.is_empty()
    visit.stroke(*SEVEN)
    percents = visit.percents()
    digit = visit.page.locator("#digit").inner_text()
    assert len(percents) == 10
    assert sum(percents) == pytest.approx(100, abs=0.5)
    assert max(percents) == percents[int(digit)]
    assert visit.page.locator("#bars .likeliest span").first.inner_text() == digit
    assert visit.page.evaluate(
        "Math.max(...document.querySelector('#seen').getContext('2d').getImageData(0, 0, 28, 28).data.filter("
        "(value, index) => index % 4 === 0))"
    ) == pytest.approx(255, abs=30)


def test_answers_come_while_the_stroke_grows(visit: Visit) -> None:
    visit.stroke(*SEVEN, lift=False)
    visit.percents()
    visit.page.mouse.up()


def test_a_drawing_is_sent_before_the_browser_does_anything_else(visit: Visit) -> None:
    """A browser that has much to do may not be idle for seconds."""
    sent = visit.page.evaluate(
        """async () => {
            const sent = [], { fetch } = window;
            window.fetch = (...request) => { sent.push(request[0]); return fetch(...request); };
            for (const key of [" ", ...Array(5).fill("ArrowDown")])
                board.dispatchEvent(new KeyboardEvent("keydown", { key, shiftKey: true }));
            for (let turn = 0; turn < 50; turn++) await null; // promises go on, but no other task runs
            return sent;
        }"""
    )
    assert [str(address).split("?")[0] for address in sent] == ["predict"]
    visit.percents()


def test_a_dash_is_refused_only_when_the_pen_is_lifted(visit: Visit) -> None:
    visit.stroke(*DASH, lift=False)
    visit.page.wait_for_timeout(300)
    expect(visit.page.get_by_role("alert")).to_be_empty()
    visit.page.mouse.up()
    expect(visit.page.get_by_role("alert")).to_contain_text("digit")
    assert ["status of 422" in complaint for complaint in visit.complaints] == [True]
    visit.complaints.clear()


def test_undo_and_clear_take_back_step_by_step(visit: Visit) -> None:
    visit.stroke(*SEVEN)
    first = visit.board()
    visit.stroke(*DASH)
    second = visit.board()
    visit.page.get_by_role("button", name="Clear").click()
    visit.is_empty()
    for expected in (second, first):
        visit.page.get_by_role("button", name="Undo").click()
        assert visit.board() == expected
        visit.percents()
    visit.page.keyboard.press("Control+z")
    visit.is_empty()


def _expected(built: Path, model: str, seen: torch.Tensor) -> object:
    """The percentages that the library gives for what the network sees, up to the rounding of what the page shows."""
    shares = predictor.load(built / "models" / model)(seen.round()[None, None])[0]
    return pytest.approx((100 * shares).tolist(), abs=0.3)


def _digit() -> bytes:
    return bombs.saved(Image.fromarray(synthetic.digits(1, seed=3)[0][0]), "PNG")


def test_a_picture_ends_the_stroke_that_is_being_drawn(visit: Visit) -> None:
    visit.stroke(*DASH, lift=False)
    visit.drop(_digit(), "digit.png", "image/png")
    visit.percents()
    dropped = visit.board()
    visit.page.mouse.move(0, 0)
    visit.page.mouse.up()
    assert visit.board() == dropped


def test_a_picture_lifts_the_pen_of_the_keyboard(visit: Visit) -> None:
    visit.page.locator("#board").press("Space")
    visit.drop(_digit(), "digit.png", "image/png")
    visit.percents()
    dropped = visit.board()
    visit.page.locator("#board").press("ArrowDown")
    assert visit.board() == dropped


def test_a_stroke_after_a_picture_is_taken_back_while_it_is_drawn(visit: Visit) -> None:
    visit.drop(_digit(), "digit.png", "image/png")
    answer = visit.percents()
    visit.page.locator("#board").press("Space")
    expect(visit.page.locator("#digit")).to_have_text("–")
    visit.page.keyboard.press("Control+z")
    assert visit.percents() == answer


def test_another_model_gives_its_own_answer(visit: Visit, built: Path) -> None:
    options = visit.page.locator("#model option").all_inner_texts()
    assert "champion" in options[0]
    assert "champion" not in options[1]
    visit.stroke(*SEVEN)
    visit.percents()
    with visit.page.expect_response("**/predict*") as answered:
        visit.page.get_by_label("Model").select_option(index=1)
    other = visit.page.locator("#model option").nth(1).get_attribute("value")
    assert answered.value.url.endswith(f"predict?version={other}")
    seen = torch.tensor(answered.value.json()["seen"], dtype=torch.float32)
    assert visit.percents() == _expected(built, "weak", seen)


def test_a_dropped_picture_is_answered_as_the_library_answers(visit: Visit, built: Path) -> None:
    seen = torch.from_numpy(reader.read(io.BytesIO(_digit()), "digit")[1])
    visit.drop(_digit(), "digit.png", "image/png")
    assert visit.percents() == _expected(built, "plain", seen)
    visit.stroke(*SEVEN)  # begins a new drawing
    visit.page.keyboard.press("Control+z")
    assert visit.percents() == _expected(built, "plain", seen)


def test_a_large_photo_is_made_smaller_before_it_is_sent(visit: Visit, tmp_path: Path) -> None:
    photo = Image.new("RGB", (4000, 3000), (230, 220, 200))
    ImageDraw.Draw(photo).line([(1500, 700), (2400, 700), (1900, 2200)], fill=(30, 30, 80), width=150, joint="curve")
    turned = Image.Exif()
    turned[0x0112] = 6  # lies on its side; upright it is higher than wide
    photo.save(tmp_path / "photo.jpg", exif=turned)
    visit.page.evaluate(
        """() => {
            const ask = window.fetch;
            window.fetch = (to, how) => { window.sent = how?.body; return ask(to, how); };
        }"""
    )
    visit.drop((tmp_path / "photo.jpg").read_bytes(), "photo.jpg", "image/jpeg")
    assert len(visit.percents()) == 10
    size = "createImageBitmap(window.sent).then((picture) => [picture.width, picture.height])"
    assert visit.page.evaluate(size) == [420, 560]


def test_a_picture_that_only_the_browser_reads_is_sent_as_another(visit: Visit, tmp_path: Path) -> None:
    Image.fromarray(synthetic.digits(1, seed=3)[0][0]).resize((90, 90)).save(tmp_path / "digit.avif")
    visit.drop((tmp_path / "digit.avif").read_bytes(), "digit.avif", "image/avif")
    assert len(visit.percents()) == 10


def test_the_button_opens_a_picture(visit: Visit, tmp_path: Path) -> None:
    Image.fromarray(synthetic.digits(1, seed=3)[0][0]).resize((90, 90)).save(tmp_path / "digit.jpg")
    visit.page.get_by_label("Open a picture").set_input_files(tmp_path / "digit.jpg")
    visit.percents()


@pytest.mark.parametrize(
    ("content", "name", "kind", "reason", "status"),
    [
        (b"hello", "notes.txt", "text/plain", "expected a picture", "415"),
        (b"hello", "digit.png", "image/png", "picture", "422"),
        (b"", "empty.png", "image/png", "found nothing", "400"),
        (bombs.saved(Image.new("L", (4000, 2)), "PNG"), "thin.png", "image/png", "looks like a digit", "422"),
        (b"hello", None, "", "What was dropped is not the file of a picture.", None),
    ],
)
def test_rubbish_is_refused_with_the_reason(
    content: bytes, name: str | None, kind: str, reason: str, status: str | None, visit: Visit
) -> None:
    visit.drop(content, name, kind)
    expect(visit.page.get_by_role("alert")).to_contain_text(reason)
    expect(visit.page.locator("#digit")).to_have_text("–")
    visit.page.get_by_role("button", name="Clear").click()
    visit.stroke(*SEVEN)
    visit.percents()
    expect(visit.page.get_by_role("alert")).to_be_empty()
    assert [complaint for complaint in visit.complaints if f"status of {status}" not in complaint] == []
    visit.complaints.clear()


def test_a_file_that_is_too_large_is_not_sent(visit: Visit) -> None:
    visit.page.evaluate(
        "const data = new DataTransfer(); data.items.add(new File([new Uint8Array(20000001)], 'large.png'));"
        "document.dispatchEvent(new DragEvent('drop', { dataTransfer: data }))"
    )
    expect(visit.page.get_by_role("alert")).to_have_text("large.png: expected at most 20 MB, found 21 MB")


def test_an_answer_that_comes_too_late_is_dropped(visit: Visit) -> None:
    held = list[Route]()
    visit.page.route("**/predict*", lambda route: held.append(route))
    with visit.page.expect_request("**/predict*"):
        visit.stroke(*SEVEN)
    visit.page.get_by_role("button", name="Clear").click()
    visit.stroke(*SEVEN)
    with visit.page.expect_request("**/predict*"):  # about the second stroke, once there is an answer about the first
        held[0].continue_()
    expect(visit.page.locator("#digit")).to_have_text("–")
    held[1].continue_()
    visit.percents()


def test_a_server_that_went_away_is_named(visit: Visit) -> None:
    visit.page.route("**/predict*", lambda route: route.abort())
    visit.stroke(*SEVEN)
    expect(visit.page.get_by_role("alert")).to_have_text("No answer from the server. Is mnist app still running?")
    visit.page.unroute("**/predict*")
    visit.stroke(*DASH)
    visit.percents()
    visit.complaints.clear()  # of the request that failed
