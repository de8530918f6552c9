"""Writes optimizers.json: runs of optimizers that the shared golden file of PyTorch 1.13 does not have.

NAdam, Adafactor, Muon and LBFGS are those of PyTorch 2.13 (torch.optim), Muon with its Newton-Schulz iteration in
float64 and AdamW for what are no matrices; Lion and LAMB are their papers' algorithms in plain Python.

    python3 optimizers.py > optimizers.json        # needs torch 2.13
"""

import json

import torch

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
# Muon computes its iteration in bfloat16 otherwise, whose bits depend on the machine.
torch.Tensor.bfloat16 = torch.Tensor.clone

INPUT = [[0.5, -1.2], [1.5, 0.3], [-0.7, 0.8], [0.1, -0.4]]
TARGET = [[0.9], [0.2], [0.4], [0.7]]
START = {
    "0.weight": [[-0.2109, -0.4976], [-0.1413, -0.342], [-0.2524, 0.6976]],
    "0.bias": [-0.1085, -0.2979, 0.6892],
    "2.weight": [[-0.0508, -0.3941, -0.2843]],
    "2.bias": [-0.0711],
}


class Lion:
    """Chen et al. 2023, algorithm 2."""

    def __init__(self, parameters, lr, betas=(0.9, 0.99), weight_decay=0.0):
        self.parameters, self.lr, self.betas, self.weight_decay = parameters, lr, betas, weight_decay
        self.means = [torch.zeros_like(p) for p in parameters]

    def step(self):
        for p, m in zip(self.parameters, self.means):
            c = self.betas[0] * m + (1 - self.betas[0]) * p.grad
            p.data = p.data - self.lr * (c.sign() + self.weight_decay * p.data)
            m.copy_(self.betas[1] * m + (1 - self.betas[1]) * p.grad)


class LAMB:
    """You et al. 2020, algorithm 2, with phi the identity."""

    def __init__(self, parameters, lr, betas=(0.9, 0.999), eps=1e-6, weight_decay=0.0):
        self.parameters, self.lr, self.betas, self.eps = parameters, lr, betas, eps
        self.weight_decay, self.count = weight_decay, 0
        self.means = [torch.zeros_like(p) for p in parameters]
        self.squares = [torch.zeros_like(p) for p in parameters]

    def step(self):
        self.count += 1
        for p, m, v in zip(self.parameters, self.means, self.squares):
            m.copy_(self.betas[0] * m + (1 - self.betas[0]) * p.grad)
            v.copy_(self.betas[1] * v + (1 - self.betas[1]) * p.grad**2)
            mean = m / (1 - self.betas[0] ** self.count)
            square = v / (1 - self.betas[1] ** self.count)
            r = mean / (square.sqrt() + self.eps) + self.weight_decay * p.data
            size, length = p.data.norm(), r.norm()
            ratio = size / length if size > 0 and length > 0 else 1.0
            p.data = p.data - self.lr * ratio * r


class MuonAndAdamW:
    """PyTorch's Muon for matrices, its AdamW for the rest."""

    def __init__(self, parameters, lr, weight_decay=0.1, **options):
        self.parts = [
            torch.optim.Muon([p for p in parameters if p.dim() == 2], lr=lr, weight_decay=weight_decay, **options),
            torch.optim.AdamW([p for p in parameters if p.dim() != 2], lr=lr, weight_decay=weight_decay),
        ]

    def step(self):
        for part in self.parts:
            part.step()


RUNS = [
    ("NAdam", torch.optim.NAdam, {"lr": 0.01, "weight_decay": 0.01}),
    ("Lion", Lion, {"lr": 0.01}),
    ("Lion", Lion, {"lr": 0.003, "weight_decay": 0.1}),
    ("LAMB", LAMB, {"lr": 0.01}),
    ("LAMB", LAMB, {"lr": 0.02, "weight_decay": 0.05}),
    ("Adafactor", torch.optim.Adafactor, {"lr": 0.01}),
    ("Adafactor", torch.optim.Adafactor, {"lr": 0.02, "weight_decay": 0.1}),
    ("Muon", MuonAndAdamW, {"lr": 0.01}),
    ("Muon", MuonAndAdamW, {"lr": 0.02, "momentum": 0.9, "nesterov": False, "weight_decay": 0.01}),
    ("Muon", MuonAndAdamW, {"lr": 0.01, "adjust_lr_fn": "match_rms_adamw"}),
    # Few moves: where there is little left to gain, the last bits decide.
    ("LBFGS", torch.optim.LBFGS, {"lr": 0.5, "max_iter": 5, "history_size": 3}),
    ("LBFGS", torch.optim.LBFGS, {"lr": 1.0, "max_iter": 5, "line_search_fn": "strong_wolfe"}),
]


def run(name, make, options):
    parameters = {name: torch.tensor(value, requires_grad=True) for name, value in START.items()}
    optimizer = make(list(parameters.values()), **options)
    x, y = torch.tensor(INPUT), torch.tensor(TARGET)
    samples = []

    def evaluate():
        hidden = torch.sigmoid(x @ parameters["0.weight"].T + parameters["0.bias"])
        output = torch.sigmoid(hidden @ parameters["2.weight"].T + parameters["2.bias"])
        loss = ((output - y) ** 2).sum()
        for p in parameters.values():
            p.grad = None
        loss.backward()
        return loss

    for iteration in range(4 if name == "LBFGS" else 101):
        if name == "LBFGS":
            optimizer.step(evaluate)
        else:
            evaluate()
            optimizer.step()
        if iteration % 10 == 0 or name == "LBFGS":
            samples.append({"iteration": iteration} | {n: p.detach().flatten().tolist() for n, p in parameters.items()})
    return samples


print(
    json.dumps(
        {
            "made_with": f"PyTorch {torch.__version__}",
            "model": "Linear(2,3) -> sigmoid -> Linear(3,1) -> sigmoid, float64, loss = sum((output - target)^2)",
            "input": INPUT,
            "target": TARGET,
            "initial_parameters": START,
            "runs": [{"optimizer": n, "options": o, "samples": run(n, make, o)} for n, make, o in RUNS],
        },
        indent=1,
    )
)
