"""Loads the libraries of the stages once, and forks for each command that `warm` sends; the fork becomes the stage.

Run as a script, on Linux, with a socket that leads to the runner; ends when the runner does. Nothing of this project is
loaded here: a stage takes that from its own tree. A fork has the process group, umask and limits of the runner.
"""

import gc
import importlib
import json
import os
import signal
import socket
import sys
import types
from contextlib import suppress
from pathlib import Path

LIBRARIES = """
    numpy torch torch.nn.functional torch.utils._python_dispatch safetensors.torch pydantic ruamel.yaml
    matplotlib.figure matplotlib.backends.backend_agg matplotlib.ticker PIL.PngImagePlugin
"""  # not pandas, which starts threads, nor MLflow: one stage alone imports them
REQUESTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # to end: meant for the stages
HELD = {*REQUESTS, signal.SIGCHLD}


class Forks:
    """The stages that run now, each with the socket that gets its process id, and how it ended."""

    def __init__(self, runner: socket.socket) -> None:
        self.runner = runner
        self.running: dict[int, socket.socket] = {}
        self.handlers = {number: signal.getsignal(number) for number in REQUESTS}  # as a stage would find them
        self.handlers[signal.SIGCHLD] = signal.SIG_DFL

    def load(self) -> None:
        """Import what stages import; SystemExit if that starts threads, which a fork would lack."""
        if self.handlers[signal.SIGINT] is signal.default_int_handler:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # ends the imports, without a word
        gc.disable()
        for name in LIBRARIES.split():
            importlib.import_module(name)
            if (threads := len(list(Path("/proc/self/task").iterdir()))) > 1:
                sys.exit(f"{name} has started threads: {threads} in all")
        gc.collect()
        gc.freeze()

    def serve(self) -> list[int]:
        """Fork for each command; returns only in a fork: its two streams, the request and the log."""
        for number in REQUESTS:
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, lambda *_: self.report())
        self.runner.sendall(b"ready")
        while streams := socket.recv_fds(self.runner, 1, 2)[1]:
            signal.pthread_sigmask(signal.SIG_BLOCK, HELD)  # until parent and fork are ready for them
            pid = os.fork()
            if pid == 0:
                return streams
            os.close(streams[1])
            self.running[pid] = socket.socket(fileno=streams[0])
            self.running[pid].sendall(b"%d\n" % pid)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD)
        os._exit(0)

    def report(self) -> None:
        """Tell the runner of each stage that has ended."""
        for pid in [*self.running]:
            ended, status, usage = os.wait4(pid, os.WNOHANG)
            if ended:
                with self.running.pop(pid) as connection:
                    connection.sendall(b"%d %f" % (status, usage.ru_utime + usage.ru_stime))

    def become(self, request: int, log: int) -> None:
        """Be the stage, as if Python had just been started for it."""
        for connection in (self.runner, *self.running.values()):
            connection.close()
        with socket.socket(fileno=request) as connection, connection.makefile("rb") as file:
            command, folder, environment = json.load(file)
        for stream in (1, 2):
            os.dup2(log, stream)
        os.close(log)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        gc.enable()
        sys.modules["numpy"].random.seed()  # Python's own generator is seeded anew by the fork
        with suppress(OSError):  # a name in `ps` and `top`, by which nothing goes
            Path("/proc/self/comm").write_text(" ".join([Path(command[0]).stem, *command[1:]])[:15], encoding="utf-8")
        for number, handler in self.handlers.items():
            signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD)
        path = Path(command[0]).absolute()
        sys.argv = command
        sys.path.insert(0, str(path.resolve().parent))
        main = sys.modules["__main__"] = types.ModuleType("__main__")
        main.__file__ = str(path)
        exec(compile(path.read_bytes(), str(path), "exec"), main.__dict__)  # noqa: S102


if __name__ == "__main__":
    del sys.path[0]  # nothing is imported from here
    forks = Forks(socket.socket(fileno=int(sys.argv[1])))
    forks.load()
    forks.become(*forks.serve())
