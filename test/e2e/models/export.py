"""Writes the small TorchScript models of the end-to-end tests beside this file (python export.py).

ledger   16 -> 64 -> 64 -> 4, weights and inputs chosen so that every sum is exact in float32: whoever knows the formula
         knows the answer to the last bit, however requests were batched (test/e2e/ledger.ts has the same formula).
moody    raises for x[0] > 100; log(x[0]) otherwise, so 0 gives -inf and -1 gives NaN.
slow     x[0] milliseconds of work, answers x[0] (the batch works as long as its largest sample).
wide     one number in, two million out: a large answer for slow readers.
dtypes   one input of every dtype, answered as they came.
lopsided an output whose dimension 0 is not the batch.    wordy   an output that is no tensor.
leaky    keeps 64 KiB for every call, for ever: the control that the growth checks must catch.
missing_op   calls an operator that only the exporting process has.
nms      calls torchvision's operator of that name: three boxes, of which it keeps two.
"""

import pathlib
from typing import Dict, List, Tuple

import torch
from torch import Tensor, nn

HERE = pathlib.Path(__file__).parent


def grid(rows: int, columns: int, a: int, b: int, scale: float) -> Tensor:
    i = torch.arange(rows).unsqueeze(1)
    j = torch.arange(columns).unsqueeze(0)
    return (((i * a + j * b + i * j) % 17) - 8).to(torch.float32) * scale


class Ledger(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w1 = nn.Parameter(grid(16, 64, 7, 13, 0.125))
        self.w2 = nn.Parameter(grid(64, 64, 5, 11, 0.125).sign())
        self.w3 = nn.Parameter(grid(64, 4, 3, 7, 0.125).sign())

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(torch.relu(x @ self.w1) @ self.w2) @ self.w3


class Moody(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        if bool((x[:, 0] > 100).any()):
            raise ValueError("moody refuses numbers over 100")
        return torch.log(x)


class Slow(nn.Module):
    def __init__(self, steps_per_ms: int) -> None:
        super().__init__()
        self.steps_per_ms = steps_per_ms
        self.m = nn.Parameter(torch.eye(64))

    def forward(self, x: Tensor) -> Tensor:
        y = self.m
        for _ in range(int(x.max().item() * self.steps_per_ms)):
            y = y @ self.m
        return x * y[0, 0]


class Wide(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + torch.arange(2_000_000, dtype=torch.float32)


class Dtypes(nn.Module):
    def forward(
        self, b: Tensor, u8: Tensor, i8: Tensor, i16: Tensor, i32: Tensor, i64: Tensor, f16: Tensor, bf16: Tensor, f64: Tensor
    ) -> Dict[str, Tensor]:
        return {"b": b, "u8": u8, "i8": i8, "i16": i16, "i32": i32, "i64": i64, "f16": f16, "bf16": bf16, "f64": f64}


class Lopsided(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.sum(0)


class Wordy(nn.Module):
    def forward(self, x: Tensor) -> str:
        return "words"


class Leaky(nn.Module):
    held: List[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.held = []

    def forward(self, x: Tensor) -> Tensor:
        self.held.append(torch.ones(16384) * x.sum())
        return x


class MissingOp(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.ops.nowhere.twice(x)


class Boxes(nn.Module):
    def forward(self, pictures: Tensor) -> List[Dict[str, Tensor]]:
        found: List[Dict[str, Tensor]] = []
        boxes = torch.tensor([[0.0, 0.0, 4.0, 4.0], [0.0, 0.0, 4.0, 3.5], [5.0, 5.0, 8.0, 8.0]])
        for picture in pictures:
            scores = torch.tensor([0.9, 0.8, 0.7]) + 0.0 * picture.mean()
            kept = torch.ops.torchvision.nms(boxes, scores, 0.5)
            found.append({"boxes": boxes[kept], "labels": kept, "scores": scores[kept]})
        return found


def save(name: str, module: nn.Module) -> None:
    torch.jit.save(torch.jit.script(module.eval()), str(HERE / f"{name}.pt"))


def main() -> None:
    library = torch.library.Library("nowhere", "DEF")
    library.define("twice(Tensor x) -> Tensor")
    # Its schema is enough to script a call of it.
    vision = torch.library.Library("torchvision", "DEF")
    vision.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    for name, module in (
        ("ledger", Ledger()),
        ("moody", Moody()),
        ("slow", Slow(80)),
        ("wide", Wide()),
        ("dtypes", Dtypes()),
        ("lopsided", Lopsided()),
        ("wordy", Wordy()),
        ("leaky", Leaky()),
        ("missing_op", MissingOp()),
        ("nms", Boxes()),
    ):
        save(name, module)


if __name__ == "__main__":
    main()
