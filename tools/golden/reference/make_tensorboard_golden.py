"""What PyTorch's SummaryWriter writes for the chapter's PR curve and histograms (p2ch12/training.py, logMetrics).

Needs torch, numpy and tensorboard; prints what it wrote. Run in reference/:
    python make_tensorboard_golden.py
"""

import json
import tempfile

import numpy as np
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.tensorboard import SummaryWriter

COUNT = 200


def scores(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels and probabilities by an integer hash: both sides start from equal bits."""
    state = 1
    labels, probabilities = [], []
    for index in range(count):
        state = (state * 1664525 + 1013904223) % 2**32
        labels.append(int(index % 5 == 0))
        # Some at the ends: 0, 1, and the filters' 0.01 and 0.99.
        edge = [0.0, 1.0, 0.01, 0.99, 0.5]
        probabilities.append(edge[index // 13 % 5] if index % 13 == 0 else state / 2**32)
    return np.array(labels), np.array(probabilities, dtype=np.float32)


def main() -> None:
    labels, probabilities = scores(COUNT)
    with tempfile.TemporaryDirectory() as folder:
        writer = SummaryWriter(folder)
        writer.add_pr_curve("pr", torch.tensor(labels), torch.tensor(probabilities), 7)
        writer.close()
        accumulator = EventAccumulator(folder, size_guidance={"tensors": 0})
        accumulator.Reload()
        event = accumulator.Tensors("pr")[0]
        plugin = accumulator.summary_metadata["pr"].plugin_data
    bins = np.linspace(0, 1, 51)
    keep = {
        "is_neg": probabilities[(labels == 0) & (probabilities > 0.01)],
        "is_pos": probabilities[(labels == 1) & (probabilities < 0.99)],
    }
    golden = {
        "numpy": np.__version__,
        "torch": torch.__version__,
        "count": COUNT,
        "pr": {
            "step": event.step,
            "plugin_name": plugin.plugin_name,
            "content": list(plugin.content),
            "shape": [dim.size for dim in event.tensor_proto.tensor_shape.dim],
            "values": list(event.tensor_proto.float_val),
        },
        "histograms": {
            name: {"counts": np.histogram(values, bins=bins)[0].tolist(), "count": len(values)}
            for name, values in keep.items()
        },
    }
    with open("tensorboard.json", "w") as file:
        json.dump(golden, file)
        file.write("\n")
    print(f"tensorboard.json: {len(golden['pr']['values'])} values of the PR curve")


main()
