"""Every file of a version is one that was published, a key shows malice too, and nothing that is registered is run."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.files import sha256_of
from mnist_pipeline.registry import integrity
from tests.repository import ROOT, Repository

NETWORK = "extra_files/mlp_28.py"
PAGE = """
from mnist_pipeline.app import library
from mnist_pipeline.core import errors
with errors.program():
    print(library.registered("tiny").classifier(1))
"""
KEYS = """
import sys
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import ec
for name in sys.argv[1:]:
    key = ec.generate_private_key(ec.SECP256R1())
    plain, pem = form.NoEncryption(), form.Encoding.PEM
    open(name, "wb").write(key.private_bytes(pem, form.PrivateFormat.PKCS8, plain))
    open(f"{name}.pub", "wb").write(key.public_key().public_bytes(pem, form.PublicFormat.SubjectPublicKeyInfo))
"""


def copy(built: Path, target: Path) -> Repository:
    """A copy of the built repository that has published to a store of its own."""
    ignored = shutil.ignore_patterns(".mlflow", "output.txt", "tmp")
    repository = Repository(Path(shutil.copytree(built, target, ignore=ignored)))
    repository.run("mnist", "publish")
    return repository


@pytest.fixture(scope="module")
def registered(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return copy(built, tmp_path_factory.mktemp("integrity") / "project")


@pytest.fixture
def store(registered: Repository, tmp_path: Path) -> Iterator[Repository]:
    """It, and after the test its store as it was before; the database stays the same file, since it is open."""
    shutil.copytree(registered.path / ".mlflow", tmp_path / "before")
    yield registered
    for folder in ("artifacts", "fetched"):
        shutil.rmtree(registered.path / ".mlflow" / folder, ignore_errors=True)
    shutil.copytree(tmp_path / "before", registered.path / ".mlflow", dirs_exist_ok=True)


def champion(repository: Repository) -> Path:
    """The folder in which the store has the files of version 1."""
    manifests = (repository.path / ".mlflow").rglob("extra_files/model.json")
    return next(path.parents[1] for path in manifests if json.loads(path.read_bytes())["model"] == "plain")


def page(repository: Repository, folder: Path, **run: Any) -> str:
    """What the page gets when somebody chooses version 1."""
    (folder / "page.py").write_text(PAGE, "utf-8")
    return repository.run("python3", str(folder / "page.py"), **run)


def marking(marker: Path) -> str:
    return f"\nopen({str(marker)!r}, 'w').close()\n"


def forge(repository: Repository, marker: Path) -> None:
    """What somebody who may write to the registry can do: files that run code, and sums and a digest that fit them."""
    folder = champion(repository)
    network, named = (folder / NETWORK).read_text("utf-8"), (folder / "MLmodel").read_text("utf-8")
    (folder / NETWORK).write_text(network + marking(marker), "utf-8")
    (folder / "MLmodel").write_text(named.replace("loader_module: mlflow.pytorch", "loader_module: forged"), "utf-8")
    (folder / "forged.py").write_text(marking(marker), "utf-8")
    retag(repository, integrity.seal(folder))


def retag(repository: Repository, digest: str) -> None:
    which = "WHERE key = 'sha256sums' AND version = 1"
    repository.query(f"UPDATE model_version_tags SET value = '{digest}' {which}")  # noqa: S608


RENEW = "DELETE FROM model_version_tags WHERE key = 'network_sha256' AND version = 1"  # so that `publish` does


def test_sums_cover_every_file_as_sha256sum_reads_them_and_their_digest_is_a_tag(
    registered: Repository, tmp_path: Path
) -> None:
    registered.run("mnist", "pull", str(tmp_path / "pulled"))
    registered.run(
        "mlflow", "artifacts", "download", "-u", "models:/tiny@champion", "-d", str(tmp_path / "downloaded"),
        MLFLOW_TRACKING_URI="sqlite:///.mlflow/mlflow.db",
    )  # fmt: skip
    for folder, added in (("pulled", "README.md"), ("downloaded", "registered_model_meta")):
        there = tmp_path / folder
        files = {path.relative_to(there).as_posix() for path in there.rglob("*") if path.is_file()}
        lines = (there / integrity.SUMS).read_text("utf-8").splitlines()
        assert {line.split("  ", 1)[1] for line in lines} == files - {integrity.SUMS, added, "registered_model_meta"}
        subprocess.run(["sha256sum", "--check", "--strict", "--quiet", integrity.SUMS], cwd=there, check=True)
        tags = registered.query("SELECT value FROM model_version_tags WHERE key = 'sha256sums' AND version = 1")
        assert tags == [(sha256_of(there / integrity.SUMS),)]


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("data/model.pt2", lambda path: path.write_bytes(path.read_bytes()[:1000]), "arrived with SHA-256"),
        (NETWORK, lambda path: path.write_bytes(path.read_bytes() + b"\n"), "arrived with SHA-256"),
        ("MLmodel", lambda path: path.write_bytes(path.read_bytes() + b"\n"), "arrived with SHA-256"),
        ("extra_files/model.json", lambda path: path.unlink(), "arrived with SHA-256 of nothing: it is missing"),
        ("extra_files/json.py", lambda path: path.touch(), "expected none: SHA256SUMS does not list it"),
        ("SHA256SUMS", lambda path: path.write_bytes(path.read_bytes()[:-1]), "arrived with SHA-256"),
        ("SHA256SUMS", lambda path: path.unlink(), "arrived with SHA-256 of nothing: it is missing"),
    ],
)
def test_any_file_that_is_another_is_refused_by_pull_and_by_the_page(
    name: str,
    damage: Callable[[Path], object],
    message: str,
    store: Repository,
    tmp_path: Path,
) -> None:
    damage(champion(store) / name)
    output = store.run("mnist", "pull", str(tmp_path / "new"), code=1)
    assert f"error: tiny version 1 (plain): {name} " in output
    assert message in output
    assert not (tmp_path / "new").exists()
    assert f"{name} arrived with" in page(store, tmp_path, code=1)


@pytest.mark.parametrize(("name", "message"), [
    (NETWORK, "there is no file extra_files/mlp_28.py, and SHA256SUMS does not ask for it"),
    ("extra_files/model.json", "there is no file extra_files/model.json"),
    ("registered_model_meta", "registered_model_meta"),
    ("README.md", "README.md arrived as a folder"),
    ("extra_files/SHA256SUMS", "extra_files/SHA256SUMS arrived as a folder"),
])  # fmt: skip
def test_what_is_no_file_is_refused_though_the_sums_fit(
    name: str, message: str, store: Repository, tmp_path: Path
) -> None:
    """By pull, by the page, and by whoever predicts with the folder: without the network's file nothing is compared."""
    store.run("mnist", "pull", str(tmp_path / "pulled"))
    theirs = champion(store)
    for folder in (theirs, tmp_path / "pulled"):
        (folder / name).unlink(missing_ok=True)
        if "no file" not in message:
            (folder / name).mkdir()
            (folder / name / "inner").touch()
        (folder / integrity.SUMS).unlink()
        integrity.seal(folder)
    retag(store, sha256_of(theirs / integrity.SUMS))
    for command in (("pull", str(tmp_path / "new")), ("predict", "--from", str(tmp_path / "pulled"), "0.png")):
        output = store.run("mnist", *command, code=1)
        assert message in output
        assert len(output.splitlines()) == 1
    output = page(store, tmp_path, code=1)
    assert message in output
    assert "Traceback" not in output


