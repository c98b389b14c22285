"""A small writer of PyTorch's file formats, byte by byte, for tests without PyTorch."""

import io
import struct
import zipfile

import numpy as np

STORAGES = {"f4": "FloatStorage", "f8": "DoubleStorage", "f2": "HalfStorage", "u1": "ByteStorage", "i8": "LongStorage"}
MAGIC = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e"
VERSION = b"\x80\x02M\xe9\x03."


def text(value):
    data = value.encode()
    return b"X" + struct.pack("<i", len(data)) + data


def number(value):
    return b"J" + struct.pack("<i", value)


def sequence(*items):
    return b"(" + b"".join(items) + b"t"


def dictionary(entries):
    return b"}(" + b"".join(text(name) + value for name, value in entries.items()) + b"u"


def name(module, function):
    return f"c{module}\n{function}\n".encode()


def call(function, *arguments):
    return function + sequence(*arguments) + b"R"


def tensor(array, key, legacy, rebuild="_rebuild_tensor_v2"):
    kind = name("torch", STORAGES[array.dtype.str[1:]])
    view = [b"N"] if legacy else []
    storage = sequence(text("storage"), kind, text(key), text("cpu"), number(array.size), *view) + b"Q"
    sides = sequence(*map(number, array.shape))
    steps = sequence(*(number(step // array.itemsize) for step in array.strides))
    hooks = [b"\x89", call(name("collections", "OrderedDict"))] if rebuild == "_rebuild_tensor_v2" else []
    return call(name("torch._utils", rebuild), storage, number(0), sides, steps, *hooks)


def pickle_of(content):
    return b"\x80\x02" + content + b"."


def state_dict(arrays, legacy, **options):
    return dictionary({key: tensor(array, str(n), legacy, **options) for n, (key, array) in enumerate(arrays.items())})


def zip_file(content, arrays=(), **members):
    """Return the bytes of the zip layout."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", pickle_of(content))
        archive.writestr("archive/byteorder", "little")
        for n, array in enumerate(arrays):
            archive.writestr(f"archive/data/{n}", array.tobytes())
        for member, data in members.items():
            archive.writestr(f"archive/{member}", data)
    return buffer.getvalue()


def legacy_file(content, arrays=(), little=True):
    """Return the bytes of the layout before PyTorch 1.6."""
    machine = pickle_of(dictionary({"little_endian": b"\x88" if little else b"\x89"}))
    keys = pickle_of(b"](" + b"".join(text(str(n)) for n in range(len(arrays))) + b"e")
    blocks = [struct.pack("<q", array.size) + array.tobytes() for array in arrays]
    return b"".join([MAGIC, VERSION, machine, pickle_of(content), keys, *blocks])


def pytorch_file(arrays, legacy=False, **options):
    """Return the bytes of a file of a state dict."""
    arrays = {key: np.ascontiguousarray(array) for key, array in arrays.items()}
    write = legacy_file if legacy else zip_file
    return write(state_dict(arrays, legacy, **options), arrays.values() if not legacy else list(arrays.values()))


def torch_arrays(model, names):
    """Return a Keras model's weights under PyTorch's names and in its order of axes."""
    arrays = {}
    for prefix, layer in zip(names, (layer for layer in model.layers if layer.weights), strict=True):
        kernel, bias = layer.get_weights()
        arrays[f"{prefix}.weight"], arrays[f"{prefix}.bias"] = kernel.transpose(3, 2, 0, 1), bias
    return arrays
