"""Whether the files of a registered version are those that were published: sums, and a signature where there is a key.

SHA256SUMS has a line for every file of a version, as `sha256sum --check` reads it; its own digest is a tag of the
version. That shows damage, not malice: whoever may write to the registry may write both. A signature in OpenSSF's
format can't be made without the private key.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile

from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.files import sha256_of
from mnist_pipeline.core.tables import CONTROL
from mnist_pipeline.training import checkpoints

SUMS, SIGNATURE = "SHA256SUMS", "model.sig"
PLAIN = "extra_files"  # where MLflow puts the files that `publish` gives it beside its own
FILES = "dvc.files.json"  # what DVC has of models/NAME, whose md5 is in dvc.lock: a list of its files with theirs
TAG = "sha256sums"  # of a version: the digest of SHA256SUMS
NETWORK = "network_sha256"  # of a version: the digest of its network's file
THEIRS = "whoever put it into the store should delete it there"
MEND = (
    f"pull it again; if it arrives so again: delete the version's tag {NETWORK} in MLflow (make ui), then "
    "`mnist publish` its commit, which uploads its files anew"
)
FORGED = "; if that is the right key, somebody else published or changed it: do not use it"
ADDED = ("registered_model_meta", "README.md")  # by MLflow, as it downloads; by `mnist pull`
NO_KEY = "sums"
SIGNING_KEY, VERIFYING_KEY = "MNIST_SIGNING_KEY", "MNIST_VERIFYING_KEY"  # name the files of an elliptic key, in PEM
PACKAGE = "model-signing==1.1.1 pyopenssl==26.4.0"


def marks(network: Path) -> dict[str, str]:
    """Tags of a version: the digest of its network's text, and of who signs, the SHA-256 of the public key in PEM.

    `publish` makes the files of a version anew that has others: another network may have given the same weights.
    Raises PipelineError when MNIST_SIGNING_KEY can't be used.
    """
    key = os.environ.get(SIGNING_KEY)
    signed = {} if key is None else {"signed": hashlib.sha256(_public(key)).hexdigest()}
    return {NETWORK: sha256_of(network)} | signed


def seal(folder: Path) -> str:
    """Write SHA256SUMS, and model.sig if MNIST_SIGNING_KEY names a private key; returns the digest of the sums.

    Raises PipelineError when the key can't be used.
    """
    sums = "".join(f"{digest}  {name}\n" for name, digest in _digests(folder).items() if name != SUMS)
    (folder / SUMS).write_text(sums, encoding="utf-8", newline="\n")
    if (key := os.environ.get(SIGNING_KEY)) is not None:
        with _explained(SIGNING_KEY, f"{SIGNING_KEY}: {key}: can't sign with it"):
            from model_signing import hashing, signing

            files = hashing.Config().set_ignored_paths(paths=[SIGNATURE, *ADDED])
            config = signing.Config().set_hashing_config(files).use_elliptic_key_signer(private_key=key)
            config.sign(folder, folder / SIGNATURE)
    return sha256_of(folder / SUMS)


def check(folder: Path, expected: str, what: str) -> None:
    """Hold every file against SHA256SUMS, that against its digest, all against MNIST_VERIFYING_KEY if there is one.

    Raises PipelineError, which begins with `what`, for a file or a signature that is missing or another; the network's
    file has to be there, whatever the sums list: without it nothing says which code the weights are for.
    """
    _check_sums(folder, expected, what, MEND)
    if standard() != NO_KEY:
        key = os.environ[VERIFYING_KEY]
        _verify(folder, key, f"{what}: {SIGNATURE} does not verify with {key} ({VERIFYING_KEY})")
    plain = folder / PLAIN
    network = checkpoints.load_manifest(plain).recipe.network if (plain / checkpoints.MANIFEST).is_file() else "*"
    for name in (checkpoints.WEIGHTS, checkpoints.MANIFEST, f"{network}.py"):
        if not (plain / name).is_file():
            raise PipelineError(f"{what}: there is no file {PLAIN}/{name}, and {SUMS} does not ask for it; {MEND}")


def checked(folder: Path) -> Path:
    """Where weights and model.json are in a folder that `mnist pull` made, once all its files are what its sums say.

    Without the registry nothing says that the sums are those that were published: only a signature does, if
    MNIST_VERIFYING_KEY names its key. Raises PipelineError as `check` does, and when it is another kind of folder.
    """
    if not (folder / SUMS).is_file():
        raise PipelineError(f"{folder}: expected a folder that `mnist pull` made, found no {SUMS} in it")
    check(folder, sha256_of(folder / SUMS), str(folder))
    return folder / PLAIN


def check_own(folder: Path, expected: str, what: str) -> None:
    """As `check`, for whoever published it: a signature has to be by MNIST_SIGNING_KEY, if there is one."""
    _check_sums(folder, expected, what, "somebody changed it in the store since it was uploaded")
    if (key := os.environ.get(SIGNING_KEY)) is not None:
        with NamedTemporaryFile() as public:
            public.write(_public(key))
            public.flush()
            _verify(folder, public.name, f"{what}: {SIGNATURE} is not by {key} ({SIGNING_KEY})")


def holds(folder: Path, expected: str) -> bool:
    """Whether `folder` has SHA256SUMS with this digest, and the plain files that it lists, and no others."""
    found = {f"{PLAIN}/{name}": digest for name, digest in _digests(folder).items()}
    listed = {name: digest for name, digest in _listed(folder).items() if name.startswith(f"{PLAIN}/")}
    return found == listed | {f"{PLAIN}/{SUMS}": expected}


def left_over(former: Path, new: Path) -> list[str]:
    """What was published of a version before, unchanged since, and is not among its new files; its signature, too."""
    stale = {name for name, _ in _digests(former).items() & _listed(former).items()} - _digests(new).keys()
    if (former / SIGNATURE).is_file() and not (new / SIGNATURE).is_file():
        stale.add(SIGNATURE)
    return sorted(stale)


def standard() -> str:
    """A name for what `check` asks for now, to keep apart what passed it and what passed less.

    Raises PipelineError when there is no such key.
    """
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    key = os.environ.get(VERIFYING_KEY)
    if key is None:
        return NO_KEY
    try:
        if not isinstance(load_pem_public_key(Path(key).read_bytes()), EllipticCurvePublicKey):
            raise ValueError("found another kind")
    except (OSError, ValueError) as error:
        said = f"{VERIFYING_KEY}: {key}: expected an elliptic public key in PEM: {error}"
        raise PipelineError(f"{said}; name its file, or unset the variable to go without signatures") from error
    return sha256_of(Path(key))


def _check_sums(folder: Path, expected: str, what: str, mend: str) -> None:
    for name in (SIGNATURE, *ADDED, f"{PLAIN}/{SUMS}"):
        if (folder / name).is_dir():
            raise PipelineError(f"{what}: {name} arrived as a folder, expected a file or nothing; {THEIRS}")
    found, listed = _digests(folder), _listed(folder) | {SUMS: expected}
    if hidden := [name for name in found if any(part.startswith(".") for part in Path(name).parts)]:
        said = f"{hidden[0]} is hidden, as no file that `publish` makes; git or an editor may run what such a file says"
        raise PipelineError(CONTROL.sub("?", f"{what}: {said}; {THEIRS}"))
    for name in (SUMS, *sorted(listed.keys() | found.keys())):
        if found.get(name) != listed.get(name):
            advice = mend if name in listed else THEIRS
            said = (
                f"{what}: {name} arrived with SHA-256 {found.get(name, 'of nothing: it is missing')}, expected "
                f"{listed.get(name, f'none: {SUMS} does not list it')}; {advice}"
            )
            raise PipelineError(CONTROL.sub("?", said))  # names and sums are whatever somebody wrote


def _digests(folder: Path) -> dict[str, str]:
    """Of all files of a version but its signature, also of SHA256SUMS, in the order of their names."""
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return {name: sha256_of(path) for name, path in files.items() if name not in (SIGNATURE, *ADDED)}


def _listed(folder: Path) -> dict[str, str]:
    """The digests in SHA256SUMS, by file; none where it is missing."""
    if not (folder / SUMS).is_file():
        return {}
    lines = (folder / SUMS).read_text(encoding="utf-8", errors="replace").splitlines()
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def _public(key: str) -> bytes:
    """The public half of a private key, in PEM, as `openssl ec -pubout` writes it."""
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

    with _explained(SIGNING_KEY, f"{SIGNING_KEY}: {key}: can't sign with it"):
        private = load_pem_private_key(Path(key).read_bytes(), None)
        if not isinstance(private, EllipticCurvePrivateKey):
            raise ValueError("expected an elliptic key")
    return private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _verify(folder: Path, key: str, otherwise: str) -> None:
    with _explained(VERIFYING_KEY, otherwise, FORGED):
        from model_signing import verifying

        verifying.Config().use_elliptic_key_verifier(public_key=key).verify(folder, folder / SIGNATURE)


@contextmanager
def _explained(variable: str, otherwise: str, advice: str = "") -> Iterator[None]:
    """Raise PipelineError for the want of the package that signs, and for whatever else goes wrong with a key."""
    try:
        yield
    except ImportError as error:
        raise PipelineError(f"{variable} is set, but {error}; install it: python -m pip install {PACKAGE}") from error
    except Exception as error:  # whatever a forged file makes the package raise
        raise PipelineError(f"{otherwise}: {str(error) or type(error).__name__}{advice}") from error
