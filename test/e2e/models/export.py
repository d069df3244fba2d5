"""Writes the small TorchScript models of the end-to-end tests beside this file (python export.py).

ledger   16 -> 64 -> 64 -> 4, weights and inputs chosen so that every sum is exact in float32: whoever knows the formula
         knows the answer to the last bit, however requests were batched (test/e2e/ledger.ts has the same formula).
moody    raises for x[0] > 100; log(x[0]) otherwise, so 0 gives -inf and -1 gives NaN.
slow     x[0] milliseconds of work, answers x[0] (the batch works as long as its largest sample).
wide     one number in, two million out: a large answer for slow readers.
dtypes   one input of every dtype, answered as they came.
lopsided an output whose dimension 0 is not the batch.    wordy   a text.    imaginary   a number without wire form.
answers  of every kind that a TorchScript model can answer, with numbers and a text that tell of the whole batch.
heads    logits and two further heads that are None in eval mode, as in torchvision's GoogLeNet.
found    a list of dicts, one per sample, with as many scores as the sample has positive numbers, as in its detectors.
leaky    keeps 64 KiB for every call, for ever: the control that the growth checks must catch.
missing_op   calls an operator that only the exporting process has.
nms      calls torchvision's operator of that name: three boxes, of which it keeps two.
"""

import io
import pathlib
import zipfile
from typing import Dict, List, NamedTuple, Optional, Tuple

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


class Imaginary(nn.Module):
    def forward(self, x: Tensor) -> Tuple[Tensor, complex]:
        return x, 1j


class Answer(NamedTuple):
    twice: Tensor
    none: Optional[Tensor]
    rows: int
    mean: float
    high: bool
    word: str
    sizes: List[int]
    nested: Dict[str, Tuple[Tensor, Optional[float]]]


class Answers(nn.Module):
    def forward(self, x: Tensor) -> Answer:
        mean = float(x.mean().item())
        high = mean > 0
        word = "high \u00e9\"" if high else ""
        none: Optional[Tensor] = None
        return Answer(x * 2, none, x.size(0), mean, high, word, x.size(), {"sum": (x.sum(1), mean if high else None)})


class Heads(NamedTuple):
    logits: Tensor
    aux2: Optional[Tensor]
    aux1: Optional[Tensor]


class Headed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(grid(4, 3, 7, 13, 0.125))

    def forward(self, x: Tensor) -> Heads:
        logits = x @ self.weight
        aux: Optional[Tensor] = logits if self.training else None
        return Heads(logits, aux, aux)


class Found(nn.Module):
    def forward(self, x: Tensor) -> List[Dict[str, Tensor]]:
        found: List[Dict[str, Tensor]] = []
        for sample in x:
            scores = sample[sample > 0]
            found.append({"boxes": torch.stack([scores, scores, scores, scores], 1), "scores": scores})
        return found


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
    """Without the debug records, which name the folder that this file was in."""
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(module.eval()), buffer)
    with zipfile.ZipFile(buffer) as source, zipfile.ZipFile(HERE / f"{name}.pt", "w", zipfile.ZIP_DEFLATED) as target:
        for entry in source.infolist():
            if not entry.filename.endswith(".debug_pkl"):
                record = zipfile.ZipInfo(f"{name}/{entry.filename.split('/', 1)[1]}", (1980, 1, 1, 0, 0, 0))
                target.writestr(record, source.read(entry), zipfile.ZIP_DEFLATED)


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
        ("imaginary", Imaginary()),
        ("answers", Answers()),
        ("heads", Headed()),
        ("found", Found()),
        ("leaky", Leaky()),
        ("missing_op", MissingOp()),
        ("nms", Boxes()),
    ):
        save(name, module)


if __name__ == "__main__":
    main()
