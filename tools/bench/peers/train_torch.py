"""Peer of the training suite: LunaModel, cross entropy and SGD with momentum in PyTorch.

Prints {"version", "device", "samples_per_second", "forward_samples_per_second", "peak_rss_mb"}; medians of rounds. A round on
CUDA is several steps and waits for the device once, at its end: the fastest way to use it."""

import argparse
import json
import math
import resource
import statistics
import time

import torch
from torch import nn

ROUNDS = 5
LEAST_ROUND_SECONDS = 0.25


def block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv3d(inputs, outputs, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv3d(outputs, outputs, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.MaxPool3d(2, 2),
    )


def luna_model(depth: int, height: int, width: int) -> nn.Sequential:
    head = 64 * (depth // 16) * (height // 16) * (width // 16)
    return nn.Sequential(
        nn.BatchNorm3d(1), block(1, 8), block(8, 16), block(16, 32), block(32, 64), nn.Flatten(), nn.Linear(head, 2)
    )


def median_seconds(step, wait) -> float:
    """Of a step; `wait` returns when the device has done all that it was asked."""

    def timed(steps: int) -> float:
        start = time.perf_counter()
        for _ in range(steps):
            step()
        wait()
        return time.perf_counter() - start

    timed(1)
    steps = max(1, math.ceil(LEAST_ROUND_SECONDS / timed(1)))
    return statistics.median(timed(steps) / steps for _ in range(ROUNDS))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--chunk", required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--tf32", action="store_true", help="products of 10 bits on CUDA instead of float32")
    options = parser.parse_args()
    on_cuda = options.device == "cuda"
    if on_cuda and not torch.cuda.is_available():
        raise SystemExit("PyTorch finds no CUDA device")
    torch.backends.cuda.matmul.allow_tf32 = options.tf32
    torch.backends.cudnn.allow_tf32 = options.tf32
    # Tries cuDNN's algorithms in the first steps and keeps the fastest.
    torch.backends.cudnn.benchmark = on_cuda
    device = torch.device(options.device)
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    depth, height, width = map(int, options.chunk.split("x"))
    model = luna_model(depth, height, width).to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.99)
    chunks = torch.rand(options.batch, 1, depth, height, width) * 1400 - 1000
    labels = torch.arange(options.batch) % 2
    if on_cuda:
        chunks, labels = chunks.pin_memory(), labels.pin_memory()

    def wait() -> None:
        if on_cuda:
            torch.cuda.synchronize()

    def to_device(values: torch.Tensor) -> torch.Tensor:
        # As the engines do: voxels start in the machine's memory, and go up while the device computes.
        return values.to(device, non_blocking=True)

    def train() -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(to_device(chunks)), to_device(labels)).backward()
        optimizer.step()

    def evaluate() -> None:
        with torch.no_grad():
            model(to_device(chunks))

    train_seconds = median_seconds(train, wait)
    model.eval()
    evaluate_seconds = median_seconds(evaluate, wait)
    print(
        json.dumps(
            {
                "version": torch.__version__,
                "device": torch.cuda.get_device_name() if on_cuda else "cpu",
                "samples_per_second": options.batch / train_seconds,
                "forward_samples_per_second": options.batch / evaluate_seconds,
                "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
        )
    )


main()
