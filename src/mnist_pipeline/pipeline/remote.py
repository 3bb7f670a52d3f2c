"""Where DVC's default remote keeps a content, for those who fetch it themselves."""

from collections.abc import Callable

from dvc.exceptions import DvcException
from dvc.fs import AuthError, ConfigError, RemoteMissingDepsError
from dvc.repo import Repo

from mnist_pipeline.core.errors import PipelineError

SECRET = {"ask_passphrase", "ask_password", "auth"}  # options of a remote that has to be asked for or with credentials


def places() -> Callable[[str], str] | None:
    """Says at which path or URL the default remote would have the content with an md5; None without such a remote.

    Raises PipelineError for a remote that DVC can't name, or that needs what may not be handed on: credentials.
    """
    try:
        with Repo() as repo:
            if not (name := repo.config["core"].get("remote")):
                return None
            if secret := SECRET & repo.config["remote"].get(name, {}).keys():
                raise PipelineError(f"{name} has {', '.join(secret)}, and credentials are not sent to nodes")
            odb = repo.cloud.get_remote_odb(name, "mnist repro --cluster")
    except (AuthError, ConfigError, DvcException, RemoteMissingDepsError) as error:  # a package for S3 lacks, say
        raise PipelineError(" ".join(str(error).split())) from None
    if "://" in (url := odb.fs.unstrip_protocol(odb.path)) and {"@", "?"} & {*url}:
        raise PipelineError(f"the URL of {name} has @ or ?, and credentials are not sent to nodes")
    return lambda md5: str(odb.fs.unstrip_protocol(odb.oid_to_path(md5)))
