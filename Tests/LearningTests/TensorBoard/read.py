"""Prints what TensorBoard's own reader finds in a folder of event files, as one JSON object.

    python3 -m venv venv && venv/bin/pip install tensorboard pillow
    CAJAL_TENSORBOARD_PYTHON=venv/bin/python swift test --filter TensorBoardTests
"""

import io
import json
import sys

from PIL import Image
from tensorboard.backend.event_processing import event_accumulator
from tensorboard.util import tensor_util

accumulator = event_accumulator.EventAccumulator(
    sys.argv[1], size_guidance={kind: 0 for kind in event_accumulator.DEFAULT_SIZE_GUIDANCE}
)
accumulator.Reload()
tags = accumulator.Tags()


def picture(event):
    image = Image.open(io.BytesIO(event.encoded_image_string))
    image.load()
    return {
        "step": event.step,
        "width": event.width,
        "height": event.height,
        "mode": image.mode,
        "pixels": list(image.tobytes()),
    }


def histogram(event):
    value = event.histogram_value
    return {
        "step": event.step,
        "min": value.min,
        "max": value.max,
        "num": value.num,
        "sum": value.sum,
        "squares": value.sum_squares,
        "limits": list(value.bucket_limit),
        "counts": list(value.bucket),
    }


print(
    json.dumps(
        {
            "scalars": {t: [[e.step, e.value] for e in accumulator.Scalars(t)] for t in tags["scalars"]},
            "histograms": {t: [histogram(e) for e in accumulator.Histograms(t)] for t in tags["histograms"]},
            "images": {t: [picture(e) for e in accumulator.Images(t)] for t in tags["images"]},
            "texts": {
                t: [
                    [e.step, tensor_util.make_ndarray(e.tensor_proto)[0].decode()]
                    for e in accumulator.Tensors(t)
                ]
                for t in tags["tensors"]
            },
        }
    )
)
