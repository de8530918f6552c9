"""ONNX Runtime: inference of the networks that PyTorch exports."""

import io
import sys
import warnings

from harness import Job, importing, serve

with importing():
    import data
    import onnx  # what PyTorch exports by
    import onnxruntime
    import torch
    import torch_networks

threads = int(sys.argv[1])


def image_network(work):
    if work.trains:
        return None
    model, file = torch_networks.network(work).eval(), io.BytesIO()
    inputs = torch_networks.inputs(work)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, (inputs[0],), file, input_names=["x"], dynamo=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(file.getvalue(), options, providers=["CPUExecutionProvider"])
    arrays = [x.numpy() for x in inputs]
    count = 0

    def step():
        nonlocal count
        count += 1
        return session.run(None, {"x": arrays[(count - 1) % len(arrays)]})

    return Job(step, lambda: None, data.digest(*step()))


serve(onnxruntime.__version__, {"resnet18-cifar": image_network, "mobilenetv2": image_network})
