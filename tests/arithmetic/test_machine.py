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


def test_an_arm_processor_is_described_by_its_features(cpuinfo: Path) -> None:
    cpuinfo.write_text("processor\t: 0\nFeatures\t: fp asimd\nCPU part\t: 0xd0c\n", "utf-8")
    assert machine.describe()["instructions"].startswith("asimd ")


@pytest.mark.usefixtures("cpuinfo")
def test_a_system_without_cpuinfo_says_what_python_knows() -> None:
    assert machine.describe()["processor"] == platform.processor()
