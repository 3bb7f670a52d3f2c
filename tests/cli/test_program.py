"""The command: what it prints, and that whatever a user gets wrong ends in one line and exit code 1 or 2."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from mnist_pipeline.cli import run
from mnist_pipeline.core import paths
from mnist_pipeline.core.files import write_json
from tests import synthetic

SRC = Path(__file__).parents[2] / "src"
HEAVY = ["torch", "numpy", "pandas", "matplotlib", "mlflow", "dvc", "pydantic"]
Ended = tuple[object, str, str]  # exit code or message, standard output, standard error
Mnist = Callable[..., Ended]


@pytest.fixture
def mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Mnist:
    """Calls the command in an empty folder; returns exit code or message, standard output and standard error."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["mnist", *arguments])
        with pytest.raises(SystemExit) as ended:
            run()
        return ended.value.code, *capsys.readouterr()

    return call


def python(code: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(SRC)}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def pictures(tmp_path: Path) -> list[str]:
    """Two pictures, `0.png` and `1.png`, and the best model in the working directory."""
    synthetic.train(tmp_path / paths.model("small"), epochs=4)
    write_json(tmp_path / paths.BEST, {"model": "small"})
    for number, image in enumerate(synthetic.digits(2, seed=5)[0]):
        Image.fromarray(image).save(tmp_path / f"{number}.png")
    return ["0.png", "1.png"]


def test_predict_prints_json(mnist: Mnist, pictures: list[str]) -> None:
    code, out, _ = mnist("predict", "--json", *pictures)
    answers = json.loads(out)
    assert code == 0
    assert [answer["image"] for answer in answers] == pictures
    assert [answer["digit"] for answer in answers] == synthetic.digits(2, seed=5)[1].tolist()
    for answer in answers:
        assert answer["probabilities"].index(max(answer["probabilities"])) == answer["digit"]
        assert sum(answer["probabilities"]) == pytest.approx(1, abs=1e-5)


def test_predict_prints_a_table(mnist: Mnist, pictures: list[str]) -> None:
    code, out, _ = mnist("predict", "--model", "small", *pictures)
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == ["image", *pictures]


def test_predict_needs_no_torch_once_it_has_answered(pictures: list[str], tmp_path: Path) -> None:
    """The first answer may take seconds; later ones are the same bytes."""
    (tmp_path / ".dvc").mkdir()
    slow = {*HEAVY} - {"numpy", "pydantic"}
    code = f"import atexit, sys; atexit.register(lambda: print(*({slow} & sys.modules.keys()), file=sys.stderr))"
    code += "; from mnist_pipeline.cli import main; main()"
    first, again = (python(code, "predict", "--json", *pictures, cwd=tmp_path) for _ in range(2))
    assert (first.returncode, again.returncode) == (0, 0)
    assert first.stdout == again.stdout
    assert "torch" in first.stderr
    assert again.stderr.split() == []


@pytest.mark.parametrize(("command", "path"), [("leaderboard", paths.LEADERBOARD), ("data", paths.DATA_METRICS)])
def test_what_the_stages_wrote_is_printed(command: str, path: Path, mnist: Mnist) -> None:
    path.parent.mkdir(parents=True)
    path.write_text("what – was written\n", "utf-8")
    assert mnist(command) == (0, "what – was written\n", "")


@pytest.mark.usefixtures("workspace")
def test_data_header_explains_every_file(mnist: Mnist) -> None:
    code, out, _ = mnist("data", "--header")
    assert code == 0
    assert [part.splitlines()[0] for part in out.split("\n\n")] == [str(path) for path in paths.IDX_FILES]
    assert out.count("magic number") == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["leaderboard"], "results/summary/leaderboard.md: not found; run `make repro` first"),
        (["data"], "metrics/data.json: not found; run `make repro` or `dvc repro verify` first"),
        (
            ["data", "--header"],
            "data/idx/training-images.idx3-ubyte: not found; run `make repro` or `dvc repro verify`",
        ),
        (["predict", "a.png"], "results/summary/best.json: not found; run `make repro` first"),
        (["predict", "--model", "no", "a.png"], "models/no/model.json: not found; train it with `make repro`, or"),
        (["sweep", "--seeds", "1", "--json", "--md"], "--json and --md exclude each other"),
        (["sweep", "--seeds", "1", "--models", "a", "--record"], "--record and --models exclude each other"),
        (["publish"], "params.yaml: not found in "),
        (["repro"], "params.yaml: not found in "),
    ],
)
def test_what_is_not_there_yet_is_named_in_one_line(arguments: list[str], message: str, mnist: Mnist) -> None:
    ended, out, _ = mnist(*arguments)
    assert str(ended).startswith(f"error: {message}")
    assert "\n" not in str(ended)
    assert out == ""


