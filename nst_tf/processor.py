"""The processor, as Linux tells of it."""

import platform
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")


def name() -> str:
    """Its model, as ``Intel(R) Xeon(R) Processor``; what Python says of it where Linux tells none."""
    models = [value.strip() for key, value in _told() if key == "model name"]
    return models[0] if models else platform.processor()


def features() -> set[str]:
    """Its instruction sets, as ``avx2`` or ``amx_bf16``; none elsewhere than on Linux."""
    return {word for key, value in _told() if key in ("flags", "features") for word in value.split()}


def _told() -> list[tuple[str, str]]:
    """Keys in lower case and their values, core after core."""
    try:
        lines = CPUINFO.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    pairs = (line.partition(":") for line in lines)
    return [(key.strip().lower(), value) for key, _, value in pairs]
