"""Layouts of weights files, and errors for files that do not fit."""

import dataclasses
import os

import h5py
import numpy as np
import pytest

from nst_tf.backbones import VGG16, VGG19, hdf5
from nst_tf.backbones.architecture import Architecture


def save_keras3(model, path):
    model.save_weights(path)


def save_keras3_without_names(model, path):
    """Keras 3.0 wrote no attribute with the name; layers are then matched by class and number."""
    model.save_weights(path)
    with h5py.File(path, "r+") as file:
        for group in file["layers"].values():
            del group["vars"].attrs["name"]


def save_legacy_model(model, path):
    """Keras writes a whole model into a name that ends in ``.h5``, with its weights under ``model_weights``."""
    legacy = path.with_name("model.h5")
    model.save(legacy)
    legacy.replace(path)


def save_legacy(model, path):
    """A legacy file of weights has at its root what ``model_weights`` has in that of a model."""
    save_legacy_model(model, path.with_name("whole.h5"))
    with h5py.File(path.with_name("whole.h5")) as whole, h5py.File(path, "w") as file:
        for name, group in whole["model_weights"].items():
            whole.copy(group, file, name)
        file.attrs.update(whole["model_weights"].attrs)


def save_legacy_renamed(model, path):
    """Other layer names, as bytes, and a dense layer at the end; layers are matched by order."""
    with h5py.File(path, "w") as file:
        layers = [layer for layer in model.layers if layer.weights]
        file.attrs["layer_names"] = [f"layer_{n}".encode() for n in range(len(layers) + 2)]
        for n, layer in enumerate(layers):
            group = file.create_group(f"layer_{n}")
            group.attrs["weight_names"] = [b"w:0", b"b:0"]
            group["w:0"], group["b:0"] = layer.get_weights()
        pool, dense = (file.create_group(f"layer_{len(layers) + n}") for n in range(2))
        pool.attrs["weight_names"] = np.array([], dtype="S1")
        dense.attrs["weight_names"] = [b"w:0"]
        dense["w:0"] = np.ones((5, 7))


@pytest.mark.parametrize(
    "save", [save_keras3, save_keras3_without_names, save_legacy, save_legacy_model, save_legacy_renamed]
)
def test_every_layout_gives_the_same_arrays(save, tiny_model, tmp_path):
    path = tmp_path / "tiny.weights.h5"
    save(tiny_model, path)
    names = ("block1_conv1", "block1_conv2", "block2_conv1", "block2_conv2")
    values = hdf5.read(path, "tiny", Architecture.from_model(tiny_model), names)
    assert tuple(values) == names
    for name in names:
        for loaded, stored in zip(values[name], tiny_model.get_layer(name).get_weights(), strict=True):
            np.testing.assert_array_equal(loaded, stored)


def test_layers_are_ordered_by_number_not_alphabetically(skeleton):
    """``conv2d_10`` comes after ``conv2d_9``."""
    path = skeleton(VGG19().architecture())
    with h5py.File(path, "r+") as file:
        for group in file["layers"].values():
            del group["vars"].attrs["name"]
    values = hdf5.read(path, "vgg19", VGG19().architecture(), ("block4_conv1",))
    assert values["block4_conv1"][0].shape == (3, 3, 256, 512)


def test_an_unchanged_file_is_read_once_and_a_changed_one_again(tiny_model, tmp_path):
    path, architecture = tmp_path / "tiny.weights.h5", Architecture.from_model(tiny_model)
    save_keras3(tiny_model, path)
    first = hdf5.read(path, "tiny", architecture, ("block1_conv1",))["block1_conv1"][0]
    assert hdf5.read(path, "tiny", architecture, ("block1_conv1",))["block1_conv1"][0] is first
    assert not first.flags.writeable
    tiny_model.set_weights([w + 1 for w in tiny_model.get_weights()])
    save_legacy(tiny_model, path)
    second = hdf5.read(path, "tiny", architecture, ("block1_conv1",))["block1_conv1"][0]
    np.testing.assert_array_equal(second, first + 1)


@pytest.mark.parametrize(("network", "other", "counts"), [(VGG19, VGG16, ("13", "16")), (VGG16, VGG19, ("16", "13"))])
def test_weights_of_another_network_are_an_error(network, other, counts, skeleton, refused):
    path = skeleton(other().architecture())
    message = "holds {} layers with weights instead of {}".format(*counts)
    with refused(str(path), message, f"give a file of {network.name} without top"):
        network(weights=str(path)).extractor(["conv1_1"])


def test_other_shapes_are_an_error_even_in_layers_that_are_not_needed(skeleton, refused):
    architecture = VGG16().architecture()
    *rest, (last, _) = architecture.weights
    wrong = dataclasses.replace(architecture, weights=(*rest, (last, ((3, 3, 512, 256), (256,)))))
    with refused("holds 3×3×512×256 and 256 for layer block5_conv3 instead of 3×3×512×512 and 512"):
        VGG16(weights=str(skeleton(wrong))).extractor(["conv1_1"])


def test_a_kernel_without_bias_is_an_error(skeleton, refused):
    architecture = VGG16().architecture()
    wrong = dataclasses.replace(architecture, weights=tuple((n, shapes[:1]) for n, shapes in architecture.weights))
    with refused("holds 3×3×3×64 for layer block1_conv1 instead of 3×3×3×64 and 64"):
        VGG16(weights=str(skeleton(wrong))).extractor(["conv1_1"])


