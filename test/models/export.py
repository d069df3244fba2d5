"""Writes the models that tests and benches serve, with golden inputs and outputs.

    python test/models/export.py FOLDER            everything, .pt2 packages included (needs a complete torch)
    python test/models/export.py FOLDER --small    the small TorchScript files that are committed (test/fixtures/models)

Weights are random, distinct and the same on every run (fixed seed). Per model NAME.pt and NAME.json:
{"inputs": [{name, dtype, shape, optional?}], "cases": [{"inputs": {name: {shape, data}}, "outputs": {path: {dtype, shape, data}}}]}
Numbers are the shortest text that reads back to the same float32. Every case is one sample, run alone in eager mode
with a batch dimension of 1 that the golden leaves out again.
"""

import argparse
import io
import json
import pathlib
import sys
import zipfile
from typing import Dict, List, NamedTuple, Optional, Tuple

import torch
from torch import nn

SEED = 20240611


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 4))

    def forward(self, x):
        return self.net(x)


class Recurrent(nn.Module):
    """A step of an LSTM over any number of steps, by a name that is looked up."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(4, 6, batch_first=True)
        self.steps: Dict[str, int] = {"last": -1}

    def forward(self, x):
        return self.lstm(x)[0][:, self.steps["last"]]


class Block(nn.Module):
    def __init__(self, width_in: int, width: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(width_in, width, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.short = nn.Identity()
        if stride != 1 or width_in != width:
            self.short = nn.Sequential(nn.Conv2d(width_in, width, 1, stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, x):
        y = torch.relu(self.norm1(self.conv1(x)))
        return torch.relu(self.norm2(self.conv2(y)) + self.short(x))


class ResNet(nn.Module):
    """ResNet-18's shape with `width` channels in its first stage (64 in the original)."""

    def __init__(self, width: int = 64, classes: int = 1000):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(3, 2, 1)
        )
        stages: List[nn.Module] = []
        channels = width
        for wide, stride in ((width, 1), (2 * width, 2), (4 * width, 2), (8 * width, 2)):
            stages += [Block(channels, wide, stride), Block(wide, wide, 1)]
            channels = wide
        self.stages = nn.Sequential(*stages)
        self.head = nn.Linear(channels, classes)

    def forward(self, x):
        return self.head(torch.flatten(nn.functional.adaptive_avg_pool2d(self.stages(self.stem(x)), 1), 1))


class Encoder(nn.Module):
    """A small transformer encoder: token ids and a mask in, one vector per sample out."""

    def __init__(self, vocabulary: int = 50, width: int = 24, heads: int = 4, layers: int = 2, length: int = 32):
        super().__init__()
        self.heads = heads
        self.tokens = nn.Embedding(vocabulary, width)
        self.places = nn.Parameter(torch.randn(1, length, width) * 0.1)
        self.qkv = nn.ModuleList(nn.Linear(width, 3 * width) for _ in range(layers))
        self.out = nn.ModuleList(nn.Linear(width, width) for _ in range(layers))
        self.up = nn.ModuleList(nn.Linear(width, 2 * width) for _ in range(layers))
        self.down = nn.ModuleList(nn.Linear(2 * width, width) for _ in range(layers))
        self.first = nn.ModuleList(nn.LayerNorm(width) for _ in range(layers))
        self.second = nn.ModuleList(nn.LayerNorm(width) for _ in range(layers))
        self.pool = nn.Linear(width, 8)

    def forward(self, ids, mask):
        batch, length = ids.shape
        x = self.tokens(ids) + self.places[:, :length]
        hidden = (mask == 0).view(batch, 1, 1, length)
        for qkv, out, up, down, first, second in zip(self.qkv, self.out, self.up, self.down, self.first, self.second):
            q, k, v = qkv(x).view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
            weights = (q @ k.transpose(-1, -2) * 0.35).masked_fill(hidden, -1e9).softmax(-1)
            x = first(x + out((weights @ v).transpose(1, 2).reshape(batch, length, -1)))
            x = second(x + down(nn.functional.gelu(up(x))))
        kept = mask.to(x.dtype).unsqueeze(-1)
        return self.pool((x * kept).sum(1) / kept.sum(1).clamp(min=1.0))


class Integers(nn.Module):
    """int64 and bool in, int64 and bool out; optional weight."""

    def forward(self, count, flag, weight: Optional[torch.Tensor] = None) -> Tuple[torch.Tensor, torch.Tensor]:
        total = torch.where(flag, count * 3, count - 9007199254740993)
        if weight is not None:
            total = total * weight
        return total, total > 0


