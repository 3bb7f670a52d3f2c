"""Nodes of a Ray cluster: started from a clone, examined before they are given work, and refused with the reason."""

import hashlib
import json
import logging
import os
import platform
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import ray
from ray._private import services
from ray._raylet import GcsClient
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from mnist_pipeline.arithmetic import packages, portable
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.params import Runtime

PORT, SECONDS = 6379, 120.0  # of the head; for an examination
KEY = (b"needed", b"mnist")  # where the head keeps what a node has to have, and for whom
START = "from mnist_pipeline.cluster import nodes; nodes.keep_loopback(); from ray.scripts.scripts import main; main()"
SHARED = ("cluster/execution.py", "cluster/messages.py", "cluster/nodes.py", "pipeline/commands.py")
PROVE = """
import sys
from mnist_pipeline.arithmetic import portable
from mnist_pipeline.core.params import Runtime
runtime = Runtime.model_validate_json(sys.argv[1])
portable.pin(runtime)
import numpy, torch
portable.prove(runtime)
"""


def needed(runtime: Runtime) -> str:
    """What a node has to have, as JSON: Python, arithmetic, this room, and the packages of requirements.lock."""
    lock = (packages.FILE.parent / packages.LOCK).read_text(encoding="utf-8")
    pinned = re.findall(r"^([\w.-]+)==([^ ;\\]+)", lock, flags=re.MULTILINE)  # some several times, for other Pythons
    return json.dumps({"packages": pinned, "here": _here(runtime), "runtime": runtime.model_dump_json()})


def _here(runtime: Runtime) -> dict[str, str]:
    source = Path(__file__).resolve().parents[1]
    code = hashlib.sha256(b"".join((source / file).read_bytes() for file in SHARED)).hexdigest()[:12]
    python = ".".join(platform.python_version_tuple()[:2])
    return {"Python": python, "arithmetic": portable.expected(runtime), "this project's cluster code": code}


def examine(wanted: str) -> str:
    """What this machine lacks of what is `needed`, in a line; empty if nothing. Any build of a version will do."""
    expected = json.loads(wanted)
    runtime = Runtime.model_validate_json(expected["runtime"])
    found = _here(runtime)
    wrong = [
        f"{name}: expected {it}, found {found[name]}" for name, it in expected["here"].items() if it != found[name]
    ]
    first = reversed([*distributions()])  # of the path stands last, and so it counts
    builds = {re.sub(r"[-_.]+", "-", one.name).lower(): one.version.partition("+")[0] for one in first}
    pinned = {name: [it for other, it in expected["packages"] if other == name] for name, _ in expected["packages"]}
    for name in sorted(pinned.keys() & {*builds, *packages.DECIDING}):
        if (build := builds.get(name, "none")) not in pinned[name]:
            wrong.append(f"{name}: expected {' or '.join(pinned[name])}, found {build}")
    if wrong or portable.expected(runtime) != "portable":
        return "; ".join(wrong)
    command = [sys.executable, "-c", PROVE, expected["runtime"]]
    proved = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    return "" if proved.returncode == 0 else f"arithmetic: {proved.stderr.strip().splitlines()[-1]}"


def start(head: str | None, own: str, cores: int, runtime: Runtime) -> None:
    """Start Ray here: its head if `head` is None, else a node of the cluster there; `own` is this node's address.

    Raises PipelineError when this machine lacks something, before anything is started, or when Ray does not start.
    """
    wanted = needed(runtime)
    if head:
        _reach(head)
        try:
            wanted = (GcsClient(address=head).internal_kv_get(*KEY) or wanted.encode()).decode()
        except RayError as error:  # of its token, say
            raise PipelineError(f"{head}: {' '.join(str(error).split())}") from None
    if why := examine(wanted):
        raise PipelineError(f"this machine can't be a worker: {why}; `make setup-cluster` installs what the lock has")
    place = [f"--address={head}"] if head else ["--head", f"--port={PORT}", "--include-dashboard=false"]
    command = [sys.executable, "-c", START, "start", *place, f"--node-ip-address={own}", f"--num-cpus={cores}"]
    with tempfile.TemporaryFile("w+") as said:  # no pipe: what Ray starts would keep it open
        done = subprocess.run([*command, "--disable-usage-stats"], stdout=said, stderr=said, check=False)
        said.seek(0)
        if done.returncode:
            raise PipelineError(f"Ray did not start here; it said:\n{said.read().strip()}")
    if not head:
        GcsClient(address=f"{own}:{PORT}").internal_kv_put(KEY[0], wanted.encode(), True, KEY[1])


def keep_loopback() -> None:
    """Let 127.0.0.1 be this address: Ray takes the machine's outer one in its place, and then listens on all."""
    services.resolve_ip_for_localhost = lambda host: host


def _reach(address: str) -> None:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, ValueError) as error:
        raise PipelineError(f"{address}: no Ray cluster answers: {error}; expected HOST:PORT of its head") from None


def connect(address: str, runtime: Runtime, say: Callable[[str], None]) -> dict[str, str]:
    """Join a cluster as its driver; id and address of each node that may be given work, and why others may not.

    Raises PipelineError if none may.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    keep_loopback()
    if address != "auto":
        _reach(address)
    try:
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR, configure_logging=False)
    except (ConnectionError, RayError, RuntimeError, ValueError) as error:
        raise PipelineError(f"--cluster {address}: {' '.join(str(error).split())}") from None
    listed = {it["NodeID"]: f"{it['NodeManagerAddress']} ({it['NodeID'][:6]})" for it in ray.nodes() if _offers(it)}
    faults = _examined(listed, needed(runtime))
    for name, why in faults.items():
        if why:
            say(f"node {listed[name]} is refused: {why}")
    accepted = {name: listed[name] for name, why in faults.items() if not why}
    if not accepted:
        raise PipelineError(f"--cluster {address}: none of its {len(faults)} nodes can run a stage")
    return accepted


def _offers(node: dict[str, Any]) -> bool:
    return bool(node["Alive"] and node["Resources"].get("CPU"))


def _examined(listed: dict[str, str], wanted: str) -> dict[str, str]:
    task, faults = ray.remote(num_cpus=0, max_retries=0)(examine), {}
    places = {name: NodeAffinitySchedulingStrategy(name, soft=False) for name in listed}
    for name, answer in {
        name: task.options(scheduling_strategy=places[name]).remote(wanted) for name in listed
    }.items():
        try:
            faults[name] = str(ray.get(answer, timeout=SECONDS))
        except RayError as error:
            faults[name] = f"it does not answer: {' '.join(str(error).split())[-300:]}"
    return faults


def alive(accepted: dict[str, str]) -> set[str]:
    """Those of these nodes that are still there."""
    return {node["NodeID"] for node in ray.nodes() if node["Alive"]} & accepted.keys()


def capacity(accepted: dict[str, str], needs: dict[str, int]) -> dict[str, int]:
    """How many stages fit at once on each of these nodes that has room for one. Raises PipelineError if none has."""
    units = {"CPU": needs["num_cpus"], "GPU": needs["num_gpus"]}
    resources = {node["NodeID"]: node["Resources"] for node in ray.nodes() if node["NodeID"] in accepted}
    fit = {name: int(min(has.get(unit, 0) // n for unit, n in units.items() if n)) for name, has in resources.items()}
    if not any(fit.values()):
        wanted = " and ".join(f"{n} {unit}" for unit, n in units.items() if n)
        raise PipelineError(f"a stage needs {wanted}: no node of the cluster has that, as params.yaml's runtime asks")
    return {name: count for name, count in fit.items() if count}
