"""Portable arithmetic: set whatever the environment says, proved by a canary, and said where it can't be had."""

import subprocess
import sys
from pathlib import Path

import pytest

from mnist_pipeline.arithmetic import portable
from mnist_pipeline.arithmetic.portable import LOOSE, PINS
from mnist_pipeline.core import paths
from mnist_pipeline.core.errors import PipelineError
from mnist_pipeline.core.files import write_json
from mnist_pipeline.core.params import Runtime
from tests.repository import environment

PORTABLE = Runtime(arithmetic="portable", device="cpu", threads=1)
NATIVE = Runtime(arithmetic="native", device="cpu", threads=1)
CALL = (
    "from mnist_pipeline.arithmetic import portable; from mnist_pipeline.core import params; "
    "runtime = params.Runtime(device='cpu', threads=2); "
)
OTHERS = {  # other kernels than the pinned ones
    "ATEN_CPU_CAPABILITY": "default",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "MKL_CBWR": "SSE4_2",
    "NPY_DISABLE_CPU_FEATURES": "",
    "OPENBLAS_CORETYPE": "Haswell",
}
needs_avx2 = pytest.mark.skipif(
    portable.obstacle(PORTABLE) is not None, reason=f"portable arithmetic: {portable.obstacle(PORTABLE)}"
)


def _python(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", CALL + code]
    return subprocess.run(command, env=environment(**variables), capture_output=True, text=True, check=False)


@needs_avx2
def test_a_process_computes_the_portable_bits_whatever_its_environment_says() -> None:
    done = _python(
        "portable.pin(runtime); import torch; torch.set_num_threads(2); print(portable.prove(runtime))",
        **dict.fromkeys(LOOSE, "1"),
        **OTHERS,
    )
    assert (done.stdout, done.returncode) == ("portable\n", 0), done.stderr


@needs_avx2
@pytest.mark.parametrize("name", PINS)
def test_the_canary_notices_each_library_that_computes_otherwise(name: str) -> None:
    library = "torch" if name in ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_CBWR") else "numpy"
    done = _python(f"import {library}; portable.prove(runtime)", **PINS | {name: OTHERS[name]})
    said = f"portable arithmetic: {library} computes other bits here: expected a canary of "
    disabled_in_vain = name == "NPY_DISABLE_CPU_FEATURES" and "avx512f" not in portable.CPUINFO.read_text("utf-8")
    assert (said in done.stderr) is not disabled_in_vain


@needs_avx2
def test_a_library_that_was_imported_too_early_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    portable.pin(PORTABLE)
    monkeypatch.setenv("MKL_CBWR", "AVX2")
    with pytest.raises(
        PipelineError, match=r"arithmetic: MKL_CBWR: to be set or unset before numpy and torch is imported"
    ):
        portable.pin(PORTABLE)
    monkeypatch.setenv("MKL_CBWR", PINS["MKL_CBWR"])
    monkeypatch.setenv("MKL_ENABLE_INSTRUCTIONS", "AVX")
    with pytest.raises(PipelineError, match="arithmetic: MKL_ENABLE_INSTRUCTIONS: to be set or unset"):
        portable.pin(PORTABLE)


def test_native_arithmetic_has_none_of_the_variables() -> None:
    native = "runtime = runtime.model_copy(update={'arithmetic': 'native'}); portable.pin(runtime); import os, numpy; "
    asked = native + "print(portable.prove(runtime), *os.environ.keys() & {*portable.PINS, *portable.LOOSE})"
    done = _python(asked, **PINS | dict.fromkeys(LOOSE, "1"))
    assert (done.stdout, done.stderr) == ("native\n", "")


def test_a_device_or_processor_that_cannot_is_said_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in (*PINS, "OPENBLAS_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    cuda = Runtime(arithmetic="portable", device="cuda", threads=1)
    portable.pin(cuda)
    said = "arithmetic: native instead of portable, since {}; the bits are this machine's own\n"
    assert capsys.readouterr().err == said.format("runtime.device is cuda")
    old = tmp_path / "cpuinfo"
    old.write_text("processor : 0\nflags\t: sse2 avx fma\nbugs : none\n\nprocessor : 1\n", encoding="utf-8")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr(portable, "CPUINFO", old)
    assert portable.notice(PORTABLE) == said.format("this processor lacks avx2")
    assert portable.prove(PORTABLE) == "native"
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    monkeypatch.setattr("platform.system", lambda: "Linux")
    assert portable.notice(PORTABLE) == said.format("this is Linux on aarch64, not Linux on x86-64")


@pytest.mark.parametrize(
    ("trained", "asked", "same"), [("native", NATIVE, True), ("portable", NATIVE, False), ("unproven", NATIVE, False)]
)
def test_a_model_of_another_arithmetic_is_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trained: str, asked: Runtime, same: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    write_json(paths.manifest("small"), {"arithmetic": trained})
    assert portable.is_that_of("small", asked) is same
    assert portable.is_that_of("small", asked, tmp_path) is same
    write_json(paths.manifest("small"), {})  # as before there was a choice
    assert portable.is_that_of("small", asked)