@pytest.mark.parametrize("name", [".git/config", "extra_files/.envrc"])
def test_what_is_hidden_is_refused_though_the_sums_fit(name: str, store: Repository, tmp_path: Path) -> None:
    """`git status` in a pulled folder, as many a prompt calls it, would run what `.git/config` names."""
    hidden = champion(store) / name
    hidden.parent.mkdir(exist_ok=True)
    hidden.write_text("[core]\n\tfsmonitor = touch marker\n", "utf-8")
    retag(store, integrity.seal(champion(store)))
    assert f"{name} is hidden" in store.run("mnist", "pull", str(tmp_path / "new"), code=1)
    assert not (tmp_path / "new").exists()
    assert f"{name} is hidden" in page(store, tmp_path, code=1)


def test_sums_that_are_no_text_are_refused_in_one_line(store: Repository, tmp_path: Path) -> None:
    (champion(store) / integrity.SUMS).write_bytes(b"\xff\xfe\n\0  \xff\n")
    retag(store, sha256_of(champion(store) / integrity.SUMS))
    (output,) = store.run("mnist", "pull", str(tmp_path / "new"), code=1).splitlines()
    assert output.startswith("error: tiny version 1 (plain): ")


def test_what_somebody_wrote_does_not_command_a_terminal(store: Repository, tmp_path: Path) -> None:
    """Tags of a version, names of its files; nor does a number too large, or a link to nothing, end in a traceback."""
    odd, (metrics,) = f"{chr(27)}[2J", (store.path / ".mlflow").rglob("metrics/plain.json")
    which = "WHERE key IN ('model', 'candidate') AND version = 2"
    store.query(f"UPDATE model_version_tags SET value = '{odd}' {which}")  # noqa: S608
    metrics.write_text(json.dumps(json.loads(metrics.read_bytes()) | {"test_accuracy": 10**400}), "utf-8")
    refused = [store.run("mnist", "promote", "2", "--reason", "odd", code=1)]
    refused += [store.run("mnist", "pull", str(tmp_path / "new"), code=1)]
    (champion(store) / odd).touch()
    refused += [store.run("mnist", "pull", str(tmp_path / "new"), code=1)]
    (champion(store) / odd).unlink()
    retag(store, odd)
    refused += [store.run("mnist", "pull", str(tmp_path / "new"), code=1)]
    (champion(store) / "link").symlink_to(tmp_path / "nowhere")
    refused += [store.run("mnist", "pull", str(tmp_path / "new"), code=1), store.run("mnist", "publish", code=1)]
    reasons = "can't be champion (?[2J", "card needs (Overflow", "File ?[2J", "expected ?[2J", "/link'", "/link'"
    for output, reason in zip(refused, reasons, strict=True):
        assert reason in output
        assert len(output.splitlines()) == 1
        assert odd not in output


