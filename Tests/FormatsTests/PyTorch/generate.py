"""Writes this folder's .pt files: `python generate.py` with PyTorch 2.

The tests know the values: element i of a tensor of n elements is i - 2, except where said.
"""

import collections
import os
import pickle

import torch

here = os.path.dirname(os.path.abspath(__file__))


def save(name, value, **arguments):
    torch.save(value, os.path.join(here, name), **arguments)


def count(shape, dtype):
    elements = 1
    for extent in shape:
        elements *= extent
    return (torch.arange(elements) - 2).reshape(shape).to(dtype)


base = count([4, 6], torch.float32)
views = collections.OrderedDict(
    base=base,
    transposed=base.t(),
    window=base[1:3, 1:6:2],
    column=base[:, 3],
    expanded=count([1, 3], torch.float32).expand(2, 3),
    scalar=torch.tensor(5, dtype=torch.int64),
    empty=torch.zeros(0, 7),
    parameter=torch.nn.Parameter(count([2, 3], torch.float32)),
)
dtypes = {
    str(dtype).removeprefix("torch."): count([2, 3], dtype)
    for dtype in [
        torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16,
        torch.int8, torch.uint8, torch.bool, torch.complex64, torch.uint16,
    ]
}
model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
with torch.no_grad():
    for parameter in model.parameters():
        parameter.copy_(count(parameter.shape, torch.float32))
optimizer = torch.optim.Adam(model.parameters())
model(torch.ones(4, 2)).sum().backward()
optimizer.step()
with torch.no_grad():
    for parameter in model.parameters():
        parameter.copy_(count(parameter.shape, torch.float32))
checkpoint = {
    "epoch": 3, "rate": 1e-3, "note": "näive", "best": None, "done": False, "big": 2**80, "negative": -7,
    "state": model.state_dict(), "optimizer": optimizer.state_dict(), "list": [count([2], torch.int32), (1, 2)],
}

for kind, arguments in [("zip", {}), ("legacy", {"_use_new_zipfile_serialization": False})]:
    save(f"views-{kind}.pt", views, **arguments)
    save(f"dtypes-{kind}.pt", {k: v for k, v in dtypes.items() if kind == "zip" or k != "uint16"}, **arguments)
    for protocol in [2, 5]:
        save(f"checkpoint-{kind}-{protocol}.pt", checkpoint, pickle_protocol=protocol, **arguments)


class Attack:
    def __reduce__(self):
        return (os.system, ("echo attacked",))


for kind, arguments in [("zip", {}), ("legacy", {"_use_new_zipfile_serialization": False})]:
    save(f"attack-{kind}.pt", {"weight": count([2], torch.float32), "x": Attack()}, **arguments)
save("module.pt", torch.nn.Linear(1, 1))
