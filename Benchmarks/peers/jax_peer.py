"""JAX with optax: each step is one jitted function, whose state is donated."""

from harness import Job, importing, serve, trained

with importing():
    import data
    import jax
    import jax.numpy as jnp
    import optax


def gemm(work):
    dtype = jnp.bfloat16 if work.dtype == "bf16" else jnp.float32

    def operand(purpose, index, rows, columns, transposed):
        shape = (columns, rows) if transposed else (rows, columns)
        return jnp.asarray(data.signed(purpose, index, *shape), dtype)

    sets = [
        (operand(data.INPUT, i, work.m, work.k, work.transposes[0]),
         operand(data.OTHER, i, work.k, work.n, work.transposes[1])) for i in range(work.sets)
    ]

    def product(a, b):
        return (a.T if work.transposes[0] else a) @ (b.T if work.transposes[1] else b)

    return repeated(lambda sets: [product(a, b) for a, b in sets], sets, units=len(sets))


def repeated(function, *arguments, units=1):
    run, result = jax.jit(function), None

    def step():
        nonlocal result
        result = run(*arguments)

    def wait():
        jax.block_until_ready(result)

    step()
    checks = data.digest(*(leaf.astype(jnp.float32) for leaf in jax.tree.leaves(result)))
    return Job(step, wait, checks, units)


def convolve(x, w, stride=1, padding=0):
    return jax.lax.conv_general_dilated(
        x, w, (stride, stride), [(padding, padding)] * 2, dimension_numbers=("NHWC", "HWIO", "NHWC"))


def conv(work):
    x = jnp.asarray(data.signed(data.INPUT, 0, *work.x_shape))
    w = jnp.asarray(data.signed(data.OTHER, 0, *work.w_shape))
    dy = jnp.asarray(data.signed(data.NOISE, 0, *work.y_shape))

    def run(x, w, dy):
        if work.direction == "forward":
            return convolve(x, w, work.stride, work.padding)
        _, pull = jax.vjp(lambda x, w: convolve(x, w, work.stride, work.padding), x, w)
        return pull(dy)[0 if work.direction == "dx" else 1]

    return repeated(run, x, w, dy)


def cnn(work):
    def kernel(layer, channels, filters):
        return dict(kernel=jnp.asarray(data.kernel(layer, 9 * channels, filters).reshape(3, 3, channels, filters)),
                    bias=jnp.zeros(filters))

    def dense_layer(layer, inputs, units):
        return dict(kernel=jnp.asarray(data.kernel(layer, inputs, units)), bias=jnp.zeros(units))

    def loss_of(model, x, kept, y):
        for layer in model[:2]:
            x = jax.nn.relu(convolve(x, layer["kernel"]) + layer["bias"])
        x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID") * kept
        logits = perceptron(model[2:], x.reshape(x.shape[0], -1))
        return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()

    batches = [
        (jnp.asarray(data.unit(data.INPUT, i, work.batch, 28, 28, 1)),
         jnp.asarray((data.unit(data.NOISE, i, work.batch, 12, 12, 64) < 0.75).astype("float32") / 0.75),
         jnp.asarray(data.labels(i, work.batch, 10).astype("int32"))) for i in range(4)
    ]
    model = [kernel(0, 1, 32), kernel(1, 32, 64), dense_layer(2, 64 * 144, 128), dense_layer(3, 128, 10)]
    return training(model, batches, loss_of)


def layers(work):
    return [dict(kernel=jnp.asarray(data.kernel(layer, *size)), bias=jnp.zeros(size[1]))
            for layer, size in enumerate(work.layers)]


def dense(layer, x):
    return x @ layer["kernel"] + layer["bias"]


def perceptron(model, x):
    for layer in model[:-1]:
        x = jax.nn.relu(dense(layer, x))
    return dense(model[-1], x)


