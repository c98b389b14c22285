"""The machine, and its processor as Linux tells of it."""

import platform
from pathlib import Path

import psutil

CPUINFO = Path("/proc/cpuinfo")


def describe_machine() -> str:
    """What a time was measured on: ``2 cores, Intel(R) Xeon(R) Processor, 24 GiB``."""
    return f"{psutil.cpu_count()} cores, {processor_name()}, {psutil.virtual_memory().total / 2**30:.0f} GiB"


def processor_name() -> str:
    """Its model, as ``Intel(R) Xeon(R) Processor``; what Python says of it where Linux tells none."""
    models = [value.strip() for key, value in _cpuinfo_pairs() if key == "model name"]
    return models[0] if models else platform.processor()


def instruction_sets() -> set[str]:
    """Its instruction sets, as ``avx2`` or ``amx_bf16``; none elsewhere than on Linux."""
    return {word for key, value in _cpuinfo_pairs() if key in ("flags", "features") for word in value.split()}


def _cpuinfo_pairs() -> list[tuple[str, str]]:
    """Keys in lower case and their values, core after core."""
    try:
        lines = CPUINFO.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    pairs = (line.partition(":") for line in lines)
    return [(key.strip().lower(), value) for key, _, value in pairs]