def test_what_the_page_keeps_is_fetched_again_when_it_was_damaged(store: Repository, tmp_path: Path) -> None:
    page(store, tmp_path)
    (weights,) = (store.path / ".mlflow/fetched").rglob("weights.safetensors")
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + b"!")
    page(store, tmp_path)
    assert weights.read_bytes() == whole


def test_what_is_registered_is_never_run(store: Repository, tmp_path: Path) -> None:
    """Neither the network's file nor what MLmodel names, though sums and tag fit; --commit and the page refuse it."""
    marker = tmp_path / "marker"
    forge(store, marker)
    picture, path = next((store.path / "results/data").glob("*.png")), f"{ROOT / 'src'}:{champion(store)}"
    store.run("mnist", "pull", str(tmp_path / "new"), PYTHONPATH=path)
    said = store.run("mnist", "predict", "--model", str(tmp_path / "new/extra_files"), str(picture), code=1)
    assert "is the network of these weights" in said
    said = store.run("mnist", "pull", "--commit", "HEAD", "--model", "plain", str(tmp_path / "other"), code=1)
    assert "mlp_28.py has md5" in said
    assert "as dvc.lock of HEAD" in said
    assert "mnist lineage --version 1" in page(store, tmp_path, code=1, PYTHONPATH=path)
    assert not marker.exists()
    assert not (tmp_path / "other").exists()


def test_a_commit_is_held_against_dvc_lock_whatever_the_tags_say(store: Repository, tmp_path: Path) -> None:
    arguments = ("mnist", "pull", "--commit", "HEAD", "--model", "plain")
    store.run(*arguments, str(tmp_path / "right"))
    weights = champion(store) / "extra_files/weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    retag(store, integrity.seal(champion(store)))
    assert "weights.safetensors has md5" in store.run(*arguments, str(tmp_path / "wrong"), code=1)
    listing = champion(store) / integrity.FILES
    listing.write_bytes(listing.read_bytes() + b" ")
    retag(store, integrity.seal(champion(store)))
    assert "dvc.files.json has md5" in store.run(*arguments, str(tmp_path / "wrong"), code=1)


def test_publish_makes_the_files_anew_of_what_has_no_sums_or_another_text_of_its_network(
    store: Repository, tmp_path: Path
) -> None:
    store.query("DELETE FROM model_version_tags WHERE key IN ('sha256sums', 'network_sha256')")
    assert "`mnist publish` its commit again" in store.run("mnist", "pull", str(tmp_path / "new"), code=1)
    before = store.published()
    shutil.rmtree(champion(store))
    store.run("mnist", "publish")
    assert store.published() == before
    store.run("mnist", "pull", str(tmp_path / "new"))
    network = store.path / "src/mnist_pipeline/networks/mlp_28.py"
    given = network.read_bytes()
    try:
        network.write_bytes(given + b"# a remark\n")
        store.run("mnist", "publish", PYTHONPATH="src")
        store.run("mnist", "pull", str(tmp_path / "newer"))
        assert (tmp_path / "newer" / NETWORK).read_bytes() == network.read_bytes()
        assert store.published() == before
    finally:
        network.write_bytes(given)


