"""TensorFlow: each step is one tf.function, compiled by XLA."""

import os
import sys

from harness import Job, importing, serve, trained

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
with importing():
    import data
    import tensorflow as tf

threads = int(sys.argv[1])
tf.config.threading.set_intra_op_parallelism_threads(threads)
tf.config.threading.set_inter_op_parallelism_threads(threads)
tensor = tf.constant


def compiled(function, xla=True):
    return tf.function(function, jit_compile=xla, autograph=False)


def repeated(function, *arguments, units=1):
    run, results = compiled(function), None

    def step():
        nonlocal results
        results = run(*arguments)

    def wait():
        for result in tf.nest.flatten(results):
            result[..., :1].numpy() if result.shape.rank else result.numpy()

    step()
    checks = data.digest(*(tf.cast(result, tf.float32).numpy() for result in tf.nest.flatten(results)))
    return Job(step, wait, checks, units)


def gemm(work):
    dtype = tf.bfloat16 if work.dtype == "bf16" else tf.float32

    def operand(purpose, index, rows, columns, transposed):
        shape = (columns, rows) if transposed else (rows, columns)
        return tf.cast(tensor(data.signed(purpose, index, *shape)), dtype)

    sets = [
        (operand(data.INPUT, i, work.m, work.k, work.transposes[0]),
         operand(data.OTHER, i, work.k, work.n, work.transposes[1])) for i in range(work.sets)
    ]
    left, right = work.transposes
    return repeated(lambda sets: [tf.matmul(a, b, transpose_a=left, transpose_b=right) for a, b in sets], sets,
                    units=len(sets))


def layers(work):
    return [(tf.Variable(data.kernel(layer, *size)), tf.Variable(tf.zeros(size[1])))
            for layer, size in enumerate(work.layers)]


def dense(layer, x):
    return tf.matmul(x, layer[0]) + layer[1]


def perceptron(model, x):
    for layer in model[:-1]:
        x = tf.nn.relu(dense(layer, x))
    return dense(model[-1], x)


def mlp(work):
    model = layers(work)
    inputs = [tensor(data.unit(data.INPUT, i, work.batch, work.widths[0])) for i in range(8)]
    labels = [tensor(data.labels(i, work.batch, work.widths[-1])) for i in range(8)]
    if work.trains:
        return training(model, list(zip(inputs, labels)), lambda x, y: tf.reduce_mean(
            tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=perceptron(model, x))))
    run, count, result = compiled(lambda x: perceptron(model, x)), 0, None

    def step():
        nonlocal count, result
        result = run(inputs[count % 8])
        count += 1

    step()
    return Job(step, lambda: result.numpy(), data.digest(result.numpy()))


def training(model, batches, loss_of, xla=True):
    variables = tf.nest.flatten(model)
    # Keras adds ε before it corrects the bias of √v, others after: as in the first step here.
    optimizer = tf.keras.optimizers.Adam(1e-3, epsilon=1e-8 * (1 - 0.999) ** 0.5)
    optimizer.build(variables)

    def update(batch):
        with tf.GradientTape() as tape:
            loss = loss_of(*batch)
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
        return loss

    update = compiled(update, xla)
    count, loss = 0, None

    def step():
        nonlocal loss, count
        loss = update(batches[count % len(batches)])
        count += 1

    def read():
        return float(loss)

    return Job(step, read, trained(step, read))


def cnn(work):
    """Without XLA, whose convolutions are slower than oneDNN's."""
    model = [(tf.Variable(data.kernel(layer, 9 * channels, filters).reshape(3, 3, channels, filters)),
              tf.Variable(tf.zeros(filters))) for layer, channels, filters in ((0, 1, 32), (1, 32, 64))]
    model += [(tf.Variable(data.kernel(layer, inputs, units)), tf.Variable(tf.zeros(units)))
              for layer, inputs, units in ((2, 64 * 144, 128), (3, 128, 10))]
    batches = []
    for i in range(4):
        kept = (data.unit(data.NOISE, i, work.batch, 12, 12, 64) < 0.75).astype("float32") / 0.75
        batches.append([tensor(data.unit(data.INPUT, i, work.batch, 28, 28, 1)), tensor(kept),
                        tensor(data.labels(i, work.batch, 10))])

    def loss_of(x, kept, y):
        for kernel, bias in model[:2]:
            x = tf.nn.relu(tf.nn.conv2d(x, kernel, 1, "VALID") + bias)
        x = tf.reshape(tf.nn.max_pool2d(x, 2, 2, "VALID") * kept, [work.batch, -1])
        return tf.reduce_mean(
            tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=perceptron(model[2:], x)))

    return training(model, batches, loss_of, xla=False)


