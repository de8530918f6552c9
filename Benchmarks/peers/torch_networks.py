"""ResNet-18 for 32×32 pixels and MobileNetV2, as torchvision has them, with the weights that everybody starts from."""

import data
import torch
import torch.nn.functional as F
from torch import nn


class Residual(nn.Module):
    def __init__(self, body, shortcut=None, activation=None):
        super().__init__()
        self.body, self.shortcut, self.activation = body, shortcut, activation

    def forward(self, x):
        y = self.body(x) + (self.shortcut(x) if self.shortcut else x)
        return self.activation(y) if self.activation else y


def conv(channels, filters, window, stride=1, groups=1):
    return nn.Conv2d(channels, filters, window, stride, window // 2, groups=groups, bias=False)


def unit(channels, filters, window, stride=1, groups=1, activation=nn.ReLU6):
    """A convolution, its normalisation, its activation."""
    layers = [conv(channels, filters, window, stride, groups), nn.BatchNorm2d(filters)]
    return nn.Sequential(*layers, *([activation(inplace=True)] if activation else []))


def named(**layers):
    model = nn.Sequential()
    for name, layer in layers.items():
        model.add_module(name, layer)
    return model


def resnet18():
    def block(channels, filters, stride):
        body = named(
            conv1=conv(channels, filters, 3, stride), bn1=nn.BatchNorm2d(filters), relu1=nn.ReLU(inplace=True),
            conv2=conv(filters, filters, 3), bn2=nn.BatchNorm2d(filters))
        shortcut = unit(channels, filters, 1, stride, activation=None) if channels != filters else None
        return Residual(body, shortcut, nn.ReLU(inplace=True))

    stages = {f"layer{i + 1}": nn.Sequential(block(max(64, 32 << i), 64 << i, 1 if i == 0 else 2),
                                             block(64 << i, 64 << i, 1)) for i in range(4)}
    return named(conv1=conv(3, 64, 3), bn1=nn.BatchNorm2d(64), relu=nn.ReLU(inplace=True), **stages,
                 avgpool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(), fc=nn.Linear(512, 10))


def mobilenetv2():
    def block(channels, filters, expansion, stride):
        inner = channels * expansion
        body = nn.Sequential(
            *([unit(channels, inner, 1)] if expansion > 1 else []), unit(inner, inner, 3, stride, groups=inner),
            unit(inner, filters, 1, activation=None))
        return Residual(body) if stride == 1 and channels == filters else named(body=body)

    features, channels = [unit(3, 32, 3, 2)], 32
    for expansion, filters, count, stride in (
            (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)):
        for index in range(count):
            features.append(block(channels, filters, expansion, stride if index == 0 else 1))
            channels = filters
    features.append(unit(320, 1280, 1))
    return named(features=nn.Sequential(*features), avgpool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(),
                 classifier=nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, 1000)))


def fill(model):
    """Numbers for all parameters: layers in the order of their names, kernels and normalisations counted apart."""
    def order(entry):
        return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in entry[0].split(".")]

    kernels = norms = 0
    with torch.no_grad():
        for _, layer in sorted(model.named_modules(), key=order):
            if isinstance(layer, nn.BatchNorm2d):
                count = layer.num_features
                layer.weight.copy_(torch.from_numpy(data.unit(data.GAIN, norms, count)) + 0.5)
                layer.bias.copy_(torch.from_numpy(data.signed(data.SHIFT, norms, count)))
                layer.running_mean.copy_(torch.from_numpy(data.signed(data.OTHER, norms, count)))
                layer.running_var.copy_(torch.from_numpy(data.unit(data.NOISE, norms, count)) + 0.5)
                norms += 1
            elif isinstance(layer, (nn.Conv2d, nn.Linear)):
                units = layer.weight.shape[0]
                kernel = torch.from_numpy(data.kernel(kernels, layer.weight[0].numel(), units))
                if isinstance(layer, nn.Conv2d):
                    _, channels, *window = layer.weight.shape
                    kernel = kernel.reshape(*window, channels, units).permute(3, 2, 0, 1)
                else:
                    kernel = kernel.t()
                    layer.bias.zero_()
                layer.weight.copy_(kernel)
                kernels += 1
    return model


def network(work):
    return fill(resnet18() if work.kind == "resnet18-cifar" else mobilenetv2())


def inputs(work):
    """Four batches, channels first, contiguous."""
    return [torch.from_numpy(data.signed(data.INPUT, i, work.batch, work.size, work.size, 3, scale=2))
            .permute(0, 3, 1, 2).contiguous() for i in range(4)]