@pytest.mark.parametrize("as_json", [False, True])
def test_a_bad_picture_is_one_line_and_the_others_are_still_answered(
    as_json: bool, mnist: Mnist, pictures: list[str]
) -> None:
    Path("text.png").write_text("text", "utf-8")
    Image.new("L", (280, 280)).save("empty.png")
    options = ["--json"] if as_json else []
    code, out, err = mnist("predict", *options, pictures[0], "none.png", "text.png", "empty.png", pictures[1])
    assert code == 1
    assert [line.split(":")[1].strip() for line in err.splitlines()] == ["none.png", "text.png", "empty.png"]
    answered = (
        [answer["image"] for answer in json.loads(out)] if as_json else [row.split()[0] for row in out.splitlines()]
    )
    assert answered[-2:] == pictures


def test_predict_refuses_a_pulled_model_of_another_network(mnist: Mnist, pictures: list[str], tmp_path: Path) -> None:
    (tmp_path / "models/small").rename(tmp_path / "pulled")
    (tmp_path / "pulled/mlp_28.py").write_text("open('marker', 'w').close()\n", "utf-8")
    ended, out, _ = mnist("predict", "--model", str(tmp_path / "pulled"), *pictures)
    assert "mlp_28.py differs from it, as this process has it; check out a commit that has the same file" in str(ended)
    assert out == ""
    assert not (tmp_path / "marker").exists()


def test_predict_shows_the_steps_beside_the_pictures(mnist: Mnist, pictures: list[str]) -> None:
    before = Path("0.png").read_bytes()
    code, out, err = mnist("predict", "--json", "--show", ".", *pictures)
    assert code == 0
    assert len(json.loads(out)) == 2
    assert err.splitlines() == ["0.png: shown in 0.steps.png", "1.png: shown in 1.steps.png"]
    assert Path("0.png").read_bytes() == before


@pytest.mark.parametrize(("folder", "occupied"), [(".", "1.steps.png"), ("0.png", "0.png"), ("0.png/a", "0.png")])
def test_no_file_of_a_users_is_overwritten(folder: str, occupied: str, mnist: Mnist, pictures: list[str]) -> None:
    Path("1.steps.png").write_text("mine", "utf-8")
    before = {path: path.read_bytes() for path in Path().glob("*.png")}
    ended, out, _ = mnist("predict", "--show", folder, *pictures)
    assert str(ended).startswith(f"error: {occupied}: is there already and is not overwritten; name another folder")
    assert len(out.splitlines()) == 3, "what was recognised is printed"
    assert {path: path.read_bytes() for path in Path().glob("*.png")} == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict"], "Missing argument 'images'"),
        (["repro", "--jobs", "0"], "Invalid value for '--jobs': Input should be greater than or equal to 1"),
        (["train"], "No such command 'train'"),
        (["data", "--headers"], "No such option: --headers"),
    ],
)
def test_wrong_use_ends_with_exit_code_2(arguments: list[str], message: str, mnist: Mnist) -> None:
    code, _, err = mnist(*arguments)
    assert code == 2
    assert message in err
    assert "Traceback" not in err


def test_help_lists_every_command(mnist: Mnist) -> None:
    code, out, _ = mnist("--help")
    assert code == 0
    for command in (
        "repro",
        "leaderboard",
        "predict",
        "data",
        "schema",
        "publish",
        "pull",
        "lineage",
        "promote",
        "rollback",
        "app",
        "compare",
        "report",
        "sweep",
        "verify-repro",
        "doctor",
        "worker",
    ):
        assert f"\n  {command} " in out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["publish"], 1, "error: params.yaml: key seed is missing; "),
        (["predict"], 2, "Error: Missing argument"),
    ],
)
def test_a_process_ends_with_its_message_and_code(
    arguments: list[str], code: int, message: str, tmp_path: Path
) -> None:
    (tmp_path / "params.yaml").write_text("sede: 1\n", "utf-8")
    done = python("from mnist_pipeline.cli import main; main()", *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.splitlines()[-1].startswith(message)
    assert "Traceback" not in done.stderr


def test_a_terminal_that_knows_neither_dashes_nor_a_files_name_ends_nothing(
    pictures: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    name = os.fsdecode(b"\xc3\xa9\xff.png")
    (tmp_path / pictures[0]).rename(tmp_path / name)
    (tmp_path / paths.LEADERBOARD).write_text("a – dash\n", "utf-8")
    for arguments, expected in (
        (["leaderboard"], "a \\u2013 dash"),
        (["predict", name, "--show", "steps"], "\\xe9\\udcff.png "),
        (["predict", name, "--json"], '"\\u00e9\\udcff.png"'),
    ):
        done = python("from mnist_pipeline.cli import main; main()", *arguments, cwd=tmp_path)
        assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
        assert expected in done.stdout
    assert [os.fsencode(path.name) for path in (tmp_path / "steps").iterdir()] == [b"\xc3\xa9\xff.steps.png"]


def test_the_command_imports_nothing_heavy(tmp_path: Path) -> None:
    code = f"import sys, mnist_pipeline.cli; print([name for name in {HEAVY} if name in sys.modules])"
    assert python(code, cwd=tmp_path).stdout == "[]\n"
