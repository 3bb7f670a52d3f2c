"""Those of `mnist`'s commands that have to do with a Ray cluster."""

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated

import typer

from mnist_pipeline.core import paths, processors
from mnist_pipeline.core.errors import PipelineError

if TYPE_CHECKING:
    from mnist_pipeline.cluster.driver import Cluster
    from mnist_pipeline.core.params import Runtime

LOCAL = "127.0.0.1"
app = typer.Typer()
Address = Annotated[
    str | None, typer.Option("--cluster", envvar="RAY_ADDRESS", help="Run stages on Ray there: auto, or HOST:PORT.")
]


@app.command()
def worker(
    cluster: Annotated[str | None, typer.Argument(help="HOST:PORT of the head that this machine is to join.")] = None,
    head: Annotated[bool, typer.Option("--head", help="Start the head here instead, beside the clone.")] = False,
    address: Annotated[str, typer.Option(help="This machine's address, as the others reach it.")] = LOCAL,
    cores: Annotated[int | None, typer.Option(min=1, help="Cores to offer; default: all that it may use.")] = None,
) -> None:
    """Offer this machine's cores to `mnist repro --cluster`: start Ray here, as the head or as a node of a cluster.

    Whoever reaches Ray's ports can run code here. `ray stop` ends it.
    """
    if head == (cluster is not None):
        raise PipelineError("say either --head or the head's HOST:PORT (mnist worker 192.168.0.7:6379)")
    if address == LOCAL and cluster and not cluster.startswith((LOCAL, "localhost")):
        raise PipelineError(f"{cluster} can't reach this machine at {LOCAL}; say --address with an address that it can")
    _check_installed()
    from mnist_pipeline.cluster import nodes
    from mnist_pipeline.core import params

    cores = cores or processors.cores()
    nodes.start(cluster, address, cores, params.load().runtime)
    cluster = cluster or f"{address}:{nodes.PORT}"
    print(f"cores offered to the cluster at {cluster}: {cores}; `ray stop` ends it")
    if head:
        print(f"each further machine: mnist worker {cluster} --address ITS-OWN; then here: mnist repro --cluster auto")


def join(cluster: str, runtime: "Runtime") -> "Cluster":
    """The commands of stages on the cluster at this address. Raises PipelineError where there is none."""
    _check_installed()
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")  # Ray would print pages of a lost node's logs
    from mnist_pipeline.cluster.driver import Cluster

    return Cluster(paths.LOGS, cluster, runtime, print)


def _check_installed() -> None:
    if find_spec("ray") is None:
        raise PipelineError("Ray is not installed; `make setup-cluster` installs it")