class ReturnsDict(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(6, 3)

    def forward(self, x) -> Dict[str, torch.Tensor]:
        logits = self.body(x)
        return {"logits": logits, "probs": logits.softmax(-1), "label": logits.argmax(-1)}


class ReturnsTuple(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(6, 3)

    def forward(self, x):
        y = self.body(x)
        return y, (y.sum(-1), y * 2)


class Pair(NamedTuple):
    mean: torch.Tensor
    spread: torch.Tensor


class ReturnsNamed(nn.Module):
    def forward(self, x):
        return Pair(x.mean(-1), x.std(-1))


class ReturnsList(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(6, 3)

    def forward(self, x) -> List[torch.Tensor]:
        y = self.body(x)
        return [y, y.tanh()]


class Branches(nn.Module):
    """Data-dependent control flow over the whole batch: wrong when batched, which the server must notice."""

    def forward(self, x):
        if bool(x.sum() > 0):
            return x * 2 + 1
        return -x


class Raises(nn.Module):
    def forward(self, x):
        if bool((x < 0).any()):
            raise ValueError("negative input")
        return x.sqrt()


class WrongRows(nn.Module):
    """Dimension 0 of the output is not the batch."""

    def forward(self, x):
        return x.sum(0)


class Counter(nn.Module):
    """Counts the rows that it has seen; needs stateful: true."""

    def __init__(self):
        super().__init__()
        self.seen = torch.zeros(1)

    def forward(self, x):
        self.seen = self.seen + float(x.size(0))
        return self.seen.expand(x.size(0), 1) + 0 * x[:, :1]


class Half(nn.Module):
    """16-bit floats in and out, computed in float32."""

    def forward(self, x):
        y = x.float()
        return (y * 1.5 + 0.25).to(x.dtype)


class Mixture(NamedTuple):
    twice: torch.Tensor
    none: Optional[torch.Tensor]
    rows: int
    mean: float
    high: bool


class ReturnsNumbers(nn.Module):
    """Numbers of the whole batch beside a tensor, and None."""

    def forward(self, x) -> Mixture:
        mean = float(x.mean().item())
        none: Optional[torch.Tensor] = None
        return Mixture(x * 2, none, x.size(0), mean, mean > 0)


class ReturnsNone(nn.Module):
    """Heads that are there in training alone."""

    def __init__(self):
        super().__init__()
        self.body = nn.Linear(6, 3)

    def forward(self, x) -> Tuple[Optional[torch.Tensor], torch.Tensor, Optional[torch.Tensor]]:
        y = self.body(x)
        aux: Optional[torch.Tensor] = y if self.training else None
        return aux, y, aux


class InPlace(nn.Module):
    """Changes its input, which must not change what a second run sees."""

    def forward(self, x):
        return x.add_(1.0).mul_(2.0)


class Swapped(nn.Module):
    """Two inputs whose order matters."""

    def forward(self, a, b):
        return a - 2 * b


def spec(name, dtype, shape, optional=False):
    entry = {"name": name, "dtype": dtype, "shape": shape}
    if optional:
        entry["optional"] = True
    return entry


F = "float32"
MODELS = {
    "mlp": (Mlp, [spec("x", F, [16])]),
    "convnet": (lambda: ResNet(2, 10), [spec("x", F, [3, 24, 24])]),
    "encoder": (Encoder, [spec("ids", "int64", [-1]), spec("mask", "int64", [-1])]),
    "integers": (
        Integers,
        [spec("count", "int64", [3]), spec("flag", "bool", [3]), spec("weight", "int64", [3], optional=True)],
    ),
    "dict": (ReturnsDict, [spec("x", F, [6])]),
    "tuple": (ReturnsTuple, [spec("x", F, [6])]),
    "named": (ReturnsNamed, [spec("x", F, [6])]),
    "list": (ReturnsList, [spec("x", F, [6])]),
    "branches": (Branches, [spec("x", F, [4])]),
    "raises": (Raises, [spec("x", F, [4])]),
    "wrong_rows": (WrongRows, [spec("x", F, [4])]),
    "counter": (Counter, [spec("x", F, [2])]),
    "half": (Half, [spec("x", "float16", [4])]),
    "bfloat": (Half, [spec("x", "bfloat16", [4])]),
    "numbers": (ReturnsNumbers, [spec("x", F, [4])]),
    "none": (ReturnsNone, [spec("x", F, [6])]),
    "in_place": (InPlace, [spec("x", F, [4])]),
    "swapped": (Swapped, [spec("b", F, [4]), spec("a", F, [4])]),
    "quantised": (Mlp, [spec("x", F, [16])]),
    "quantised_lstm": (Recurrent, [spec("x", F, [-1, 4])]),
}
NO_CASES = {"wrong_rows", "counter"}


def settle_norms(model):
    """Running statistics that are not 0 and 1, so that folding them wrongly would show."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.normal_(0, 0.1)


def build(name):
    torch.manual_seed(SEED + sum(map(ord, name)))
    factory, inputs = MODELS[name]
    model = factory().eval()
    settle_norms(model)
    if name.startswith("quantised"):
        # The per-tensor engine that every x86-64 CPU has.
        torch.backends.quantized.engine = "fbgemm"
        model = torch.ao.quantization.quantize_dynamic(model, {nn.Linear, nn.LSTM}, dtype=torch.qint8)
    return model, inputs


def sample(entry, generator, index):
    shape = [5 + index if d < 0 else d for d in entry["shape"]]
    dtype = getattr(torch, entry["dtype"])
    if entry["name"] == "mask":
        return (torch.arange(shape[-1]) < shape[-1] - index % 3).to(dtype)
    if dtype == torch.bool:
        return torch.rand(shape, generator=generator) < 0.5
    if dtype == torch.int64:
        return torch.randint(0, 50, shape, generator=generator)
    return torch.randn(shape, generator=generator).to(dtype)


def numbers(tensor):
    """Of a tensor with its batch dimension, or a Python number."""
    if not isinstance(tensor, torch.Tensor):
        return [tensor]
    flat = tensor.detach().reshape(-1)
    if flat.dtype in (torch.float16, torch.bfloat16):
        flat = flat.float()
    if flat.dtype == torch.float32:
        return [float(str(v)) for v in flat.numpy()]  # numpy prints the shortest text of a float32
    return flat.tolist()


def described(value):
    if isinstance(value, torch.Tensor):
        return {"dtype": str(value.dtype)[6:], "shape": list(value.shape[1:]), "data": numbers(value)}
    return {"dtype": {int: "int64", float: "float64", bool: "bool"}[type(value)], "shape": [], "data": numbers(value)}


def flatten(value, path=""):
    if value is None:
        return {}
    if isinstance(value, (torch.Tensor, int, float)):
        return {path or "output": value}
    if isinstance(value, dict):
        items = value.items()
    elif hasattr(value, "_fields"):
        items = zip(value._fields, value)
    else:
        items = enumerate(value)
    leaves = {}
    for key, child in items:
        leaves.update(flatten(child, f"{path}.{key}" if path else str(key)))
    return leaves


def golden(name, model, inputs, count):
    generator = torch.Generator().manual_seed(SEED)
    cases = []
    for index in range(0 if name in NO_CASES else count):
        chosen = [e for e in inputs if not (e.get("optional") and index % 2)]
        tensors = {e["name"]: sample(e, generator, index) for e in chosen}
        if name == "raises":
            tensors = {k: v.abs() for k, v in tensors.items()}
        with torch.inference_mode():
            result = model(**{k: v.clone().unsqueeze(0) for k, v in tensors.items()})
        outputs = {k: described(v) for k, v in flatten(result).items()}
        given = {k: {"shape": list(v.shape), "data": numbers(v)} for k, v in tensors.items()}
        cases.append({"inputs": given, "outputs": outputs})
    return {"inputs": inputs, "cases": cases}


def save_script(model, path):
    """The same bytes on every run and no source paths: without the debug records, with fixed dates."""
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(model), buffer)
    with zipfile.ZipFile(buffer) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for entry in source.infolist():
            if entry.filename.endswith(".debug_pkl"):
                continue
            record = zipfile.ZipInfo(f"{path.stem}/{entry.filename.split('/', 1)[1]}", (1980, 1, 1, 0, 0, 0))
            target.writestr(record, source.read(entry), zipfile.ZIP_DEFLATED)


def write_script(folder, name, count):
    model, inputs = build(name)
    (folder / f"{name}.json").write_text(json.dumps(golden(name, model, inputs, count), separators=(",", ":")) + "\n")
    save_script(model, folder / f"{name}.pt")
    print(f"{name}.pt", (folder / f"{name}.pt").stat().st_size, flush=True)


def write_package(folder, name, example, dynamic):
    """An AOTInductor package with a dynamic batch; it fits this kind of CPU and any number of threads."""
    import torch._inductor

    model, inputs = build(name)
    (folder / f"{name}_aoti.json").write_text(json.dumps(golden(name, model, inputs, 6), separators=(",", ":")) + "\n")
    batch = torch.export.Dim("batch", min=1, max=1024)
    with torch.no_grad():
        program = torch.export.export(model, example, dynamic_shapes=tuple({0: batch} for _ in example))
        options = {"cpp.dynamic_threads": True}
        path = str(folder / f"{name}.pt2")
        torch._inductor.aoti_compile_and_package(program, package_path=path, inductor_configs=options)
    print(f"{name}.pt2", pathlib.Path(path).stat().st_size, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--small", action="store_true", help="only the small TorchScript files")
    parser.add_argument("--only", nargs="*", help="names of models")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    for name in args.only or MODELS:
        if name in MODELS:
            write_script(args.folder, name, 2 if name == "convnet" else 4)
    if args.small:
        return 0
    if not args.only or "resnet18" in args.only:
        MODELS["resnet18"] = (ResNet, [spec("x", F, [3, 224, 224])])
        write_script(args.folder, "resnet18", 1)
    if not args.only or "mlp" in args.only:
        write_package(args.folder, "mlp", (torch.randn(4, 16),), True)
    if not args.only or "in_place_wide" in args.only:
        # Large enough that its input is not copied for other reasons.
        MODELS["in_place_wide"] = (InPlace, [spec("x", F, [8192])])
        write_package(args.folder, "in_place_wide", (torch.randn(4, 8192),), True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
