"""Whether the files of a registered version are those that were published: sums, and a signature where there is a key.

SHA256SUMS has a line for every file of a version, as `sha256sum --check` reads it; its own digest is a tag of the
version. That shows damage. It does not show malice: whoever may write to the registry may write both. A signature in
OpenSSF's format, which `model_signing verify key` reads too, can't be made without the private key.
"""

import os
from pathlib import Path

from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.files import sha256_of

SUMS, SIGNATURE = "SHA256SUMS", "model.sig"
FILES = "dvc.files.json"  # what DVC has of models/NAME, whose md5 is in dvc.lock: a list of its files with theirs
TAG = "sha256sums"  # of a version: the digest of SHA256SUMS
ADDED = ("registered_model_meta", "README.md")  # by MLflow, as it downloads; by `mnist pull`
SIGNING_KEY, VERIFYING_KEY = "MNIST_SIGNING_KEY", "MNIST_VERIFYING_KEY"  # name the files of an elliptic key, in PEM
PACKAGE = "model-signing==1.1.1 pyopenssl==26.4.0"


def marks(network: Path) -> dict[str, str]:
    """Tags of a version: the network's text, since another may have given the same weights, and whether it is signed.

    `publish` makes the files of a version anew that has others.
    """
    signed = {"signed": "yes"} if os.environ.get(SIGNING_KEY) else {}
    return {"network_sha256": sha256_of(network)} | signed


def seal(folder: Path) -> str:
    """Write SHA256SUMS, and model.sig if MNIST_SIGNING_KEY names a private key; returns the digest of the sums.

    Raises PipelineError when the key can't be used.
    """
    sums = "".join(f"{digest}  {name}\n" for name, digest in _digests(folder).items())
    (folder / SUMS).write_text(sums, encoding="utf-8", newline="\n")
    if key := os.environ.get(SIGNING_KEY):
        _sign(folder, key)
    return sha256_of(folder / SUMS)


def check(folder: Path, expected: str, what: str) -> None:
    """Hold every file against SHA256SUMS, that against its digest, all against MNIST_VERIFYING_KEY if there is one.

    Raises PipelineError, which begins with `what`, for a file that is damaged, missing or not listed, and for a
    signature that is missing or not by that key.
    """
    found, lines = _digests(folder), list[str]()
    if (folder / SUMS).is_file():
        found[SUMS] = sha256_of(folder / SUMS)
        lines = (folder / SUMS).read_text(encoding="utf-8", errors="replace").splitlines()
    listed = {name: digest for digest, _, name in (line.partition("  ") for line in lines)} | {SUMS: expected}
    for name in (SUMS, *sorted(listed.keys() | found.keys())):
        if found.get(name) != listed.get(name):
            raise PipelineError(
                f"{what}: {name} arrived with SHA-256 {found.get(name, 'of nothing: it is missing')}, expected "
                f"{listed.get(name, f'none: {SUMS} does not list it')}; pull it again"
            )
    if key := os.environ.get(VERIFYING_KEY):
        _verify(folder, key, what)


def standard() -> str:
    """A name for what `check` asks for now, to keep apart what passed it and what passed less.

    Raises PipelineError when there is no such key.
    """
    key = os.environ.get(VERIFYING_KEY)
    if not key:
        return "sums"
    if not Path(key).is_file():
        raise PipelineError(f"{VERIFYING_KEY}: {key}: no such file; expected a public key in PEM")
    return sha256_of(Path(key))


def _digests(folder: Path) -> dict[str, str]:
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return {name: sha256_of(path) for name, path in files.items() if name not in (SUMS, SIGNATURE, *ADDED)}


def _sign(folder: Path, key: str) -> None:
    try:
        from model_signing import hashing, signing

        files = hashing.Config().set_ignored_paths(paths=[SIGNATURE, *ADDED])
        config = signing.Config().set_hashing_config(files).use_elliptic_key_signer(private_key=key)
        config.sign(folder, folder / SIGNATURE)
    except ImportError as error:
        raise _lacking(SIGNING_KEY, error) from error
    except (OSError, ValueError, TypeError) as error:  # TypeError: it has a password
        raise PipelineError(f"{SIGNING_KEY}: {key}: can't sign with it: {error}") from error


def _verify(folder: Path, key: str, what: str) -> None:
    try:
        from model_signing import verifying

        verifying.Config().use_elliptic_key_verifier(public_key=key).verify(folder, folder / SIGNATURE)
    except ImportError as error:
        raise _lacking(VERIFYING_KEY, error) from error
    except Exception as error:  # whatever a forged file makes the package raise
        raise PipelineError(
            f"{what}: {SIGNATURE} does not verify with {key} ({VERIFYING_KEY}): {str(error) or type(error).__name__}; "
            "if that is the right key, somebody else published or changed it: do not use it"
        ) from error


def _lacking(variable: str, error: ImportError) -> PipelineError:
    return PipelineError(f"{variable} is set, but {error}; install it: python -m pip install {PACKAGE}")
