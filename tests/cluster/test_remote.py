"""Big inputs, which a node gets from DVC's remote; from the driver what that has not, or has wrong."""

import contextlib
import os
import shutil
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest
from dvc.repo import Repo

from mnist_pipeline.cluster import execution
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.pipeline import dvc_program, remote, repro
from mnist_pipeline.pipeline.commands import Work
from tests.cluster.conftest import left
from tests.cluster.test_stages import RUNTIME
from tests.pipeline.conftest import Project, shell

pytestmark = [pytest.mark.cluster, pytest.mark.filterwarnings("ignore")]
__all__ = ["shell"]
SIZE = 300_000
MD5 = "9a0364b9e99bb480dd25e1f0284c8555"  # of `content`


@contextlib.contextmanager
def served(folder: Path, wait: threading.Event | None = None) -> Any:
    """The URL of a folder, and the paths that were asked for; a request waits for the event half-way."""
    asked: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            asked.append(f"{self.command} {self.path}")

        def copyfile(self, source: Any, outputfile: Any) -> None:
            outputfile.write(source.read(3))
            if wait:
                wait.wait()
            super().copyfile(source, outputfile)

    with ThreadingHTTPServer(("127.0.0.1", 0), lambda *args: Handler(*args, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()


def test_big_inputs_come_from_the_remote_and_from_the_driver_when_that_is_damaged(
    shell: Project, two_nodes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder as the remote, then the same by HTTP, then with a damaged object, then nothing any more."""
    import ray

    from mnist_pipeline.cluster import driver

    monkeypatch.setattr(driver, "BIG", SIZE)
    Path("source").write_bytes(os.urandom(SIZE // 2))
    shell.write(
        data={"cmd": "mkdir data; cat source source >data/big; cp source data", "deps": ["source"], "outs": ["data"]},
        a={"cmd": "md5sum data/* >a", "deps": ["data"], "outs": ["a"]},
        b={"cmd": "cat data/big >b", "deps": ["data"], "outs": ["b"]},
    )
    shell.run()
    lock = Path("dvc.lock").read_bytes()
    store = tmp_path / "remote"
    dvc_program.run("remote", "add", "--default", "store", str(store))
    dvc_program.run("push", "data")

    def travelled(*expected: str) -> int:
        """Bytes through Ray when all runs again, and each line that is said has one of these words."""
        for path in (Path("dvc.lock"), Path(".dvc/cache/runs"), Path(".dvc/cache/files")):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        said: list[str] = []
        try:
            cluster = driver.Cluster(Path(".logs"), two_nodes.address, RUNTIME, said.append)
            assert sorted(repro.repro(1, {}, lambda _: True, commands=cluster)) == ["a", "b", "data"]
        finally:
            ray.shutdown()
        assert Path("dvc.lock").read_bytes() == lock
        assert [[word in line for word in expected] for line in said] == [[True] * len(expected)] * bool(expected)
        return cluster.travelled

    least = travelled()
    with served(store) as (url, asked):
        dvc_program.run("remote", "modify", "store", "url", url)
        assert travelled() == least
        assert len([line for line in asked if line.startswith("GET")]) in {1, 2}, "once for each process"
        (big,) = (path for path in store.glob("files/md5/*/*") if path.stat().st_size == SIZE)
        big.chmod(0o644)
        big.write_bytes(bytes(SIZE))
        assert travelled("note: ", "data/big", "has an md5 of") == least + SIZE
    assert travelled("note: ", "data/big", "does not exist") == least + SIZE
    dvc_program.run("remote", "default", "--unset")
    assert travelled() == least + SIZE


@pytest.mark.usefixtures("shell")
def test_nothing_is_left_of_what_a_remote_has_half_sent(
    two_nodes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    from mnist_pipeline.cluster import driver

    monkeypatch.setattr(driver, "BIG", 1)
    content = tmp_path / "remote/files/md5" / MD5[:2] / MD5[2:]
    content.parent.mkdir(parents=True)
    content.write_text("content", "utf-8")
    variables = {"DVC_ROOT": str(tmp_path), "DVC_STAGE": "a", "MNIST_REPRO": "a"}
    work = Work("a", ["true"], tmp_path, variables, {tmp_path / "source": MD5})
    sent = threading.Event()
    with served(tmp_path / "remote", sent) as (url, asked), ThreadPoolExecutor(1) as pool:
        dvc_program.run("remote", "add", "--default", "store", url)
        cluster = driver.Cluster(Path(".logs"), two_nodes.address, RUNTIME, print)
        running = pool.submit(cluster.run, work)
        while not any(line.startswith("GET") for line in asked):
            assert not running.done(), running.result()
            time.sleep(0.1)
        cluster.end()
        with pytest.raises(KeyboardInterrupt):
            running.result()
        ray.shutdown()
        assert left() == []
        assert not [one for one in psutil.process_iter(["cmdline"]) if "get-url" in (one.info["cmdline"] or ())]
        sent.set()


@pytest.fixture
def fetch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Fetches as a node does, into `got`; its process ends with the test."""
    monkeypatch.setattr(execution, "SILENT", 2.0)
    (tmp_path / "remote").mkdir()
    (tmp_path / "remote/content").write_text("content", "utf-8")
    execution._fetched.cache_clear()
    with execution.LASTING:
        yield lambda place: execution.fetch(MD5, place, tmp_path / "got")
    execution._fetched.cache_clear()


def test_what_does_not_come_from_a_remote_is_said(tmp_path: Path, fetch: Callable[[str], str]) -> None:
    store, stalled = tmp_path / "remote", threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert "less than 30 MiB in 2 s" in fetch(f"http://127.0.0.1:{silent.getsockname()[1]}/content")
    with served(store, stalled) as (url, _):
        assert "less than 30 MiB in 2 s" in fetch(f"{url}/content")
        stalled.set()
    assert "does not exist" in fetch(f"{url}/content"), "nobody listens"
    assert "does not exist" in fetch(str(store / "other"))
    assert not (tmp_path / "got").exists()
    assert fetch(str(store / "content")) == ""
    assert (tmp_path / "got").read_text("utf-8") == "content"


@pytest.mark.usefixtures("shell")
def test_credentials_stay_here() -> None:
    assert remote.places() is None
    for url, option in (("https://token@host/x", "url"), ("https://host/x?sig=1", "url"), ("basic", "auth")):
        with Repo() as repo, repo.config.edit("local") as config:
            config |= {"core": {"remote": "it"}, "remote": {"it": {"url": "https://host/x", option: url}}}
        with pytest.raises(PipelineError, match=r"^(the URL of )?it has .*credentials are not sent"):
            remote.places()
