"""What the processor says of itself by its instruction CPUID; of an emulated one /proc/cpuinfo knows nothing."""

import ctypes
import mmap
import platform

from mnist_pipeline.arithmetic import machine

CPUID = bytes.fromhex("53 89f8 31c9 0fa2 8906 895e04 894e08 89560c 5b c3")  # cpuid(leaf, uint32_t registers[4])


def registers(leaf: int) -> list[int]:
    """eax, ebx, ecx and edx after CPUID."""
    code = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(CPUID)
    found = (ctypes.c_uint32 * 4)()
    address = ctypes.addressof(ctypes.c_char.from_buffer(code))
    ctypes.CFUNCTYPE(None, ctypes.c_uint32, ctypes.c_void_p)(address)(leaf, ctypes.addressof(found))
    return list(found)


def describe() -> str:
    """Name, family and model, and the size of the second-level cache; ARM's have numbers alone."""
    if platform.machine() != "x86_64":
        return machine.describe()["processor"]
    parts = [part.to_bytes(4, "little") for leaf in range(0x80000002, 0x80000005) for part in registers(leaf)]
    name = " ".join(b"".join(parts).split(b"\0")[0].decode(errors="replace").split())
    version, cache = registers(1)[0], registers(0x80000006)[2] >> 16
    family, model = version >> 8 & 15, version >> 4 & 15
    if family in (6, 15):
        model += version >> 12 & 0xF0
    if family == 15:
        family += version >> 20 & 0xFF
    return f"{name} (family {family}, model {model}, L2 {cache} KiB)"