def mnist(work):
    """An epoch of Keras's `fit`."""
    if work.name.endswith("loop"):
        return None
    x = data.pictures(work.examples, work.widths[0]).astype("float32") / 255
    y = data.labels(0, work.examples, work.widths[-1])
    parts = [tf.keras.layers.Dense(units, activation="relu") for units in work.widths[1:-1]]
    model = tf.keras.Sequential([tf.keras.Input(work.widths[:1]), *parts, tf.keras.layers.Dense(work.widths[-1])])
    for layer, (dense, size) in enumerate(zip(model.layers, work.layers)):
        dense.set_weights([data.kernel(layer, *size), tf.zeros(size[1])])
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(tf.keras.optimizers.Adam(1e-3), loss, metrics=["accuracy"])
    start = float(loss(y[:1000], model(x[:1000])))
    return Job(lambda: model.fit(x, y, batch_size=work.batch, verbose=2), lambda: None, [[start, start]])


def vae(work):
    encoder, to_mean, to_logvar, decoder, output = model = layers(work)

    def loss_of(x, noise):
        hidden = tf.nn.relu(dense(encoder, x))
        mean, logvar = dense(to_mean, hidden), dense(to_logvar, hidden)
        latent = mean + noise * tf.exp(0.5 * logvar)
        logits = dense(output, tf.nn.relu(dense(decoder, latent)))
        likelihood = tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(labels=x, logits=logits))
        divergence = -0.5 * tf.reduce_sum(1 + logvar - mean * mean - tf.exp(logvar))
        return (likelihood + divergence) / x.shape[0]

    return training(model, [
        (tensor(data.unit(data.INPUT, i, work.batch, work.widths[0])),
         tensor(data.signed(data.NOISE, i, work.batch, work.widths[2], scale=2))) for i in range(8)
    ], loss_of)


def elementwise(work):
    def tanh(a, b):
        return tf.tanh(a * b + a)

    def chain8(x, b):
        t = x * 0.5 + 0.25
        return tf.nn.relu((tf.abs(t * t - 0.5) + x) * 0.75)

    a, b = (tensor(data.signed(p, 0, work.count)) for p in (data.INPUT, data.OTHER))
    return repeated(tanh if work.function == "tanh" else chain8, a, b)


def normalized(x, gain, shift):
    mean = tf.reduce_mean(x, -1, keepdims=True)
    variance = tf.reduce_mean(tf.square(x - mean), -1, keepdims=True)
    return (x - mean) * tf.math.rsqrt(variance + 1e-5) * gain + shift


def rows(work):
    shape = (work.rows, work.columns)
    x = tensor(data.signed(data.INPUT, 0, *shape, scale=4))
    gain, shift = tensor(data.unit(data.GAIN, 0, work.columns)), tensor(data.unit(data.SHIFT, 0, work.columns))
    weight = tensor(data.unit(data.OTHER, 0, *shape))
    labels = tensor(data.labels(0, work.rows, work.columns))
    layer, arguments, cotangent = {
        "softmax": (tf.nn.softmax, [x], weight),
        "layernorm": (normalized, [x, gain, shift], weight),
        "rmsnorm": (
            lambda x, gain: x * tf.math.rsqrt(tf.reduce_mean(tf.square(x), -1, keepdims=True) + 1e-5) * gain,
            [x, gain], weight),
        "crossentropy": (lambda x: tf.reduce_mean(
            tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=x)), [x], None),
    }[work.kind]

    def both(cotangent, *arguments):
        with tf.GradientTape() as tape:
            tape.watch(arguments)
            y = layer(*arguments)
        return y, *tape.gradient(y, arguments, cotangent)

    return repeated(both, cotangent, *arguments)


makers = dict(gemm=gemm, cnn=cnn, mlp=mlp, vae=vae, mnist=mnist, elementwise=elementwise)
makers.update({kind: rows for kind in ("softmax", "layernorm", "rmsnorm", "crossentropy")})
serve(tf.__version__, makers)
