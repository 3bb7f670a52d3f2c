"""Small disks: file systems in memory that can be filled to the last page and made read-only. Needs root."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PAGE = 4096
FILLER = "filler"


@contextmanager
def small(place: Path, mebibytes: int) -> Iterator[Path]:
    """A file system of that size at a new folder, until the block ends."""
    place.mkdir()
    _mount("-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", str(place))
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@contextmanager
def full(disk: Path, free: int) -> Iterator[None]:
    """Inside, only so many bytes are free, in whole pages."""
    filler = disk / FILLER
    with filler.open("wb") as stream:
        taken = shutil.disk_usage(disk).free - free
        os.posix_fallocate(stream.fileno(), 0, taken - taken % PAGE)
    try:
        yield
    finally:
        filler.unlink()


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Inside, nothing in this folder can be written, not by root either."""
    _mount("--bind", str(folder), str(folder))
    try:
        _mount("-o", "remount,bind,ro", str(folder))
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _mount(*arguments: str) -> None:
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise PermissionError(
            f"mount {' '.join(arguments)}: {done.stderr.strip()}; these tests fill small disks of their own: run them "
            "as root, in a container with --cap-add SYS_ADMIN"
        )
