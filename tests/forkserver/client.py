"""A program as a fork of the server that listens beside this file; if it says so, the real program.

Arguments, working directory, umask, environment and standard streams go to the server. From then on this process stands
for the fork: it passes signals on, and ends as the fork ends. If it is killed, the server kills the fork.
"""

import os
import signal
import socket
import sys

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


def main(folder: str, name: str, *arguments: str) -> None:
    real = os.path.join(os.path.dirname(sys.executable), name)
    command = arguments if name.startswith("python") else (real, *arguments)
    status = b""
    inline = command[:1] == ("-c",) and len(command) > 1
    if command and (inline or os.path.isfile(command[0])) and not os.isatty(1):  # with another option it starts as ever
        status = forked(os.path.join(folder, "socket"), command)
    if not status:
        os.execv(real, [real, *arguments])
    code = os.waitstatus_to_exitcode(int(status))
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


def forked(address: str, command: tuple[str, ...]) -> bytes:
    """Run a script as a fork of the server: the status it ended with, or nothing if it has to start afresh."""
    umask = os.umask(0)
    os.umask(umask)
    request = ascii((command, os.getcwd(), umask, dict(os.environ))).encode()
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(address)
        socket.send_fds(server, [len(request).to_bytes(4, "big")], [0, 1, 2])
        server.sendall(request)
        passing = [number for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
        for number in passing:
            signal.signal(number, lambda number, _: server.sendall(bytes([number])))
        status = server.recv(8)
        for number in passing:
            signal.signal(number, signal.SIG_DFL)
    return status


if __name__ == "__main__":
    main(*os.path.split(sys.argv[0]), *sys.argv[1:])
