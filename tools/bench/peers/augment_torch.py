"""Peer of the augmentation suite: the chapter's five transforms with PyTorch on one thread, 32x48x48.

Prints {"version", "samples_per_second"}; median of rounds."""

import json
import math
import random
import statistics
import time

import torch
import torch.nn.functional as functional

ROUNDS = 9
ROUND_SECONDS = 0.3


def draw_matrix() -> torch.Tensor:
    matrix = torch.eye(4)
    for axis in range(3):
        if random.random() > 0.5:
            matrix[axis, axis] *= -1
        matrix[axis, 3] = 0.1 * (random.random() * 2 - 1)
        matrix[axis, axis] *= 1.0 + 0.2 * (random.random() * 2 - 1)
    angle = random.random() * math.pi * 2
    rotation = torch.eye(4)
    rotation[0, 0] = rotation[1, 1] = math.cos(angle)
    rotation[0, 1], rotation[1, 0] = -math.sin(angle), math.sin(angle)
    return matrix @ rotation


def augment(chunk: torch.Tensor) -> torch.Tensor:
    grid = functional.affine_grid(draw_matrix()[:3].unsqueeze(0), list(chunk.shape), align_corners=False)
    sample = functional.grid_sample(chunk, grid, padding_mode="border", align_corners=False)
    return sample + torch.randn_like(sample) * 25.0


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(1)
    random.seed(1)
    chunk = torch.rand(1, 1, 32, 48, 48) * 1400 - 1000
    rates = []
    with torch.no_grad():
        for _ in range(ROUNDS + 1):
            start, count = time.perf_counter(), 0
            while time.perf_counter() - start < ROUND_SECONDS:
                augment(chunk)
                count += 1
            rates.append(count / (time.perf_counter() - start))
    # The first round warms up.
    print(json.dumps({"version": torch.__version__, "samples_per_second": statistics.median(rates[1:])}))


main()
