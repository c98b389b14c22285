"""ImageNet's mean colours and deviations, as the publishers of pretrained networks subtract and divide them."""

CAFFE_MEAN = (123.68, 116.779, 103.939)
"""Red, green, blue in 0..255 (Simonyan & Zisserman 2015)."""

TORCH_MEAN = (0.485, 0.456, 0.406)
"""Red, green, blue in 0..1 (torchvision)."""

TORCH_STD = (0.229, 0.224, 0.225)
"""Red, green, blue in 0..1 (torchvision)."""
