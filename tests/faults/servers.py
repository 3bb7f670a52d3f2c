"""Web servers on 127.0.0.1 that do what no server should: they write to the bare connection."""

import gzip
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer

from cryptography import x509  # MLflow needs it
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.faults.mutations import PAGE

PAUSE = 0.02
ROUNDS = 100_000


class Connection:
    """One request: what was asked for, and a way to answer, byte by byte if need be."""

    def __init__(self, bare: socket.socket, folder: Path, address: str, over: threading.Event) -> None:
        self.bare, self.address, self.over = bare, address, over
        self.name = bare.recv(65536).split(b" ")[1].decode().strip("/")
        self.content = (folder / self.name).read_bytes() if (folder / self.name).is_file() else b""

    def send(self, *parts: bytes) -> None:
        for part in parts:
            self.bare.sendall(part)

    def head(self, length: int | None = None, status: str = "200 OK", **fields: str) -> None:
        named = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
        size = "" if length is None else f"Content-Length: {length}\r\n"
        self.send(f"HTTP/1.1 {status}\r\nConnection: close\r\n{size}{named}\r\n".encode())

    def trickle(self, content: bytes) -> None:
        """A byte at a time until the test is over, and no pause as long as a timeout."""
        for place in range(len(content)):
            self.send(content[place : place + 1])
            if self.over.wait(PAUSE):
                return

    def stall(self) -> None:
        self.over.wait()


Answer = Callable[[Connection], None]


def write_certificate(path: Path) -> Path:
    """A key and its own certificate for 127.0.0.1, of today."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    day = timedelta(days=1)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - day, now + day)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    encoding, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, plain)
    path.write_bytes(private + certificate.public_bytes(encoding))
    return path


@contextmanager
def serve(folder: Path, answer: Answer, certificate: Path | None = None) -> Iterator[str]:
    """The address of a server that answers each request for a file of the folder in this way, by https with one."""
    over = threading.Event()

    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError, IndexError):  # whoever asked gave up, or only looked whether anybody is there
                answer(Connection(self.request, folder, address, over))

    class Server(ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        address = f"http{'s' if certificate else ''}://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield address
        finally:
            over.set()
            server.shutdown()


def stalls_before_the_answer(to: Connection) -> None:
    to.stall()


def stalls_in_the_middle(to: Connection) -> None:
    to.head(len(to.content))
    to.send(to.content[: len(to.content) // 2])
    to.stall()


def trickles(to: Connection) -> None:
    to.head(len(to.content))
    to.trickle(to.content)


def trickles_its_header(to: Connection) -> None:
    to.send(b"HTTP/1.1 200 OK\r\nX: ")
    to.trickle(b"x" * ROUNDS)


def redirects_to_itself(to: Connection) -> None:
    to.head(0, "302 Found", Location=f"/{to.name}")


def redirects_on_and_on(to: Connection) -> None:
    to.head(0, "301 Moved Permanently", Location=f"{to.address}/x{to.name}")


def redirects_to(place: str) -> Answer:
    """To the file of the same name there."""
    return lambda to: to.head(0, "302 Found", Location=f"{place}/{to.name}")


def sends_it(to: Connection) -> None:
    to.head(len(to.content))
    to.send(to.content)


def redirects_to_a_file(to: Connection) -> None:
    to.head(0, "302 Found", Location="file:///etc/passwd")


def sends_too_much(to: Connection) -> None:
    to.head(len(to.content) + 1000)
    to.send(to.content, bytes(1000))


def never_stops(to: Connection) -> None:
    to.head()
    to.send(to.content, *([bytes(1 << 20)] * ROUNDS))


def never_stops_in_chunks(to: Connection) -> None:
    to.head(Transfer_Encoding="chunked")
    to.send(*([b"10000\r\n" + to.content[:2] + bytes(65534) + b"\r\n"] * ROUNDS))


def sends_another_file(to: Connection) -> None:
    other = gzip.compress(b"another file", mtime=0)
    to.head(len(other))
    to.send(other)


def sends_a_page(to: Connection) -> None:
    to.head(len(PAGE), Content_Type="text/html")
    to.send(PAGE)


def sends_nothing(to: Connection) -> None:
    to.head(0)


def closes_halfway(to: Connection) -> None:
    to.head(len(to.content))
    to.send(to.content[: len(to.content) // 2])


def closes_halfway_without_a_length(to: Connection) -> None:
    to.head()
    to.send(to.content[: len(to.content) // 2])


def closes_in_the_middle_of_a_chunk(to: Connection) -> None:
    to.head(Transfer_Encoding="chunked")
    to.send(b"%x\r\n" % len(to.content), to.content[:100])


def promises_too_little(to: Connection) -> None:
    to.head(len(to.content) - 1)
    to.send(to.content)


def closes_at_once(_: Connection) -> None:
    pass


def is_missing(to: Connection) -> None:
    to.head(len(PAGE), "404 Not Found")
    to.send(PAGE)


def fails(to: Connection) -> None:
    to.head(0, "500 Internal Server Error")


def speaks_another_language(to: Connection) -> None:
    to.send(b"220 ready\r\n" * 100)


def has_a_huge_header(to: Connection) -> None:
    to.send(b"HTTP/1.1 200 OK\r\n", *[b"X: y\r\n"] * 10_000, b"\r\n", to.content)


def compresses_on_the_way(to: Connection) -> None:
    packed = gzip.compress(to.content, mtime=0)
    to.head(len(packed), Content_Encoding="gzip")
    to.send(packed)


def calls_the_file_an_encoding(to: Connection) -> None:
    """As some servers do with all that ends in .gz: what they send is the file."""
    to.head(len(to.content), Content_Encoding="gzip")
    to.send(to.content)


def sends_in_chunks(to: Connection) -> None:
    to.head(Transfer_Encoding="chunked")
    to.send(b"%x\r\n" % len(to.content), to.content, b"\r\n0\r\n\r\n")
