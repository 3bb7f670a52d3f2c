"""`mnist doctor` on this machine and in real folders, well and not (sources and stores: test_reach.py)."""

import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from mnist_pipeline.arithmetic.portable import obstacle
from mnist_pipeline.cli import run
from mnist_pipeline.commits import lockfile
from mnist_pipeline.core import paths
from mnist_pipeline.core.files import write_json
from mnist_pipeline.core.params import Params
from mnist_pipeline.doctor import examination
from mnist_pipeline.doctor.examination import Check, Finding
from tests.repository import Repository

OBEDIENT = (
    ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
)  # heeds file rights


TABLE = {one.name: one for one in examination.CHECKS}


def configured(settings: Params, name: str, **runtime: Any) -> Finding:
    """What a check finds where params.yaml has this runtime."""
    changed = settings.model_dump(mode="json", exclude_defaults=True)
    write_json(paths.PARAMS, changed | {"runtime": settings.runtime.model_dump() | runtime})
    return TABLE[name]()


@pytest.fixture
def no_programs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(folder))


def test_packages_are_held_against_those_of_the_lock_that_are_for_this_platform(folder: Path) -> None:
    right = f"numpy=={version('numpy')} ; python_version >= '3' \\\n    --hash=sha256:00\n    # via pandas\n"
    (folder / "requirements.lock").write_text(f"{right}absent==1.0 ; sys_platform == 'no-such-system'\n", "utf-8")
    assert TABLE["packages"]() == Finding("packages", "ok", "1 as in requirements.lock")
    (folder / "requirements.lock").write_text(f"{right}Absent==1.0\npytest==0.1\n", "utf-8")
    found = TABLE["packages"]()
    assert (found.state, found.advice) == ("mend", "touch requirements.lock && make setup")
    assert "2 of 3" in found.found
    assert f"Absent missing (expected ==1.0), pytest {version('pytest')} (expected ==0.1)" in found.found


def test_this_python_and_its_programs_are_in_place() -> None:
    assert (TABLE["python"]().state, TABLE["programs"]().state) == ("ok", "ok")


def test_an_environment_that_is_reached_through_a_link_is_in_place(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "bin").symlink_to(Path(sys.executable).parent)
    monkeypatch.setenv("PATH", str(folder / "bin"))
    assert TABLE["programs"]().state == "ok"


@pytest.mark.usefixtures("no_programs")
def test_programs_that_are_not_on_the_path_are_named() -> None:
    found = TABLE["programs"]()
    assert (found.state, found.advice) == ("mend", f'export PATH="{Path(sys.executable).parent}:$PATH"')
    assert "python3 is not there, dvc is not there" in found.found
    assert TABLE["git"]() == Finding(
        "git",
        "mend",
        "git: no such program on the PATH; install it",
        "install git; work in a clone that has a commit",
    )
    assert TABLE["dvc cache"]().state == "mend"


def test_a_device_that_is_not_there_is_to_be_mended(settings: Params) -> None:
    assert configured(settings, "device", device="cpu").state == "ok"
    absent = "cuda" if sys.platform == "darwin" else "mps"
    found = configured(settings, "device", device=absent)
    assert found.state == "mend"
    assert found.found.startswith(f"params.yaml: runtime.device: {absent} is not there")


def test_more_threads_than_cores_are_worth_a_note(settings: Params) -> None:
    assert configured(settings, "threads", threads=1).state == "ok"
    assert configured(settings, "threads", threads=1024).state == "note"


def test_where_bits_need_not_agree_is_worth_a_note(settings: Params) -> None:
    native = configured(settings, "arithmetic", arithmetic="native")
    assert (native.state, native.found) == ("note", "native, since runtime.arithmetic says so")
    cuda = configured(settings, "arithmetic", device="cuda")
    assert (cuda.state, cuda.found) == ("note", "native, since runtime.device is cuda")
    assert configured(settings, "arithmetic").state == ("note" if obstacle(settings.runtime) else "ok")