def test_publish_brings_back_the_files_that_the_store_has_lost(store: Repository, tmp_path: Path) -> None:
    artifacts = store.path / ".mlflow/artifacts"
    before, files = store.published(), {path.relative_to(artifacts) for path in artifacts.rglob("*")}
    shutil.rmtree(artifacts)
    assert "`mnist publish` its commit again" in store.run("mnist", "pull", str(tmp_path / "new"), code=1)
    assert "tiny version 1 (plain): the store has lost its files; uploading" in store.run("mnist", "publish")
    store.run("mnist", "pull", str(tmp_path / "new"))
    assert {path.relative_to(artifacts) for path in artifacts.rglob("*")} == files
    assert store.published() == before
    assert "lost" not in store.run("mnist", "publish")


@pytest.mark.parametrize("name", ["MLmodel", "extra_files/model.json"])
def test_what_is_said_of_a_damaged_file_mends_it(name: str, store: Repository, tmp_path: Path) -> None:
    (champion(store) / name).write_bytes(b"damaged")
    output = store.run("mnist", "pull", str(tmp_path / "new"), code=1)
    assert "delete the version's tag network_sha256 in MLflow (make ui), then `mnist publish` its commit" in output
    store.query(RENEW)
    store.run("mnist", "publish")
    store.run("mnist", "pull", str(tmp_path / "new"))


def test_files_of_an_earlier_upload_are_removed_and_those_of_others_named(store: Repository, tmp_path: Path) -> None:
    """Such as a version of MLflow gave that named them otherwise, and a signature of what was there."""
    folder, theirs = champion(store), champion(store) / "notes.txt"
    stale = [folder / "data/model.old", folder / integrity.SIGNATURE]
    for file in stale:
        file.write_text("old")
    retag(store, integrity.seal(folder))
    theirs.write_text("theirs")
    store.query(RENEW)
    output = store.run("mnist", "publish", code=1)
    assert "tiny version 1 (plain): notes.txt arrived with SHA-256 " in output
    assert "SHA256SUMS does not list it; whoever put it into the store should delete it there" in output
    assert f"uploads to {folder.as_uri()}; when nobody else" in output
    assert [file for file in (*stale, theirs) if file.exists()] == [theirs]
    theirs.unlink()
    store.run("mnist", "publish")
    store.run("mnist", "pull", str(tmp_path / "new"))
    assert store.query("SELECT count(*) FROM model_version_tags WHERE key = 'network_sha256'") == [(2,)]


MEDDLING = """
from mlflow.tracking import MlflowClient
from mnist_pipeline.registry import publishing
set_tag = MlflowClient.set_model_version_tag
def set_and_lose(client, name, version, key, value):
    set_tag(client, name, version, key, "0" * 64 if key == "sha256sums" else value)
MlflowClient.set_model_version_tag = set_and_lose
publishing.publish(["plain", "weak"])
"""


def test_a_publisher_whose_files_another_replaces_each_time_gives_up_and_the_next_one_begins_again(
    store: Repository, tmp_path: Path
) -> None:
    store.query(RENEW)
    (tmp_path / "meddling.py").write_text(MEDDLING, "utf-8")
    output = store.run("python3", str(tmp_path / "meddling.py"), code=1)
    assert "tiny version 1 (plain): SHA256SUMS arrived with SHA-256 " in output
    assert "That was so after each of 3 uploads to file://" in output
    store.run("mnist", "publish")
    store.run("mnist", "pull", str(tmp_path / "new"))


SNIPPET = (ROOT / "README.md").read_text("utf-8").split("```python\n")[1].split("```")[0]


