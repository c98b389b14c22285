"""A program that reads everything in an HDF5 file that `hdf5` may read, in a process of its own; see `trial`.

Run as ``python hdf5_trial.py FILE``, without importing this package. Errors do not matter here, because `hdf5` reports
them itself; what matters is that the program ends.
"""

import contextlib
import math
import sys
from typing import Any

LARGEST_ARRAY = 1 << 28
"""Largest number of values of an array that is read; a kernel has fewer, and a declared shape can be anything."""


def read_everything(file: Any) -> None:
    """Read attributes and arrays of all objects inside the file."""
    import h5py  # not with this module, which every command imports through `hdf5`

    waiting, seen = [file], set()
    while waiting:
        item = waiting.pop()
        with contextlib.suppress(Exception):  # the library raises errors of many types
            address = h5py.h5o.get_info(item.id).addr
            if address in seen:
                continue
            seen.add(address)
            waiting += members(item)
        for name in attributes(item):
            with contextlib.suppress(Exception):
                item.attrs[name]
        with contextlib.suppress(Exception):
            if isinstance(item, h5py.Dataset) and is_array(item):
                item[()]


def members(item: Any) -> list[Any]:
    """Return the objects that a group contains, without those that it only links to."""
    import h5py

    found = []
    for name in item if isinstance(item, h5py.Group) else ():
        with contextlib.suppress(Exception):
            if isinstance(item.get(name, getlink=True), h5py.HardLink):
                found.append(item[name])
    return found


def attributes(item: Any) -> list[str]:
    """Return the names of an object's attributes."""
    with contextlib.suppress(Exception):
        return list(item.attrs)
    return []


def is_array(dataset: Any) -> bool:
    """Return whether a dataset is an array of numbers of a reasonable size inside the file."""
    elsewhere = dataset.is_virtual or dataset.external
    sizes = [dataset.size or 0]
    if dataset.chunks:
        sizes.append(math.prod(dataset.chunks))
    return not elsewhere and dataset.dtype.kind == "f" and max(sizes) <= LARGEST_ARRAY


if __name__ == "__main__":
    import h5py

    with contextlib.suppress(Exception), h5py.File(sys.argv[1], "r") as opened:
        read_everything(opened)