@pytest.mark.parametrize(
    ("gib", "state", "advice"),
    [
        (0.5, "mend", "free 1 GiB: data, models and DVC's cache need it"),
        (3, "note", "make setup in another clone needs 8 GiB"),
        (100, "ok", ""),
    ],
)
def test_free_disk(gib: float, state: str, advice: str, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage("/")._replace(free=int(gib * 2**30))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    found = TABLE["disk"]()
    assert (found.state, found.advice) == (state, advice)


def test_data_are_those_that_dvc_lock_describes(workspace: Path) -> None:
    assert TABLE["data"]().state == "mend"
    outputs = [{"path": "data/idx", "md5": lockfile.md5(workspace / paths.IDX)}]
    write_json(workspace / "dvc.lock", {"stages": {"verify": {"outs": outputs}}})
    assert TABLE["data"]().state == "ok"
    content = paths.TEST_LABELS.read_bytes()
    paths.TEST_LABELS.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    changed = TABLE["data"]()
    assert (changed.state, changed.advice) == ("mend", "make repro, or dvc checkout --force data/idx")
    paths.TEST_LABELS.unlink()
    missing = TABLE["data"]()
    assert (missing.state, missing.advice) == ("note", "make repro downloads it")


def test_what_does_not_answer_is_left_behind_and_what_fails_ends_no_other() -> None:
    forever = threading.Event()

    def broken() -> str:
        raise KeyError("no such thing")

    looks = {"silent": lambda: str(forever.wait()), "broken": broken, "good": lambda: "fine"}
    found = examination.answers([Check(name, None, look) for name, look in looks.items()], patience=0.2)
    forever.set()
    assert [(one.name, one.state) for one in found] == [("silent", "mend"), ("broken", "mend"), ("good", "ok")]
    assert found[0].found.startswith("no answer within ")
    assert found[1].found == "KeyError: 'no such thing'"


Ended = tuple[object, list[str]]


@pytest.fixture
def doctor(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[], Ended]:
    """Calls `mnist doctor`; returns the exit code and the lines."""

    def call() -> Ended:
        monkeypatch.setattr(sys, "argv", ["mnist", "doctor"])
        with pytest.raises(SystemExit) as ended:
            run()
        return ended.value.code, capsys.readouterr().out.splitlines()

    return call


def test_outside_a_repository_that_is_what_is_to_be_mended(doctor: Callable[[], Ended], folder: Path) -> None:
    code, lines = doctor()
    assert (code, lines[-1]) == (1, "to mend: folder")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("content", [b"seed: [", b"seed: 1", b"3", b"\xff\xfe", b""])
@pytest.mark.usefixtures("no_programs")
def test_with_a_broken_params_yaml_and_no_program_every_line_is_still_a_finding(
    content: bytes, doctor: Callable[[], Ended], folder: Path
) -> None:
    (folder / "dvc.yaml").touch()
    (folder / "params.yaml").write_bytes(content)
    code, lines = doctor()
    assert code == 1
    assert {line[:6] for line in lines[:-1]} == {"ok    ", "note  ", "mend  ", " " * 6}
    assert any(line.startswith("mend  params.yaml: ") for line in lines)
    assert lines[-1] == "to mend: programs, packages, git, dvc cache, params.yaml"


@pytest.fixture
def read_only(project: Repository) -> Iterator[Repository]:
    folders = [project.path, project.path / ".dvc"]
    for one in folders:
        one.chmod(0o555)
    yield Repository(project.path, real=True)
    for one in folders:
        one.chmod(0o755)


def test_in_a_read_only_folder_it_says_so(read_only: Repository) -> None:
    output = read_only.run(*OBEDIENT, "mnist", "doctor", code=1)
    assert "can't be written to: Permission denied" in " ".join(output.split())
    assert "ok    python: " in output
    assert "Traceback" not in output


def test_where_all_is_well_nothing_is_to_be_mended(project: Repository) -> None:
    (project.path / "requirements.lock").write_text(f"numpy=={version('numpy')}\n", "utf-8")
    output = Repository(project.path, real=True).run("mnist", "doctor")
    assert output.splitlines()[-1] == "nothing to mend"
    assert "note  source http://127.0.0.1" in output
    assert "ok    data: data/idx/ as in dvc.lock" in output
    assert "git: " in output
    assert project.status() == "?? requirements.lock\n"
