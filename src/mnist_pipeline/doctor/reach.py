"""Sources of the data and MLflow's store: what is elsewhere, and may keep one waiting."""

import sqlite3
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_pipeline.doctor.finding import Finding

if TYPE_CHECKING:
    from mnist_pipeline.core.params import Data

SECONDS = 4.0
UNNEEDED = "not needed while another source works"


def source(data: "Data", place: str) -> Finding:
    """Whether a source has the files: a folder all of them, a server the first, whose content is not fetched."""
    problem = _ask(data, place) if place.startswith(("https://", "http://")) else _look(data, place)
    if not problem:
        return Finding(f"source {place}", "ok", "serves the files")
    return Finding(f"source {place}", "note", problem, UNNEEDED)


def _ask(data: "Data", place: str) -> str:
    import requests

    from mnist_pipeline.data.sources import root_cause

    (_, file), *_ = data.files
    try:
        with requests.get(f"{place.rstrip('/')}/{file.file}", stream=True, timeout=SECONDS) as answer:
            size = answer.headers.get("Content-Length", "")
            if not answer.ok:
                return f"{file.file}: answered {answer.status_code} {answer.reason}"
            if file.bytes and size.isdecimal() and int(size) != file.bytes:  # some servers send what is no number
                return f"{file.file}: expected {file.bytes} bytes, found {size}"
    except requests.RequestException as error:
        return f"can't be reached: {root_cause(error)}"
    return ""


def _look(data: "Data", place: str) -> str:
    from mnist_pipeline.data.sources import local_path

    folder = local_path(place)
    missing = [file.file for _, file in data.files if not (folder / file.file).is_file()]
    if missing:
        return f"no {', '.join(missing)}"
    wrong = [file.file for _, file in data.files if file.bytes not in (None, (folder / file.file).stat().st_size)]
    return f"not of the size in params.yaml: {', '.join(wrong)}" if wrong else ""


def weigh(found: Iterable[Finding]) -> list[Finding]:
    """One source that works is enough, whatever became of the others; with none, all are to be mended."""
    sources = list(found)
    if any(one.state == "ok" for one in sources):
        return [one if one.state == "ok" else replace(one, state="note", advice=UNNEEDED) for one in sources]
    advice = "mend the network, or put the files into a folder and name that under data.sources"
    return [replace(one, state="mend", advice=advice) for one in sources]


def store(name: str) -> Finding:
    """MLflow's store: whether a database in a file can be written to, and what the registry holds."""
    from mnist_pipeline.registry import store

    shown, database = store.shown(store.address()), store.database()
    if not store.exists():
        return Finding("mlflow store", "note", f"{shown}: nothing is published yet", "make repro, or mnist publish")
    if database is not None:
        problem = _refused(database)
        if problem:
            return Finding(
                "mlflow store", "mend", f"{shown}: {problem}", "end who uses it, or mend its file and rights"
            )
    from mnist_pipeline.registry import connection, relocation, versions

    with connection.onlooker() as client:
        count = len(versions.all_of(client, name))
    moved = relocation.relocate(apply=False) if database is not None else []
    if moved:
        return Finding("mlflow store", "mend", f"was moved: {moved[0]}", "mnist relocate --apply")
    return Finding("mlflow store", "ok", f"{shown}: versions of {name}: {count}")


def _refused(database: Path) -> str:
    """Why nobody can write to a database now; empty when one can. Nothing is written."""
    try:
        link = sqlite3.connect(f"{database.as_uri()}?mode=rw", uri=True, timeout=1)
        try:
            link.execute("BEGIN IMMEDIATE")
            link.rollback()
        finally:
            link.close()
    except sqlite3.Error as error:
        return str(error)
    return ""
