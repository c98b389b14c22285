"""ImageNet's channel means and standard deviations, as pretrained networks subtract and divide by them."""

CAFFE_MEAN = (123.68, 116.779, 103.939)
"""Means of red, green and blue, in 0..255. Source: Simonyan & Zisserman 2015, the released VGG models."""

TORCH_MEAN = (0.485, 0.456, 0.406)
"""Means of red, green and blue, in 0..1. Source: torchvision's pretrained models."""

TORCH_STD = (0.229, 0.224, 0.225)
"""Standard deviations of red, green and blue, in 0..1. Source: torchvision's pretrained models."""
