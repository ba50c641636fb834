"""Writes learning.json: three steps of LunaModel by each rule of learning beyond the chapter, in PyTorch and float64.

Weights and volumes are those of lunamodel.json. Needs torch and numpy; prints what it wrote. Run in reference/:
    python make_learning_golden.py
"""

import json

import numpy as np
import torch
from torch import nn

# The architecture, weights and volumes by formula: everything before the first batch is made.
with open("make_lunamodel_golden.py") as file:
    source = file.read().split("x=torch.tensor(")[0]
scope: dict = {}
exec(source, scope)
build, volume = scope["build"], scope["volume"]

STEPS = 3
LABELS = torch.tensor([0.0, 1.0, 0.25], dtype=torch.float64)

VOXELS = torch.tensor(np.stack([volume(number) for number in range(len(LABELS))]))[:, None]
EPSILON = 1e-5


class Fixed(nn.Module):
    """(HU + 600) / 390, bent, then scaled and shifted by the batch normalisation's two parameters."""

    def __init__(self, norm: nn.BatchNorm3d, bend) -> None:
        super().__init__()
        self.weight, self.bias, self.bend = norm.weight, norm.bias, bend

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.weight * self.bend((x + 600) / (390**2 + EPSILON) ** 0.5) + self.bias


def loss(logits: torch.Tensor, positive_weight: float, focusing: float) -> torch.Tensor:
    no, yes = torch.log_softmax(logits, 1).unbind(1)
    positive = positive_weight * LABELS * (1 - yes.exp()) ** focusing * -yes
    return (positive + (1 - LABELS) * (1 - no.exp()) ** focusing * -no).mean()


def sgd(parameters, **options):
    return torch.optim.SGD(parameters, lr=0.001, momentum=0.99, **options)


RULES = {
    "sgd with decay": dict(optimizer=lambda p: sgd(p, weight_decay=0.1)),
    "clipped": dict(optimizer=sgd, clip=0.5),
    "adam": dict(optimizer=lambda p: torch.optim.Adam(p, lr=0.001, weight_decay=0.1)),
    "adamw": dict(optimizer=lambda p: torch.optim.AdamW(p, lr=0.001, weight_decay=0.1)),
    "weighted": dict(optimizer=sgd, positive_weight=3.0),
    "focal": dict(optimizer=sgd, positive_weight=3.0, focusing=2.0),
    "fixed": dict(optimizer=sgd, bend=lambda z: z),
    "signed-sqrt": dict(optimizer=sgd, bend=lambda z: z.sign() * z.abs().sqrt()),
    "signed-log": dict(optimizer=sgd, bend=lambda z: z.sign() * z.abs().log1p()),
    "tanh": dict(optimizer=sgd, bend=torch.tanh),
    # Fine-tuning: only the last `depth` parts of the model train, as in the book's chapter 14.
    "depth 1": dict(optimizer=lambda p: sgd(p, weight_decay=0.1), depth=1),
    "depth 2": dict(optimizer=lambda p: torch.optim.AdamW(p, lr=0.001, weight_decay=0.1), depth=2),
    "depth 3": dict(optimizer=lambda p: torch.optim.Adam(p, lr=0.001, weight_decay=0.1), depth=3),
    "depth 5": dict(optimizer=lambda p: sgd(p, weight_decay=0.1), depth=5),
}


def run(dtype, optimizer, clip=None, positive_weight=1.0, focusing=0.0, bend=None, depth=None) -> dict:
    model = build(dtype)
    voxels = VOXELS.to(dtype)
    if bend is not None:
        model.tail_batchnorm = Fixed(model.tail_batchnorm, bend)
    if depth is not None:
        trained = [name for name, _ in model.named_children()][-depth:]
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name.split(".")[0] in trained)
    step = optimizer(model.parameters())
    steps = []
    for _ in range(STEPS):
        step.zero_grad()
        logits = model(voxels)
        loss(logits, positive_weight, focusing).backward()
        plain = -(LABELS * torch.log_softmax(logits, 1)[:, 1] + (1 - LABELS) * torch.log_softmax(logits, 1)[:, 0])
        steps.append(
            {
                "cross_entropy": plain.tolist(),
                "grad_l2": {name: p.grad.norm().item() for name, p in model.named_parameters() if p.grad is not None},
            }
        )
        if clip is not None:
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        step.step()
    return {"steps": steps, "param_l2_after": {name: p.norm().item() for name, p in model.named_parameters()}}


def compare(rule: dict) -> dict:
    """The run in double precision, and how far gradient norms are from it when PyTorch computes in single precision."""
    double, single = run(torch.float64, **rule), run(torch.float32, **rule)
    errors = [
        abs(got["grad_l2"][name] - norm) / max(1, norm)
        for got, wanted in zip(single["steps"], double["steps"])
        for name, norm in wanted["grad_l2"].items()
    ]
    return {**double, "float32_grad_l2_error": max(errors)}


def rates(make) -> list[float]:
    """Learning rates of 4 epochs of 2 steps from 0.1, changed after every step."""
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
    scheduler = make(optimizer)
    told = []
    for _ in range(8):
        told.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return told


def main() -> None:
    schedules = torch.optim.lr_scheduler
    golden = {
        "torch": torch.__version__,
        "labels": LABELS.tolist(),
        "rules": {name: compare(rule) for name, rule in RULES.items()},
        "learning_rates": {
            "cosine": rates(lambda o: schedules.CosineAnnealingLR(o, 8)),
            "step": rates(lambda o: schedules.StepLR(o, 4, 0.5)),
            "warmup": rates(lambda o: schedules.LinearLR(o, 0.25, 1.0, 3)),
        },
    }
    with open("learning.json", "w") as file:
        json.dump(golden, file, indent=0)
        file.write("\n")
    for name, rule in golden["rules"].items():
        print(name, rule["steps"][-1]["cross_entropy"], rule["float32_grad_l2_error"])


main()