def test_an_html_page_is_an_error(tmp_path, refused):
    path = tmp_path / "page.h5"
    path.write_text("<html>\nNot found\n</html>")
    with refused(f"Weights file '{path}' is a web page or XML; download the file itself"):
        VGG19(weights=str(path)).extractor(["conv1_1"])


def test_a_truncated_file_is_an_error(tiny, tiny_model, tmp_path, refused):
    path = tmp_path / "tiny.weights.h5"
    save_keras3(tiny_model, path)
    path.write_bytes(path.read_bytes()[:-2000])
    with refused(f"Weights file '{path}' cannot be read as HDF5"):
        tiny(weights=str(path)).extractor(["conv1_1"])


def test_hdf5_of_another_kind_is_an_error(tmp_path, refused):
    path = tmp_path / "data.h5"
    with h5py.File(path, "w") as file:
        file["spectrum"] = np.zeros(3)
    with refused("is neither in Keras 3 nor in legacy Keras layout"):
        VGG19(weights=str(path)).extractor(["conv1_1"])


def test_a_layer_that_is_listed_but_absent_is_an_error(tiny, tiny_model, tmp_path, refused):
    path = tmp_path / "tiny.h5"
    save_legacy(tiny_model, path)
    with h5py.File(path, "r+") as file:
        del file["block2_conv1"]
    with refused(f"Weights file '{path}' cannot be read as HDF5", "block2_conv1"):
        tiny(weights=str(path)).extractor(["conv1_1"])


def link_to_another_file(file, path):
    os.mkfifo(path.with_name("pipe"))  # following the link would wait for ever
    file["layers/block1_conv1/vars/0"] = h5py.ExternalLink("pipe", "/data")


def link_to_another_place(file, path):
    file["layers/block1_conv1/vars/0"] = h5py.SoftLink("/layers/block2_conv1/vars/0")


def group_that_contains_itself(file, path):
    file["layers/block1_conv1/layers"] = file["layers"]


def data_in_another_file(file, path):
    external = [(str(path.with_name("raw")), 0, h5py.h5f.UNLIMITED)]
    file["layers/block1_conv1/vars"].create_dataset("0", (3, 3, 3, 4), "float32", external=external)


def virtual_data(file, path):
    layout = h5py.VirtualLayout((3, 3, 3, 4), "float32")
    layout[:] = h5py.VirtualSource(str(path.with_name("other.h5")), "data", (3, 3, 3, 4))
    file["layers/block1_conv1/vars"].create_virtual_dataset("0", layout)


def text(file, path):
    file["layers/block1_conv1/vars/0"] = np.full((3, 3, 3, 4), "a", dtype=h5py.string_dtype())


def integers(file, path):
    file["layers/block1_conv1/vars/0"] = np.ones((3, 3, 3, 4), "int32")


def group_instead_of_array(file, path):
    file.create_group("layers/block1_conv1/vars/0")


def nothing(file, path):
    file["layers/block1_conv1/vars/0"] = h5py.Empty("f4")


def terabytes(file, path):
    """A declared size needs no space in the file."""
    file["layers/block1_conv1/vars"].create_dataset("0", (1 << 40,), "float32", chunks=(1 << 10,))


def huge_chunks(file, path):
    group = file["layers/block1_conv1/vars"]
    group.create_dataset("0", (3, 3, 3, 4), "float32", chunks=(1 << 9, 1 << 8, 1 << 8, 4), maxshape=(None,) * 4)


@pytest.mark.parametrize(
    ("replace", "words"),
    [
        (link_to_another_file, "has a link to another file at '0'"),
        (link_to_another_place, "has a link to another place at"),
        (group_that_contains_itself, "nests models more than 16 deep"),
        (data_in_another_file, "keeps the data of '0' in another file, which is not read"),
        (virtual_data, "keeps the data of '0' in another file, which is not read"),
        (text, "holds object values at '0' instead of floating-point numbers"),
        (integers, "holds int32 values at '0' instead of floating-point numbers"),
        (group_instead_of_array, "has no array at '0'"),
        (nothing, "has no array at '0'"),
        (terabytes, "holds 1099511627776 and 4 for layer block1_conv1 instead of 3×3×3×4 and 4"),
        (huge_chunks, "has chunks of (512, 256, 256, 4) values"),
    ],
)
def test_a_file_with_more_than_arrays_of_numbers_is_an_error(replace, words, tiny, tiny_model, tmp_path, refused):
    path = tmp_path / "tiny.weights.h5"
    hdf5.write(path, {layer.name: layer.get_weights() for layer in tiny_model.layers if layer.weights})
    with h5py.File(path, "r+") as file:
        del file["layers/block1_conv1/vars/0"]
        replace(file, path)
    with refused(f"Weights file '{path}' {words}"):
        tiny(weights=str(path)).extractor(["conv1_1"])


def test_links_of_legacy_files_are_not_followed(tiny, tiny_model, tmp_path, refused):
    path = tmp_path / "tiny.h5"
    save_legacy(tiny_model, path)
    with h5py.File(path, "r+") as file:
        del file["block2_conv1"]
        file["block2_conv1"] = h5py.ExternalLink("elsewhere.h5", "/")
    with refused("has a link to another file at 'block2_conv1', which is not followed"):
        tiny(weights=str(path)).extractor(["conv1_1"])


def test_an_attribute_of_another_type_is_an_error(tiny, tmp_path, refused):
    path = tmp_path / "tiny.h5"
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = 5
    with refused(f"Weights file '{path}' cannot be read as HDF5"):
        tiny(weights=str(path)).extractor(["conv1_1"])
