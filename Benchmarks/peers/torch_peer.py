"""PyTorch: eager as a user writes it; with `--compile` by torch.compile and the fused optimizer; with
`--channels-last` the image networks of the eager one with channels last in memory."""

import sys

from harness import Job, importing, serve, trained

with importing():
    import data
    import torch
    import torch.nn.functional as F
    import torch_networks
    from torch import nn

threads = int(sys.argv[1])
compiles, is_channels_last = "--compile" in sys.argv, "--channels-last" in sys.argv
torch.set_num_threads(threads)
tensor = torch.from_numpy


def compiled(function):
    return torch.compile(function, dynamic=False) if compiles else function


def nothing():
    pass


def gemm(work):
    if compiles:
        return None  # the same call of the same library
    dtype = torch.bfloat16 if work.dtype == "bf16" else torch.float32

    def operand(purpose, index, rows, columns, transposed):
        shape = (columns, rows) if transposed else (rows, columns)
        stored = tensor(data.signed(purpose, index, *shape)).to(dtype)
        return stored.t() if transposed else stored

    sets = [
        (operand(data.INPUT, i, work.m, work.k, work.transposes[0]),
         operand(data.OTHER, i, work.k, work.n, work.transposes[1]), torch.empty(work.m, work.n, dtype=dtype))
        for i in range(work.sets)
    ]

    def step():
        return [torch.mm(a, b, out=c) for a, b, c in sets]

    return forward(step, units=len(sets))


def conv(work):
    if compiles:
        return None  # the same call of the same library
    channels_last = dict(memory_format=torch.channels_last)
    x = tensor(data.signed(data.INPUT, 0, *work.x_shape)).permute(0, 3, 1, 2).contiguous(**channels_last)
    w = tensor(data.signed(data.OTHER, 0, *work.w_shape)).permute(3, 2, 0, 1).contiguous(**channels_last)
    dy = tensor(data.signed(data.NOISE, 0, *work.y_shape)).permute(0, 3, 1, 2).contiguous(**channels_last)
    strides, padding = [work.stride] * 2, [work.padding] * 2

    def step():
        if work.direction == "forward":
            return F.conv2d(x, w, None, strides, padding)
        wanted = [work.direction == "dx", work.direction == "dw", False]
        return next(g for g in torch.ops.aten.convolution_backward(
            dy, x, w, None, strides, padding, [1, 1], False, [0, 0], 1, wanted) if g is not None)

    with torch.inference_mode():
        result = step().permute(*((2, 3, 1, 0) if work.direction == "dw" else (0, 2, 3, 1)))
    return Job(step, nothing, data.digest(result.contiguous()), around=torch.inference_mode)


def conv2d(layer, channels, filters):
    module = nn.Conv2d(channels, filters, 3)
    with torch.no_grad():
        kernel = data.kernel(layer, 9 * channels, filters).reshape(3, 3, channels, filters)
        module.weight.copy_(tensor(kernel).permute(3, 2, 0, 1))
        module.bias.zero_()
    return module


class Digits(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = conv2d(0, 1, 32), conv2d(1, 32, 64)
        self.hidden, self.output = linear(2, 64 * 144, 128), linear(3, 128, 10)
        with torch.no_grad():  # of channels, rows, columns instead of rows, columns, channels
            self.hidden.weight.copy_(
                self.hidden.weight.reshape(128, 12, 12, 64).permute(0, 3, 1, 2).reshape(128, -1))

    def forward(self, x, kept):
        x = F.max_pool2d(F.relu(self.second(F.relu(self.first(x)))), 2) * kept
        return self.output(F.relu(self.hidden(x.flatten(1))))


def cnn(work):
    batches = []
    for i in range(4):
        kept = (data.unit(data.NOISE, i, work.batch, 12, 12, 64) < 0.75).astype("float32") / 0.75
        x = tensor(data.unit(data.INPUT, i, work.batch, 28, 28, 1))
        batches.append((x.permute(0, 3, 1, 2).contiguous(), tensor(kept).permute(0, 3, 1, 2).contiguous(),
                        tensor(data.labels(i, work.batch, 10))))
    return training(Digits(), batches, lambda net, x, kept, y: F.cross_entropy(net(x, kept), y))


def linear(layer, inputs, units):
    module = nn.Linear(inputs, units)
    with torch.no_grad():
        module.weight.copy_(tensor(data.kernel(layer, inputs, units)).t())
        module.bias.zero_()
    return module


def perceptron(work):
    parts = []
    for layer, (inputs, units) in enumerate(work.layers):
        parts += [linear(layer, inputs, units), nn.ReLU()]
    return nn.Sequential(*parts[:-1])


def mlp(work):
    model = perceptron(work)
    inputs = [tensor(data.unit(data.INPUT, i, work.batch, work.widths[0])) for i in range(8)]
    labels = [tensor(data.labels(i, work.batch, work.widths[-1])) for i in range(8)]
    if work.trains:
        return training(model, list(zip(inputs, labels)), lambda net, x, y: F.cross_entropy(net(x), y))
    net = compiled(model.eval())
    count = 0

    def step():
        nonlocal count
        count += 1
        return [net(inputs[(count - 1) % 8])]

    return forward(step)


def forward(step, units=1):
    with torch.inference_mode():
        results = step()
    return Job(step, nothing, data.digest(*(r.float() for r in results)), units, torch.inference_mode)


def image_network(work):
    if compiles:
        return None  # takes a minute to compile
    model, inputs = torch_networks.network(work), torch_networks.inputs(work)
    if is_channels_last:
        model = model.to(memory_format=torch.channels_last)
        inputs = [x.contiguous(memory_format=torch.channels_last) for x in inputs]
    if work.trains:
        batches = [(x, tensor(data.labels(i, work.batch, 10))) for i, x in enumerate(inputs)]
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9, weight_decay=5e-4)
        return training(model, batches, lambda net, x, y: F.cross_entropy(net(x), y), optimizer)
    model.eval()
    count = 0

    def step():
        nonlocal count
        count += 1
        return [model(inputs[(count - 1) % len(inputs)])]

    return forward(step)