def test_the_readme_s_way_without_mlflow_works_as_it_stands(registered: Repository, tmp_path: Path) -> None:
    registered.run("mnist", "pull", str(tmp_path / "champion"))
    show = (
        "\nimport sys\nprint(tuple(probabilities.shape), round(float(probabilities.sum()), 4), 'mlflow' in sys.modules)"
    )
    found = subprocess.run(
        [sys.executable, "-c", SNIPPET + show], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert found.stdout == "(1, 10) 1.0 False\n"


@pytest.mark.parametrize("variable", [integrity.SIGNING_KEY, integrity.VERIFYING_KEY])
def test_a_key_without_the_package_says_what_to_install(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, key = tmp_path / "sealed", tmp_path / "ours"
    subprocess.run([sys.executable, "-c", KEYS, "ours"], cwd=tmp_path, check=True)
    folder.mkdir()
    digest = integrity.seal(folder)
    monkeypatch.setenv(variable, str(key) if variable == integrity.SIGNING_KEY else f"{key}.pub")
    monkeypatch.setitem(sys.modules, "model_signing", None)
    with pytest.raises(PipelineError, match=rf"^{variable} is set, but .*; install it: .* model-signing==1\.1\.1 "):
        integrity.seal(folder) if variable == integrity.SIGNING_KEY else integrity.check(folder, digest, "it")


@pytest.mark.parametrize("key", ["", "absent.pub", "ours", "rsa.pub"])
def test_what_is_no_public_key_is_said_to_be_none_and_accuses_nobody(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty name, as of a variable that was misspelt, a file that is not there, a private key, and another kind."""
    monkeypatch.chdir(tmp_path)
    public = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    (tmp_path / "rsa.pub").write_bytes(rsa.generate_private_key(65537, 2048).public_key().public_bytes(*public))
    subprocess.run([sys.executable, "-c", KEYS, "ours"], check=True)
    (tmp_path / "sealed").mkdir()
    digest = integrity.seal(tmp_path / "sealed")
    monkeypatch.setenv(integrity.VERIFYING_KEY, key)
    with pytest.raises(PipelineError, match=f"^MNIST_VERIFYING_KEY: {key}: expected an elliptic public key in PEM: "):
        integrity.check(tmp_path / "sealed", digest, "it")


@pytest.mark.parametrize("key", ["", "rsa"])
def test_a_key_that_can_not_sign_is_named(key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    plain = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (tmp_path / "rsa").write_bytes(rsa.generate_private_key(65537, 2048).private_bytes(*plain))
    monkeypatch.setenv(integrity.SIGNING_KEY, key)
    with pytest.raises(PipelineError, match=f"^MNIST_SIGNING_KEY: {key}: can't sign with it: "):
        integrity.marks(tmp_path / "rsa")


def test_a_version_is_signed_again_when_the_key_is_another(store: Repository, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KEYS, "ours", "theirs"], cwd=tmp_path, check=True)
    (tmp_path / "model_signing.py").write_text("raise ImportError('it is not here')", "utf-8")
    ours, path = sha256_of(tmp_path / "ours.pub"), f"{ROOT / 'src'}:{tmp_path}"
    tag = f"INSERT INTO model_version_tags (name, version, key, value) SELECT name, version, 'signed', '{ours}'"
    store.query(f"{tag} FROM model_versions")
    for name, code in (("ours", 0), ("theirs", 1)):
        key = {integrity.SIGNING_KEY: str(tmp_path / name), "PYTHONPATH": path}
        output = store.run("mnist", "publish", code=code, **key)
        assert ("MNIST_SIGNING_KEY is set, but it is not here" in output) == (name == "theirs")
    absent = store.run("mnist", "publish", code=1, **{integrity.SIGNING_KEY: "absent.pem"})
    assert "error: MNIST_SIGNING_KEY: absent.pem: can't sign with it: [Errno 2] No such file" in absent


@pytest.mark.signing
def test_a_signature_is_verified_by_the_package_by_pull_and_by_the_page(built: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KEYS, "ours", "theirs"], cwd=tmp_path, check=True)
    ours, theirs = tmp_path / "ours.pub", tmp_path / "theirs.pub"
    project = copy(built, tmp_path / "project")
    verifying = {integrity.VERIFYING_KEY: str(ours)}
    assert "does not verify" in project.run("mnist", "pull", "unsigned", code=1, **verifying)
    project.run("mnist", "publish", code=0, **{integrity.SIGNING_KEY: str(tmp_path / "ours")})
    project.run("mnist", "pull", "signed", code=0, **verifying)
    project.run(
        "mlflow", "artifacts", "download", "-u", "models:/tiny@champion", "-d", "downloaded",
        MLFLOW_TRACKING_URI="sqlite:///.mlflow/mlflow.db",
    )  # fmt: skip
    for folder in ("signed", "downloaded"):
        command = (sys.executable, "-m", "model_signing", "verify", "key", folder, "--signature", f"{folder}/model.sig")
        project.run(*command, "--public_key", str(ours))
        project.run(*command, "--public_key", str(theirs), code=1)
    assert "does not verify" in project.run("mnist", "pull", "new", code=1, **{integrity.VERIFYING_KEY: str(theirs)})
    assert "Classifier" in page(project, tmp_path, **verifying)
    for name, code in (("theirs", 1), ("ours", 0)):  # the last one signs what the other had signed
        project.run("mnist", "publish", code=0, **{integrity.SIGNING_KEY: str(tmp_path / name)})
        project.run("mnist", "pull", f"signed by {name}", code=code, **verifying)
        signed = project.query("SELECT DISTINCT value FROM model_version_tags WHERE key = 'signed'")
        assert signed == [(sha256_of(tmp_path / f"{name}.pub"),)]
    forge(project, tmp_path / "marker")
    assert "model.sig does not verify with" in project.run("mnist", "pull", "new", code=1, **verifying)
    assert "do not use it" in page(project, tmp_path, code=1, **verifying)
