"""The description of a machine: what decides the bits, and nothing that tells two equal machines apart."""

import platform
from pathlib import Path

import pytest

from mnist_pipeline.arithmetic import machine

CPUINFO = """\
processor\t: 0
vendor_id\t: GenuineIntel
cpu family\t: 6
model\t\t: 85
model name\t: Xeon
stepping\t: 7
cpu MHz\t\t: {mhz}
cache size\t: 1024 KB
flags\t\t: {flags}
power management:

processor\t: 1
model name\t: another
"""


@pytest.fixture
def cpuinfo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that stands in for what the kernel says."""
    monkeypatch.setattr(machine, "CPUINFO", tmp_path / "cpuinfo")
    return tmp_path / "cpuinfo"


def test_this_machine_is_described_in_words_and_twice_alike() -> None:
    described = machine.describe()
    assert {"system", "processor", "python", "torch", "numpy", "matplotlib"} <= set(described)
    assert all(isinstance(value, str) and value for value in described.values())
    assert described == machine.describe()
    assert platform.node() not in described.values()


def test_the_processor_is_named_with_its_widest_instructions(cpuinfo: Path) -> None:
    cpuinfo.write_text(CPUINFO.format(mhz=2000, flags="fpu avx2 sse"), "utf-8")
    described = machine.describe()
    assert described["processor"] == "Xeon (family 6, model 85, stepping 7)"
    assert described["cache"] == "1024 KB"
    assert described["instructions"].startswith("avx2 ")


def test_clock_and_order_of_flags_do_not_matter_but_the_flags_do(cpuinfo: Path) -> None:
    described = []
    for mhz, flags in ((2000, "fpu avx2 sse"), (3000, "sse fpu avx2"), (2000, "fpu avx2 sse avx512f")):
        cpuinfo.write_text(CPUINFO.format(mhz=mhz, flags=flags), "utf-8")
        described.append(machine.describe())
    assert described[0] == described[1]
    assert described[2]["instructions"].startswith("avx512f ")


def test_an_arm_processor_is_described_by_its_numbers_and_features(cpuinfo: Path) -> None:
    numbers = "CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x3\nCPU part\t: {}\nCPU revision\t: 1\n"
    described = []
    for part in ("0xd0c", "0xd40"):
        cpuinfo.write_text(f"processor\t: 0\nFeatures\t: fp asimd\n{numbers.format(part)}", "utf-8")
        described.append(machine.describe())
    assert described[0]["instructions"].startswith("asimd ")
    assert described[0]["processor"] == "ARM (implementer 0x41, variant 0x3, part 0xd0c, revision 1)"
    assert described[1]["processor"] == "ARM (implementer 0x41, variant 0x3, part 0xd40, revision 1)"


@pytest.mark.usefixtures("cpuinfo")
def test_a_system_without_cpuinfo_says_what_python_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert machine.describe()["processor"] == platform.processor()


@pytest.mark.usefixtures("cpuinfo")
def test_apples_chips_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As macOS says it, by a program of its own; python calls all of them `arm`."""
    program = tmp_path / "sysctl"
    monkeypatch.setenv("PATH", str(tmp_path))
    for chip in ("Apple M2 Pro", "Apple M4"):
        program.write_text(f'#!/bin/sh\ntest "$*" = "-n machdep.cpu.brand_string" && echo "{chip}"\n', "utf-8")
        program.chmod(0o755)
        assert machine.describe()["processor"] == chip


def test_accelerators_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "GPUS", tmp_path)
    assert "accelerator" not in machine.describe()
    for place in ("0000:41:00.0", "0000:3b:00.0"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "information").write_text(f"Model: \t\t NVIDIA {place[5:7]}\nIRQ: 1\n", "utf-8")
    assert machine.describe()["accelerator"] == "NVIDIA 3b, NVIDIA 41"
