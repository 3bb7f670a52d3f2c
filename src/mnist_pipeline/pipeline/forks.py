"""Loads the libraries of the stages once, and forks for each command that `warm` sends; the fork becomes the stage.

Run as a script, on Linux, with a socket that leads to the runner; ends when the runner does. Nothing of this project is
loaded here: a stage takes that from its own tree. A fork has the process group, umask and limits of the runner.
"""

import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import types
from contextlib import suppress
from pathlib import Path

LIBRARIES = """
    numpy numpy.random torch safetensors.torch ruamel.yaml pydantic.type_adapter pydantic.fields pydantic.plugin._loader
    matplotlib.figure matplotlib.style matplotlib.backends.backend_agg
    PIL.BmpImagePlugin PIL.GifImagePlugin PIL.JpegImagePlugin PIL.PpmImagePlugin
"""  # not pandas, which starts threads, nor MLflow: one stage alone imports them
REQUESTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # to end: meant for the stages


class Forks:
    """The stages that run now, each with its process id and the socket that gets it, and then how it ended."""

    def __init__(self, runner: socket.socket) -> None:
        self.runner = runner
        self.running: dict[int, tuple[int, socket.socket]] = {}  # by the descriptor that tells when it has ended
        self.handlers = {number: signal.getsignal(number) for number in REQUESTS}  # as a stage would find them

    def load(self) -> None:
        """Import what stages import; SystemExit if that starts threads, which a fork would lack."""
        if self.handlers[signal.SIGINT] is signal.default_int_handler:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # ends the imports, without a word
        os.close(os.pidfd_open(os.getpid()))  # a kernel that has none says so here, before there is a stage
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
        self.runner.sendall(b"ready")
        while streams := self.next():
            signal.pthread_sigmask(signal.SIG_BLOCK, REQUESTS)  # until the fork is ready for them
            try:
                if (pid := os.fork()) == 0:
                    return streams
            except OSError as error:  # that one starts afresh
                print(f"no fork: {error}", flush=True)
                pid = 0
            signal.pthread_sigmask(signal.SIG_UNBLOCK, REQUESTS)
            os.close(streams[1])
            connection = socket.socket(fileno=streams[0])
            if pid:
                connection.sendall(b"%d\n" % pid)
                self.running[os.pidfd_open(pid)] = pid, connection
        os._exit(0)

    def next(self) -> list[int]:
        """The streams of the next request; meanwhile the runner is told of each stage that has ended."""
        while True:
            for ready in select.select([self.runner.fileno(), *self.running], [], [])[0]:
                if ready == self.runner.fileno():
                    return socket.recv_fds(self.runner, 1, 2)[1]
                pid, connection = self.running.pop(ready)
                _, status, usage = os.wait4(pid, 0)
                with connection:
                    connection.sendall(b"%d %f" % (status, usage.ru_utime + usage.ru_stime))
                os.close(ready)

    def become(self, request: int, log: int) -> None:
        """Be the stage, as if Python had just been started for it."""
        self.runner.close()
        for descriptor, (_, connection) in self.running.items():
            os.close(descriptor)
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
        signal.pthread_sigmask(signal.SIG_UNBLOCK, REQUESTS)
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