def training(model, batches, loss_of, optimizer=None):
    net = compiled(model)
    optimizer = optimizer or torch.optim.Adam(model.parameters(), lr=1e-3, fused=True if compiles else None)
    count, loss = 0, None

    def step():
        nonlocal count, loss
        batch = batches[count % len(batches)]
        count += 1
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(net, *batch)
        loss.backward()
        optimizer.step()

    def read():
        return loss.item()

    return Job(step, read, trained(step, read))


def mnist(work):
    """An epoch as a user writes it: a DataLoader, the mean loss and the accuracy, a line now and then."""
    if work.name.endswith("loop"):
        return None
    model = perceptron(work)
    x = tensor(data.pictures(work.examples, work.widths[0])).float() / 255
    y = tensor(data.labels(0, work.examples, work.widths[-1]))
    with torch.no_grad():
        start = F.cross_entropy(model(x[:1000]), y[:1000]).item()
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), work.batch, shuffle=True)
    net = compiled(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True if compiles else None)

    def epoch():
        total, right, seen = torch.zeros(()), torch.zeros((), dtype=torch.long), 0
        for step, (inputs, labels) in enumerate(loader):
            optimizer.zero_grad(set_to_none=True)
            outputs = net(inputs)
            loss = F.cross_entropy(outputs, labels)
            loss.backward()
            optimizer.step()
            total += loss.detach() * len(labels)
            right += (outputs.argmax(1) == labels).sum()
            seen += len(labels)
            if step % 50 == 0:
                print(f"step {step}  loss {total.item() / seen:.4f}  accuracy {right.item() / seen:.4f}")
        return total.item() / seen, right.item() / seen

    return Job(epoch, nothing, [[start, start]])


class VAE(nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.encoder, self.mean, self.logvar, self.decoder, self.output = (
            linear(layer, *size) for layer, size in enumerate(layers))

    def forward(self, x, noise):
        hidden = F.relu(self.encoder(x))
        mean, logvar = self.mean(hidden), self.logvar(hidden)
        latent = mean + noise * torch.exp(0.5 * logvar)
        logits = self.output(F.relu(self.decoder(latent)))
        likelihood = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
        divergence = -0.5 * (1 + logvar - mean * mean - logvar.exp()).sum()
        return (likelihood + divergence) / x.shape[0]


def vae(work):
    batches = [
        (tensor(data.unit(data.INPUT, i, work.batch, work.widths[0])),
         tensor(data.signed(data.NOISE, i, work.batch, work.widths[2], scale=2))) for i in range(8)
    ]
    return training(VAE(work.layers), batches, lambda net, x, noise: net(x, noise))


def elementwise(work):
    a, b = (tensor(data.signed(p, 0, work.count)) for p in (data.INPUT, data.OTHER))

    def tanh(a, b):
        return torch.tanh(a * b + a)

    def chain8(x, _):
        t = x * 0.5 + 0.25
        return torch.relu((torch.abs(t * t - 0.5) + x) * 0.75)

    function = compiled(tanh if work.function == "tanh" else chain8)

    return forward(lambda: [function(a, b)])


def rows(work):
    shape = (work.rows, work.columns)
    x = tensor(data.signed(data.INPUT, 0, *shape, scale=4)).requires_grad_()
    gain = tensor(data.unit(data.GAIN, 0, work.columns)).requires_grad_()
    shift = tensor(data.unit(data.SHIFT, 0, work.columns)).requires_grad_()
    weight = tensor(data.unit(data.OTHER, 0, *shape))
    labels = tensor(data.labels(0, work.rows, work.columns))
    layer, learned = {
        "softmax": (lambda: F.softmax(x, -1), []),
        "layernorm": (lambda: F.layer_norm(x, (work.columns,), gain, shift, 1e-5), [gain, shift]),
        "rmsnorm": (lambda: F.rms_norm(x, (work.columns,), gain, 1e-5), [gain]),
        "crossentropy": (lambda: F.cross_entropy(x, labels), []),
    }[work.kind]
    layer = compiled(layer)
    cotangent = None if work.kind == "crossentropy" else weight

    def step():
        y = layer()
        return y, *torch.autograd.grad(y, [x, *learned], cotangent)

    return Job(step, nothing, data.digest(*(t.detach() for t in step())))


makers = {"resnet18-cifar": image_network, "mobilenetv2": image_network}
if not is_channels_last:
    makers.update(gemm=gemm, conv=conv, cnn=cnn, mlp=mlp, vae=vae, mnist=mnist, elementwise=elementwise)
    makers.update({kind: rows for kind in ("softmax", "layernorm", "rmsnorm", "crossentropy")})
serve(torch.__version__, makers)
