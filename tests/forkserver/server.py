"""Forks programs from a process in which everything heavy is loaded; `client.py` asks for them. Linux only.

Prints the folder of its programs and serves until its standard input ends. Libraries may have read the environment when
they were imported, so a client must have the same one, but for variables that are read at each use; any other client is
told to start the real program. A fork takes the project's own code from its repository: nothing of it is loaded here.
"""

import ast
import atexit
import gc
import importlib
import logging
import os
import runpy
import select
import shutil
import signal
import socket
import sys
import tempfile
import threading
import types
from collections.abc import Mapping
from pathlib import Path

CLIENT, ROOT = Path(__file__).with_name("client.py"), Path(__file__).parents[2]
PROGRAMS = ("mnist", "dvc", "mlflow", "python3", "python")
LIBRARIES = """
    alembic.command alembic.config configobj dulwich.ignore dulwich.worktree dvc._debug dvc.cachemgr dvc.cli.parser
    dvc.data_cloud dvc.lock dvc.repo.artifacts dvc.repo.datasets dvc.repo.graph dvc.repo.index dvc.repo.metrics
    dvc.repo.params dvc.repo.plots dvc.repo.reproduce dvc.repo.stage dvc.repo.trie dvc.rwlock dvc.scm
    dvc.utils.strictyaml dvc_data.hashfile.db.local dvc_data.index dvc_render.vega filelock
    fsspec.implementations.memory git graphlib matplotlib.backends.backend_agg matplotlib.figure mlflow.cli
    mlflow.pyfunc.model mlflow.pytorch
    mlflow.store.model_registry.sqlalchemy_store mlflow.store.model_registry.sqlalchemy_workspace_store
    mlflow.store.tracking.sqlalchemy_store mlflow.store.tracking.sqlalchemy_workspace_store
    mlflow.tracing.processor.base_mlflow networkx opentelemetry.sdk.metrics.export PIL.PngImagePlugin platformdirs
    pyarrow.pandas_compat pydantic.dataclasses ruamel.yaml safetensors.torch scmrepo.git sqlalchemy.dialects.sqlite
    tabulate torch._dynamo torch._export.non_strict_utils torch.export typer.main
"""  # what commands and stages were seen to import
READ_AT_USE = (
    "DVC_",
    "GIT_",
    "MLFLOW_",
    "MNIST_",
    "ORT_",
    "PATH",
    "PYTHONPATH",
    "TMPDIR",
    "COLUMNS",
    "LINES",  # set for the workers of pytest-xdist, as COLUMNS
    "PWD",
    "OLDPWD",
    "SHLVL",
    "_",
)
SET_AT_USE = ("CUBLAS_WORKSPACE_CONFIG", "TORCHINDUCTOR_CACHE_DIR")  # by this project and by torch


class Request:
    """What a client asks for: a script with arguments, its folder, umask, environment and three streams."""

    def __init__(self, client: socket.socket) -> None:
        size, self.streams, *_ = socket.recv_fds(client, 4, 3)
        content = client.recv(int.from_bytes(size, "big"), socket.MSG_WAITALL)
        self.command, self.folder, self.umask, self.environment = ast.literal_eval(content.decode())

    def run(self) -> None:
        """Be the process that the client asked for."""
        for number, stream in enumerate(self.streams):
            os.dup2(stream, number)
            os.close(stream)
        os.chdir(self.folder)
        os.umask(self.umask)
        os.environ.clear()
        os.environ.update(self.environment)
        script, *arguments = self.command
        path = Path(script).absolute()  # as Python has it, while argv is as given
        if script == "-c":
            content, *arguments = arguments
        else:
            content = path.read_bytes()
        places = [str(path.parent), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
        sys.path[:0] = map(os.path.abspath, places)
        sys.argv = [script, *arguments]
        tempfile.tempdir = None  # to be found anew
        sys.modules["numpy"].random.seed()  # Python's own generator is seeded anew by the fork
        try:
            main = sys.modules["__main__"] = types.ModuleType("__main__")
            if script != "-c":
                main.__file__ = str(path)
            exec(compile(content, str(path), "exec"), main.__dict__)  # noqa: S102
        except SystemExit as ended:
            end(ended.code)
        end(None)


def end(code: object) -> None:
    """What Python does at the end of a process, short of taking apart the many objects shared with the server."""
    if not isinstance(code, int | None):
        print(code, file=sys.stderr)
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit((code or 0) & 0xFF)


def load() -> None:
    """Import the libraries, with the switches that this project sets for MLflow."""
    del sys.path[0]  # this folder
    before = dict(os.environ)
    os.environ["JE_ARROW_MALLOC_CONF"] = "background_thread:false"  # of Arrow, which pandas loads
    runpy.run_path(str(ROOT / "src/mnist_pipeline/registry/__init__.py"))
    for name in LIBRARIES.split():
        importlib.import_module(name)
    logging.getLogger().handlers.clear()  # mlflow.pytorch leaves one there, which would say what DVC says once more
    os.environ.clear()
    os.environ.update(before)
    assert not [name for name in sys.modules if name.startswith("mnist_pipeline")]
    assert len(list(Path("/proc/self/task").iterdir())) == 1, "a fork has only one of the threads"
    gc.collect()
    gc.freeze()


def serve(folder: Path) -> Request:
    """Fork for each client; who comes before all is loaded waits. Returns only in the fork that is to run."""
    fixed = _fixed(os.environ)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "socket"))
        listener.listen()
        print(folder, flush=True)
        load()
        signal.signal(signal.SIGINT, signal.default_int_handler)  # where it is ignored, it is not passed on
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who watch
        while True:
            if sys.stdin in select.select([sys.stdin, listener], [], [])[0]:
                shutil.rmtree(folder)
                os.killpg(0, signal.SIGKILL)  # this process and all its forks
            client, _ = listener.accept()
            with client:
                if os.fork() == 0:
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    listener.close()
                    request = Request(client)
                    if _fixed(request.environment) != fixed:
                        os._exit(0)
                    pid = os.fork()
                    if pid == 0:
                        return request
                    watch(client, pid)


def _fixed(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that have to be the server's."""
    return {name: value for name, value in environment.items() if not name.startswith((*READ_AT_USE, *SET_AT_USE))}


def watch(client: socket.socket, pid: int) -> None:
    """Be the parent of a fork: pass on the signals that the client gets, and tell it how the fork ended."""
    ended = os.pidfd_open(pid)
    while ended not in select.select([client.fileno(), ended], [], [])[0]:
        try:
            os.kill(pid, client.recv(1)[0])
        except (ConnectionError, IndexError):  # the client was killed
            os.kill(pid, signal.SIGKILL)
            os._exit(1)
    client.sendall(b"%d" % os.waitpid(pid, 0)[1])
    os._exit(0)


def install() -> Path:
    """A folder with the client under the name of each program."""
    folder = Path(tempfile.mkdtemp(prefix="forkserver-"))
    for name in PROGRAMS:
        program = folder / name
        program.write_text(f"#!{sys.executable} -IS\n{CLIENT.read_text(encoding='utf-8')}", encoding="utf-8")
        program.chmod(0o755)
    return folder


if __name__ == "__main__":
    serve(install()).run()
