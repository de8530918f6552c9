"""Writes this folder: small pictures in every kind of PNG and JPEG, and what Pillow makes of pictures.

`python generate.py [folder of natural pictures]` with Pillow 13.
"""

import json
import os
import struct
import sys
import zlib

from PIL import Image, ImageEnhance, ImageOps

here = os.path.dirname(os.path.abspath(__file__))
W, H = 37, 23


def sample(x, y, c):
    """The tests make the same picture."""
    return (3 * x * x + 17 * y + 53 * c + x * y) % 256


def picture(channels, width=W, height=H):
    data = bytes(sample(x, y, c) for y in range(height) for x in range(width) for c in range(channels))
    mode = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[channels]
    return Image.frombytes(mode, (width, height), data)


def told(image):
    data = image.tobytes()
    return {"width": image.width, "height": image.height, "channels": len(data) // (image.width * image.height),
            "crc": zlib.crc32(data)}


# PNG, written by hand, because Pillow does not write all kinds.
def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


PASSES = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def png(value, channels, kind, depth, interlaced=False, extra=b""):
    def rows(xs, ys):
        result = b""
        for y in ys:
            bits = "".join(format(value(x, y, c), f"0{depth}b") for x in xs for c in range(channels))
            bits += "0" * (-len(bits) % 8)
            result += b"\0" + int("1" + bits, 2).to_bytes(len(bits) // 8 + 1, "big")[1:] if xs else b""
        return result

    if interlaced:
        data = b"".join(rows(range(x, W, dx), range(y, H, dy)) for x, y, dx, dy in PASSES)
    else:
        data = rows(range(W), range(H))
    header = struct.pack(">IIBBBBB", W, H, depth, kind, 0, 0, int(interlaced))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(data, 9))
            + chunk(b"IEND", b""))


def write(name, data):
    with open(os.path.join(here, name), "wb") as file:
        file.write(data)


files = {}


def expect(name, channels, value):
    data = bytes(value(x, y, c) for y in range(H) for x in range(W) for c in range(channels))
    files[name] = {"width": W, "height": H, "channels": channels, "crc": zlib.crc32(data)}


for channels, kind in [(1, 0), (2, 4), (3, 2), (4, 6)]:
    for interlaced in [False, True]:
        name = f"{channels}{'-interlaced' if interlaced else ''}.png"
        write(name, png(sample, channels, kind, 8, interlaced))
        expect(name, channels, sample)
    name = f"{channels}-16.png"
    write(name, png(lambda x, y, c: sample(x, y, c) * 257, channels, kind, 16))
    expect(name, channels, sample)
for depth in [1, 2, 4]:
    name = f"1-{depth}bit.png"
    write(name, png(lambda x, y, c: sample(x, y, c) >> (8 - depth), 1, 0, depth))
    expect(name, 1, lambda x, y, c: (sample(x, y, c) >> (8 - depth)) * (255 // (2**depth - 1)))
palette = [[(7 * i + 91 * c) % 256 for c in range(3)] for i in range(16)]
colours = chunk(b"PLTE", bytes(v for entry in palette for v in entry))
opacity = chunk(b"tRNS", bytes(17 * i for i in range(8)))
write("palette.png", png(lambda x, y, c: sample(x, y, c) >> 4, 1, 3, 8, extra=colours))
expect("palette.png", 3, lambda x, y, c: palette[sample(x, y, 0) >> 4][c])
write("palette-opacity.png", png(lambda x, y, c: sample(x, y, c) >> 4, 1, 3, 4, True, extra=colours + opacity))


def seen(x, y, c):
    i = sample(x, y, 0) >> 4
    return palette[i][c] if c < 3 else 17 * i if i < 8 else 255


expect("palette-opacity.png", 4, seen)

# JPEG.
for name, image, arguments in [
    ("gray.jpg", picture(1), {}), ("color.jpg", picture(3), {}), ("progressive.jpg", picture(3), {"progressive": True}),
    ("full.jpg", picture(3), {"subsampling": 0, "quality": 95}),
]:
    image.save(os.path.join(here, name), **arguments)
    files[name] = told(Image.open(os.path.join(here, name)))
picture(4).convert("RGB").convert("CMYK").save(os.path.join(here, "ink.jpg"))
files["ink.jpg"] = told(Image.open(os.path.join(here, "ink.jpg")).convert("RGB"))

rgb = picture(3)
filters = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4}
resized = [
    {"filter": name, "from": channels, **told(picture(channels).resize(size, number))}
    for name, number in filters.items() for size in [(19, 11), (64, 50), (37, 9), (5, 40), (1, 1)]
    for channels in [1, 3]
]
changed = {"gray": told(rgb.convert("L")), "autocontrast": told(ImageOps.autocontrast(rgb)),
           "equalize": told(ImageOps.equalize(picture(3, 80, 60))),
           "mirrored": told(ImageOps.mirror(rgb)), "flipped": told(ImageOps.flip(rgb))}
for factor in [0.0, 0.3, 1.0, 1.7]:
    changed[f"brightness {factor}"] = told(ImageEnhance.Brightness(rgb).enhance(factor))
    changed[f"contrast {factor}"] = told(ImageEnhance.Contrast(rgb).enhance(factor))
    changed[f"saturation {factor}"] = told(ImageEnhance.Color(rgb).enhance(factor))
    changed[f"sharpness {factor}"] = told(ImageEnhance.Sharpness(rgb).enhance(factor))
for bits in [1, 3, 8]:
    changed[f"posterized {bits}"] = told(ImageOps.posterize(rgb, bits))
for threshold in [0, 100, 256]:
    changed[f"solarized {threshold}"] = told(ImageOps.solarize(rgb, threshold))
natural = {}
if len(sys.argv) > 1:
    for name in sorted(os.listdir(sys.argv[1])):
        if name.endswith((".png", ".jpg")):
            image = Image.open(os.path.join(sys.argv[1], name))
            natural[name] = told(image)
            square = min(image.size)
            left, top = (image.width - square) // 2, (image.height - square) // 2
            small = image.crop((left, top, left + square, top + square)).resize((224, 224), 3)
            natural[name]["small"] = zlib.crc32(small.tobytes())
with open(os.path.join(here, "pillow.json"), "w") as file:
    json.dump({"files": files, "resized": resized, "changed": changed, "natural": natural}, file, indent=1)
