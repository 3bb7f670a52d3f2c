"""What driver and workers tell each other: bytes, each a line of JSON with a file's content behind it.

Ray pickles what it carries; bytes and strings are all that it is given.
"""

import hashlib
import json
from typing import Any


def pack(content: bytes = b"", **header: Any) -> bytes:
    """One message; its header also says the SHA-256 of the content."""
    header["sha256"] = digest(content)
    return json.dumps(header).encode() + b"\n" + content


def unpack(message: bytes) -> tuple[dict[str, Any], bytes]:
    """Header and content. Raises ValueError when the content is not the one that was sent."""
    line, _, content = message.partition(b"\n")
    header: dict[str, Any] = json.loads(line)
    if digest(content) != header["sha256"]:
        raise ValueError(f"content arrived with a SHA-256 of {digest(content)}, expected {header['sha256']}")
    return header, content


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
