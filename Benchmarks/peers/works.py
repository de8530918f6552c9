"""The works: their names, what a name means, how much it computes and moves, and the floor of its time.

    gemm DTYPE MxKxN [ta|tb]           C = A·B; `ta`: A lies transposed in memory, as KxM; `tb`: B, as NxK
    conv NxHxWxC-F kK sS [valid] forward|dx|dw     a convolution with a window of K by K, padded by K/2 unless `valid`,
                                       the gradient of its input, that of its weights
    cnn 28x28 bN adam train            3×3 convolutions of 32 and 64 filters, pooling, dropout, dense layers of 128
                                       and 10; what dropout keeps is data
    resnet18-cifar bN sgd train        one step of ResNet-18 for 32×32 pixels: forward, backward, SGD with momentum
                                       and weight decay
    resnet18-cifar|mobilenetv2 bN infer     forward, of pictures of 32×32 and 224×224 pixels
    mlp W-W-… bN adam train            one step: forward, backward, Adam; relu between layers, cross-entropy
    mlp W-W-… bN infer                 forward
    elementwise tanh|chain8 COUNT      tanh(a·b + a); eight cheap functions, one behind the other
    softmax|layernorm|rmsnorm|crossentropy ROWSxCOLUMNS train      forward and backward of one layer
    vae INPUTS-HIDDEN-LATENT bN adam train
    mnist epoch fit                    an epoch over 60,000 pictures through the whole trainer: shuffled batches of
                                       128, a 784-512-256-10 perceptron, Adam, loss and accuracy, progress lines
    mnist epoch loop                   Cajal alone: the same by hand, without metrics and progress
    engine record|compile              Cajal alone: time a node
"""

import math
import re

# ResNet-18's of 32×32 pixels, and those of `cnn`.
CONVOLUTIONS = [
    "64x32x32x3-64 k3 s1", "64x32x32x64-64 k3 s1", "64x32x32x64-128 k3 s2", "64x32x32x64-128 k1 s2",
    "64x16x16x128-128 k3 s1", "64x16x16x128-256 k3 s2", "64x16x16x128-256 k1 s2", "64x8x8x256-256 k3 s1",
    "64x8x8x256-512 k3 s2", "64x8x8x256-512 k1 s2", "64x4x4x512-512 k3 s1", "128x28x28x1-32 k3 s1 valid",
    "128x26x26x32-64 k3 s1 valid",
]
# Multiply-adds of one picture, those of the first layer, and parameters.
IMAGE_NETWORKS = {
    "resnet18-cifar": (555_422_720, 1_769_472, 11_173_962),
    "mobilenetv2": (300_774_272, 10_838_016, 3_504_872),
}
ROWS = ["softmax", "layernorm", "rmsnorm", "crossentropy"]

ALL = [
    *(f"gemm f32 {n}x{n}x{n}" for n in (64, 512, 1024, 2048)),
    "gemm f32 128x784x512",
    *(f"gemm f32 {shape} {side}"
      for shape in ("512x512x512", "1024x1024x1024", "2048x2048x2048", "128x784x512") for side in ("ta", "tb")),
    *(f"gemm f32 {m}x4096x4096" for m in (1, 4, 8)),
    *(f"gemm bf16 {n}x{n}x{n}" for n in (1024, 2048)),
    *(f"conv {shape} {direction}" for shape in CONVOLUTIONS for direction in ("forward", "dx", "dw")),
    "cnn 28x28 b128 adam train",
    "resnet18-cifar b64 sgd train",
    "resnet18-cifar b1 infer",
    "resnet18-cifar b64 infer",
    "mobilenetv2 b1 infer",
    "mlp 784-512-256-10 b128 adam train",
    "mlp 64-32-10 b32 adam train",
    "mlp 784-512-256-10 b1 infer",
    *(f"elementwise tanh {count}" for count in (1000, 1_000_000, 16_000_000)),
    "elementwise chain8 16000000",
    *(f"{kind} 4096x1024 train" for kind in ROWS),
    "vae 784-400-20 b128 adam train",
    "mnist epoch fit",
    "mnist epoch loop",
    "engine record",
    "engine compile",
]


