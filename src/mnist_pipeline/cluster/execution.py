"""A stage on a worker: its declared dependencies in an empty folder, its command, and its declared outputs back."""

import hashlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from mnist_pipeline.cluster.messages import pack
from mnist_pipeline.core import paths
from mnist_pipeline.pipeline.commands import Commands, Work

SECONDS = 0.5  # between two looks for the state of a training
SILENT, LEAST = 30.0, 30 << 20  # seconds, and bytes: when fewer arrive in such a time, DVC's remote has failed
GET = [sys.executable, "-P", "-m", "dvc", "get-url"]
LASTING = ExitStack()  # ends with this process
DELETE = 'exec 3<&0; { read -r _ <&3; sleep 1; rm -rf -- "$0"; } &'  # a stage ends within a second of its worker


def execute(order: str, *contents: bytes) -> Iterator[bytes]:
    """Run one stage; yields the state of a training after each epoch, its outputs, and how it ended.

    `order` is JSON: `name`, `command`, `cwd`, `environment`, `inputs` and `outputs`, paths from the folder that stands
    for the repository; each of `contents` belongs to the input at its place. `remote`: path, md5 and place in DVC's
    remote of each further input; what lacks there is all that is then yielded. OSError: this machine's disk, say.
    """
    work = json.loads(order)
    with _folder() as folder, ThreadPoolExecutor(1) as pool:
        for path, content in zip(work["inputs"], contents, strict=True):
            _write(folder / path, content)
        tried = [(path, md5, fetch(md5, place, folder / path)) for path, md5, place in work["remote"]]
        if lacking := [one for one in tried if one[-1]]:
            yield pack(kind="lacking", files=lacking)
            return
        cwd = folder / work["cwd"]
        for parent in (cwd, *((folder / path).parent for path in work["outputs"])):
            parent.mkdir(parents=True, exist_ok=True)
        commands, sent = Commands(folder / paths.LOGS), dict[Path, int]()
        running = pool.submit(commands.run, _stage(work, folder))
        try:
            while not running.done():
                wait([running], SECONDS)
                yield from _kept(folder, cwd, sent)
        finally:
            commands.end()
        yield from _kept(folder, cwd, sent)
        ran = running.result()
        for output in work["outputs"] if ran.code == 0 else []:
            for file in _files(folder / output):
                yield pack(file.read_bytes(), kind="output", path=file.relative_to(folder).as_posix())
    figures = {"code": ran.code, "seconds": ran.seconds, "core_seconds": ran.core_seconds}
    yield pack(ran.output.encode(), kind="ended", **figures)  # last: then nothing of the stage is left here


def _stage(work: dict[str, Any], folder: Path) -> Work:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    environment = os.environ | work["environment"] | {"PATH": path, "DVC_ROOT": str(folder)}
    return Work(work["name"], ["/bin/sh", "-c", work["command"]], folder / work["cwd"], environment)


def _kept(folder: Path, cwd: Path, sent: dict[Path, int]) -> Iterator[bytes]:
    """What a training keeps beside its outputs, as far as it is new; a state after the files that it names."""
    found = [*_files(folder / paths.RESUME), *_files(cwd / paths.TIMINGS)]
    for file in sorted(found, key=lambda file: file.name == "state.safetensors"):
        with suppress(FileNotFoundError):  # it is replaced now
            written = file.stat().st_mtime_ns
            if file.suffix != ".part" and sent.get(file) != written:
                yield pack(file.read_bytes(), kind="kept", path=file.relative_to(folder).as_posix())
                sent[file] = written


def _files(path: Path) -> list[Path]:
    return [file for file in (path, *sorted(path.rglob("*"))) if file.is_file()]


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def fetch(md5: str, place: str, path: Path) -> str:
    """Bring a content from a path or URL, by DVC with this machine's own credentials; why it does not come, or nothing.

    It comes once in the life of this process, which is a run of `mnist repro`, and is hashed each time.
    """
    content = _fetched() / md5
    if not content.exists():
        getting, arrived = Commands(content.parent), -LEAST
        environment = os.environ | {"DVC_NO_ANALYTICS": "1"}
        work = Work("get-url", [*GET, place, str(content)], content.parent, environment)
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(getting.run, work)
            while wait([running], SILENT).not_done and (now := _bytes(content.parent)) - arrived >= LEAST:
                arrived = now
            if running.running():
                getting.end()
                return f"{place} sent less than {LEAST >> 20} MiB in {SILENT:.0f} s"
        if (ran := running.result()).code:
            return " ".join(ran.output.split())[:300] or f"{place}: DVC ended with {ran.code} and said nothing"
    with content.open("rb") as file:
        found = hashlib.file_digest(file, "md5").hexdigest()
    if found != md5:
        content.unlink()
        return f"{place} has an md5 of {found}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.hardlink_to(content)
    return ""


def _bytes(folder: Path) -> int:
    found = 0
    for file in _files(folder):
        with suppress(FileNotFoundError):  # DVC renames what has arrived
            found += file.stat().st_size
    return found


@cache
def _fetched() -> Path:
    """A folder that is deleted when this process ends."""
    return LASTING.enter_context(_folder())


@contextmanager
def _folder() -> Iterator[Path]:
    """An empty folder, deleted afterwards; when this process is killed, by one that Ray does not find and kill too."""
    folder = Path(tempfile.gettempdir()).resolve() / f"mnist-stage-{secrets.token_hex(8)}"
    delete = ["/bin/sh", "-c", DELETE, str(folder)]
    with subprocess.Popen(delete, stdin=subprocess.PIPE, start_new_session=True) as deleting:
        if code := deleting.wait():  # killed before it could part from us
            raise ChildProcessError(f"the process that deletes {folder} ended with {code}")
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
