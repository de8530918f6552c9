"""Numbers that every framework's side makes alike: a hash of (stream, index), exact in float32."""

import numpy as np

# What a stream is for; stream = purpose · 256 + index.
INPUT, OTHER, LABEL, NOISE, WEIGHT, GAIN, SHIFT = range(1, 8)


def bits(purpose, index, count):
    """32 bits an element: the finalizer lowbias32 (Chris Wellons, "Prospecting for hash functions", 2018)."""
    x = np.arange(count, dtype=np.uint32) + np.uint32(((purpose * 256 + index) * 0x9E3779B9) & 0xFFFFFFFF)
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x7FEB352D)
    x ^= x >> np.uint32(15)
    x *= np.uint32(0x846CA68B)
    x ^= x >> np.uint32(16)
    return x


def unit(purpose, index, *shape):
    """In [0, 1), multiples of 2⁻²⁴."""
    count = int(np.prod(shape))
    return ((bits(purpose, index, count) >> np.uint32(8)).astype(np.float32) * np.float32(2**-24)).reshape(shape)


def signed(purpose, index, *shape, scale=1.0):
    """In ±scale, a power of two."""
    return (unit(purpose, index, *shape) * 2 - 1) * np.float32(scale)


def labels(index, count, classes):
    return (bits(LABEL, index, count) % np.uint32(classes)).astype(np.int64)


def pictures(count, width):
    """Bytes."""
    return (bits(INPUT, 0, count * width) >> np.uint32(24)).astype(np.uint8).reshape(count, width)


def kernel(layer, inputs, units):
    """[inputs, units], uniform in ±2^−⌊log₂ √inputs⌋."""
    exponent = (inputs.bit_length() - 1) // 2
    return signed(WEIGHT, layer, inputs, units, scale=2.0**-exponent)


def digest(*arrays):
    """What is compared of results: of each array the mean absolute value and seven elements, each with the
    mean, which differences are measured by."""
    found = []
    for array in arrays:
        flat = np.asarray(array).astype(np.float64).ravel()
        mean = float(np.abs(flat).mean())
        found += [[mean, mean]]
        found += [[float(flat[(k * 2654435761 + 12345) % flat.size]), mean] for k in range(1, 8)]
    return found
