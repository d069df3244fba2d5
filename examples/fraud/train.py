"""Trains the example's fraud model on made-up payments and writes model.pt, the samples and what PyTorch answers for them.

    pip install torch==2.13.0 numpy
    python examples/fraud/train.py

The data are made here, from the rules in `payments`: they stand for nobody's. The run takes some seconds on one core and
gives the same weights again on the same kind of machine.
"""

import json
import math
from pathlib import Path

import numpy
import torch
from torch import nn

HERE = Path(__file__).resolve().parent
SEED = 11
PAYMENTS = 20_000
EPOCHS = 60
MERCHANTS = ["grocery", "travel", "electronics", "gambling", "other"]
REVIEW, BLOCK = 0.3, 0.7  # as in model-config.yaml


def payments(count, rng):
    """Payments as a shop would send them, and whether each is fraud."""
    amounts = rng.lognormal(3.5, 1.2, count)
    hours = rng.integers(0, 24, count)
    ages = rng.exponential(400, count)
    abroad = rng.random(count) < 0.12
    merchants = rng.choice(len(MERCHANTS), count, p=[0.45, 0.12, 0.18, 0.05, 0.2])
    risk = (
        -6.0
        + 0.9 * numpy.log1p(amounts / 50)
        + 1.4 * ((hours < 5) | (hours > 22))
        + 1.8 * abroad
        + 1.5 * (ages < 30)
        + numpy.array([-1.0, 0.3, 1.1, 2.0, 0.0])[merchants]
        + 2.5 * (abroad & (ages < 30))
    )
    fraud = rng.random(count) < 1 / (1 + numpy.exp(-risk))
    rows = [
        {
            "amount": round(float(amounts[i]), 2),
            "hour": int(hours[i]),
            "accountAgeDays": round(float(ages[i]), 1),
            "abroad": bool(abroad[i]),
            "merchant": MERCHANTS[merchants[i]],
        }
        for i in range(count)
    ]
    return rows, fraud


def features(payment):
    """The same ten numbers as handler.ts makes."""
    angle = payment["hour"] / 24 * 2 * math.pi
    return [
        math.log1p(payment["amount"]),
        math.sin(angle),
        math.cos(angle),
        math.log1p(payment["accountAgeDays"]),
        float(payment["abroad"]),
        *[float(payment["merchant"] == name) for name in MERCHANTS],
    ]


class Fraud(nn.Module):
    """Ten features, standardised inside, to the logit of fraud."""

    def __init__(self, mean, std):
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)
        self.layers = nn.Sequential(nn.Linear(10, 24), nn.ReLU(), nn.Linear(24, 12), nn.ReLU(), nn.Linear(12, 1))

    def forward(self, x):
        return self.layers((x - self.mean) / self.std)


def decision(score):
    return "block" if score >= BLOCK else "review" if score >= REVIEW else "allow"


def main():
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    rows, fraud = payments(PAYMENTS, numpy.random.default_rng(SEED))
    x = torch.tensor([features(row) for row in rows], dtype=torch.float32)
    y = torch.tensor(fraud, dtype=torch.float32)[:, None]
    held = PAYMENTS // 5
    model = Fraud(x[held:].mean(0), x[held:].std(0).clamp_min(1e-3))
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(EPOCHS):
        order = torch.randperm(PAYMENTS - held) + held
        for batch in order.split(512):
            loss = nn.functional.binary_cross_entropy_with_logits(model(x[batch]), y[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    model.eval()
    with torch.inference_mode():
        scores = torch.sigmoid(model(x[:held]))[:, 0]
    labels = y[:held, 0] > 0.5
    ranks = scores.argsort().argsort().double() + 1
    positive = int(labels.sum())
    area = (ranks[labels].sum() - positive * (positive + 1) / 2) / (positive * (held - positive))
    print(f"held out: {held} payments, {positive} fraud, area under the ROC curve {area:.4f}")
    torch.jit.script(model).save(str(HERE / "model.pt"))
    # The first of each decision in the held-out part, not picked by hand.
    for wanted in ("allow", "review", "block"):
        at = next(i for i, score in enumerate(scores.tolist()) if decision(score) == wanted)
        write(f"{wanted}.json", rows[at])
        score = torch.sigmoid(model(x[at : at + 1])).item()
        write(f"{wanted}.expected.json", {"status": 200, "body": {"score": score, "decision": wanted}})


def write(name, value):
    (HERE / "samples" / name).write_text(json.dumps(value, indent=2) + "\n")


if __name__ == "__main__":
    main()