class Work:
    """A name, read."""

    def __init__(self, name):
        self.name = name
        words = name.split()
        self.kind = words[0]
        numbers = [int(n) for n in re.split("[x-]", next((w for w in words[1:] if re.search(r"^\d", w)), "0"))]
        if self.kind == "gemm":
            self.dtype, (self.m, self.k, self.n) = words[1], numbers
            self.transposes = (words[-1] == "ta", words[-1] == "tb")
        elif self.kind == "conv":
            self.batch, *extents, self.channels, self.filters = numbers
            self.window, self.stride = (int(w[1:]) for w in words[2:4])
            self.padding = 0 if "valid" in words else self.window // 2
            self.direction = words[-1]
            self.outputs = [(e + 2 * self.padding - self.window) // self.stride + 1 for e in extents]
            self.x_shape = [self.batch, *extents, self.channels]
            self.w_shape = [self.window, self.window, self.channels, self.filters]
            self.y_shape = [self.batch, *self.outputs, self.filters]
        elif self.kind == "cnn":
            self.trains, self.batch = True, int(words[2][1:])
        elif self.kind in IMAGE_NETWORKS:
            self.trains, self.batch = words[-1] == "train", int(words[1][1:])
            self.size = 224 if self.kind == "mobilenetv2" else 32
        elif self.kind in ("mlp", "vae"):
            self.widths, self.trains = numbers, words[-1] == "train"
            self.batch = next(int(w[1:]) for w in words if re.fullmatch(r"b\d+", w))
        elif self.kind == "elementwise":
            self.function, self.count = words[1], numbers[0]
        elif self.kind in ROWS:
            self.rows, self.columns = numbers
        elif self.kind == "mnist":
            self.examples, self.widths, self.batch, self.trains = 60_000, [784, 512, 256, 10], 128, True
        elif self.kind != "engine":
            raise ValueError(f"no such work: {name}")

    @property
    def sets(self):
        """Operand sets that a product takes in turn: 8, fewer where they would fill more than 64 MiB, at least 2."""
        size = (2 if self.dtype == "bf16" else 4) * (self.m * self.k + self.k * self.n + self.m * self.n)
        return max(2, min(8, (64 << 20) // size))

    @property
    def layers(self):
        """Inputs and outputs of each layer."""
        if self.kind in ("mlp", "mnist"):
            return list(zip(self.widths, self.widths[1:]))
        inputs, hidden, latent = self.widths
        return [(inputs, hidden), (hidden, latent), (hidden, latent), (latent, hidden), (hidden, inputs)]

    @property
    def steps(self):
        """Training steps in one run of the work."""
        return -(-self.examples // self.batch) if self.kind == "mnist" else 1

    def amounts(self):
        """(floating-point operations of products, bytes that must move, how: `read` or `copy`)."""
        if self.kind == "gemm":
            size = 2 if self.dtype == "bf16" else 4
            return 2 * self.m * self.k * self.n, size * (self.m * self.k + self.k * self.n + self.m * self.n), "read"
        if self.kind == "conv":
            size = 4 * sum(math.prod(shape) for shape in (self.x_shape, self.w_shape, self.y_shape))
            return 2 * math.prod(self.y_shape) * math.prod(self.w_shape[:3]), size, "read"
        if self.kind == "cnn":
            # Terms of each layer's sums, and its weights.
            terms = [26 * 26 * 9 * 32, 24 * 24 * 9 * 32 * 64, 64 * 144 * 128, 128 * 10]
            parameters = 4 * (9 * 32 + 32 + 9 * 32 * 64 + 64 + 64 * 144 * 128 + 128 + 128 * 10 + 10)
            return 2 * self.batch * (3 * sum(terms) - terms[0]), 7 * parameters, "copy"
        if self.kind in IMAGE_NETWORKS:
            terms, first, parameters = IMAGE_NETWORKS[self.kind]
            if not self.trains:
                return 2 * self.batch * terms, 4 * parameters, "read"
            # SGD reads the weight, its gradient and the velocity, and writes two of them.
            return 2 * self.batch * (3 * terms - first), 5 * 4 * parameters, "copy"
        if self.kind in ("mlp", "vae", "mnist"):
            weights = [i * o for i, o in self.layers]
            parameters = 4 * (sum(weights) + sum(o for _, o in self.layers))
            if not self.trains:
                return 2 * self.batch * sum(weights), parameters, "read"
            # Forward, the kernels' gradients, the inputs' gradients but for the first layer's.
            products = 2 * self.batch * (3 * sum(weights) - weights[0])
            # Adam reads the weight, its gradient and two averages, and writes three of them.
            return self.steps * products, self.steps * 7 * parameters, "copy"
        if self.kind == "elementwise":
            return 0, (3 if self.function == "tanh" else 2) * 4 * self.count, "copy"
        # Forward reads x and writes y, backward reads y and its gradient and writes that of x; a loss has
        # neither y nor a gradient of it, only x once more. Row and column values are not counted.
        return 0, (3 if self.kind == "crossentropy" else 5) * 4 * self.rows * self.columns, "copy"

    @property
    def working_set(self):
        """Bytes gone over again and again: those that must move, of a product those of all its operand sets."""
        moved = self.amounts()[1]
        return moved * self.sets if self.kind == "gemm" else moved // self.steps

    def floor(self, rates):
        """Milliseconds that no program beats by much, from what the machine does a second in that working set.

        Products at the rate of multiply-adds; bytes at the rate of reading or copying as many. One product is
        bound by the slower of the two; a training step does its products and then the update.
        """
        operations, moved, way = self.amounts()
        compute = operations / rates["fma bf16" if self.kind == "gemm" and self.dtype == "bf16" else "fma f32"]
        memory = moved / rates[way]
        steps = getattr(self, "trains", False)
        return 1e3 * (compute + memory if steps else max(compute, memory))

    def rate(self, milliseconds):
        """(what it did a second, its unit): GFLOP/s of products over more than eight rows, else GB/s."""
        if self.kind == "engine":
            return milliseconds * 1e3, "µs/node"
        operations, size, _ = self.amounts()
        if operations > 4 * size:
            return operations / milliseconds / 1e6, "GFLOP/s"
        return size / milliseconds / 1e6, "GB/s"