def mlp(work):
    model = layers(work)
    inputs = [jnp.asarray(data.unit(data.INPUT, i, work.batch, work.widths[0])) for i in range(8)]
    labels = [jnp.asarray(data.labels(i, work.batch, work.widths[-1]).astype("int32")) for i in range(8)]
    if work.trains:
        return training(model, list(zip(inputs, labels)), lambda model, x, y: (
            optax.softmax_cross_entropy_with_integer_labels(perceptron(model, x), y).mean()))
    run, count, result = jax.jit(perceptron), 0, None

    def step():
        nonlocal count, result
        result = run(model, inputs[count % 8])
        count += 1

    step()
    return Job(step, lambda: jax.block_until_ready(result), data.digest(result))


def training(model, batches, loss_of):
    optimizer = optax.adam(1e-3)

    def update(model, state, batch):
        loss, gradients = jax.value_and_grad(loss_of)(model, *batch)
        changes, state = optimizer.update(gradients, state)
        return optax.apply_updates(model, changes), state, loss

    run = jax.jit(update, donate_argnums=(0, 1))
    state, count, loss = optimizer.init(model), 0, None

    def step():
        nonlocal model, state, loss, count
        model, state, loss = run(model, state, batches[count % len(batches)])
        count += 1

    def read():
        return float(loss)

    return Job(step, read, trained(step, read))


def vae(work):
    def loss_of(model, x, noise):
        encoder, to_mean, to_logvar, decoder, output = model
        hidden = jax.nn.relu(dense(encoder, x))
        mean, logvar = dense(to_mean, hidden), dense(to_logvar, hidden)
        latent = mean + noise * jnp.exp(0.5 * logvar)
        logits = dense(output, jax.nn.relu(dense(decoder, latent)))
        likelihood = optax.sigmoid_binary_cross_entropy(logits, x).sum()
        divergence = -0.5 * (1 + logvar - mean * mean - jnp.exp(logvar)).sum()
        return (likelihood + divergence) / x.shape[0]

    batches = [
        (jnp.asarray(data.unit(data.INPUT, i, work.batch, work.widths[0])),
         jnp.asarray(data.signed(data.NOISE, i, work.batch, work.widths[2], scale=2))) for i in range(8)
    ]
    return training(layers(work), batches, loss_of)


def elementwise(work):
    def tanh(a, b):
        return jnp.tanh(a * b + a)

    def chain8(x, _):
        t = x * 0.5 + 0.25
        return jax.nn.relu((jnp.abs(t * t - 0.5) + x) * 0.75)

    a, b = (jnp.asarray(data.signed(p, 0, work.count)) for p in (data.INPUT, data.OTHER))
    return repeated(tanh if work.function == "tanh" else chain8, a, b)


def normalized(x, gain, shift):
    mean = x.mean(-1, keepdims=True)
    variance = jnp.square(x - mean).mean(-1, keepdims=True)
    return (x - mean) * jax.lax.rsqrt(variance + 1e-5) * gain + shift


def rows(work):
    shape = (work.rows, work.columns)
    x = jnp.asarray(data.signed(data.INPUT, 0, *shape, scale=4))
    gain = jnp.asarray(data.unit(data.GAIN, 0, work.columns))
    shift = jnp.asarray(data.unit(data.SHIFT, 0, work.columns))
    weight = jnp.asarray(data.unit(data.OTHER, 0, *shape))
    labels = jnp.asarray(data.labels(0, work.rows, work.columns).astype("int32"))
    if work.kind == "crossentropy":
        return repeated(jax.value_and_grad(
            lambda x, y: optax.softmax_cross_entropy_with_integer_labels(x, y).mean()), x, labels)
    forward, arguments = {
        "softmax": (jax.nn.softmax, [x]),
        "layernorm": (normalized, [x, gain, shift]),
        "rmsnorm": (lambda x, gain: x * jax.lax.rsqrt(jnp.square(x).mean(-1, keepdims=True) + 1e-5) * gain,
                    [x, gain]),
    }[work.kind]

    def both(cotangent, *arguments):
        y, pullback = jax.vjp(forward, *arguments)
        return y, *pullback(cotangent)

    return repeated(both, weight, *arguments)


makers = dict(gemm=gemm, conv=conv, cnn=cnn, mlp=mlp, vae=vae, elementwise=elementwise)
makers.update({kind: rows for kind in ("softmax", "layernorm", "rmsnorm", "crossentropy")})
serve(jax.__version__, makers)
