"""A reverse proxy that lets only one user through, by HTTP basic authentication, as a team puts one before MLflow."""

import base64
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.server import proxy
from tests.server.proxy import Answer, Proxy


@dataclass
class Gate:
    """Where the proxy listens, who may pass, and how often somebody did or did not."""

    address: str = ""
    user: str = "publisher"
    password: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    passed: int = 0
    refused: int = 0

    @property
    def variables(self) -> dict[str, str]:
        """What a client needs in its environment."""
        secret = {"MLFLOW_TRACKING_USERNAME": self.user, "MLFLOW_TRACKING_PASSWORD": self.password}
        return {"MLFLOW_TRACKING_URI": self.address} | secret

    @property
    def token(self) -> str:
        """The password as it travels: in base64, together with the user."""
        return base64.b64encode(f"{self.user}:{self.password}".encode()).decode()

    def decide(self, request: Proxy, body: bytes) -> Answer:
        if request.headers.get("Authorization") != f"Basic {self.token}":
            self.refused += 1
            return 401, {"WWW-Authenticate": 'Basic realm="MLflow"'}, b"who are you?"
        self.passed += 1
        return request.pass_on(body)


@contextmanager
def before(address: str) -> Iterator[Gate]:
    """Guard this address until the block ends."""
    gate = Gate()
    with proxy.before(address, lambda request, body: gate.decide(request, body)) as gate.address:
        yield gate
