import pytest

from nst_tf.backbones import BACKBONES, VGG16, VGG19
from nst_tf.backbones.architecture import Architecture


@pytest.mark.parametrize("network", [VGG16, VGG19])
def test_architecture_equals_that_of_keras_model(network):
    model = network.application(weights=None, include_top=False, input_shape=(None, None, 3))
    assert network().architecture() == Architecture.from_model(model)


def test_keys_of_the_table_are_the_names_of_the_backbones():
    assert {name: network.name for name, network in BACKBONES.items()} == {name: name for name in BACKBONES}


@pytest.mark.parametrize(
    ("layer", "keras_name"),
    [
        ("conv1_1", "block1_conv1"),
        ("conv4_2", "block4_conv2"),
        ("relu4_2", "block4_conv2"),
        ("block4_conv2", "block4_conv2"),
        ("block3_pool", "block3_pool"),
        ("pool3", "block3_pool"),
        ("conv:1", "block1_conv1"),
        ("conv:13", "block5_conv1"),
        ("conv:16", "block5_conv4"),
        ("stage1", "block1_conv2"),
        ("stage3", "block3_conv4"),
        ("stage5", "block5_conv4"),
    ],
)
def test_vgg19_resolves_names_of_papers_and_keras(layer, keras_name):
    assert VGG19().resolve(layer) == keras_name


def test_vgg16_has_three_convolutions_in_its_deep_blocks(refused):
    assert VGG16().resolve("conv:13") == VGG16().resolve("stage5") == "block5_conv3"
    with refused("Unknown layer 'conv:14' for vgg16"):
        VGG16().resolve("conv:14")


def test_an_unknown_layer_is_an_error_that_lists_the_available_layers(refused):
    with refused("Unknown layer 'conv9_1' for vgg19; available: conv1_1, conv1_2, ", "did you mean 'conv"):
        VGG19().resolve("conv9_1")


@pytest.mark.parametrize("layer", ["conv:0", "conv:17", "stage6", "stage0", "input_layer", "", "CONV1_1"])
def test_layer_names_out_of_range_are_errors(layer, refused):
    with refused(f"Unknown layer '{layer}' for vgg19"):
        VGG19().resolve(layer)
