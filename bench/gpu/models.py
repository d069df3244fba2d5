"""Writes what bench/gpu runs into a folder: python bench/gpu/models.py FOLDER

ResNet-50 and BERT-base by their shapes (K. He et al., arXiv 1512.03385, table 1; J. Devlin et al., arXiv 1810.04805,
section 3), with random weights of a fixed seed, as TorchScript in fp32. Beside each NAME.pt lie NAME.input, four samples
one after the other, and NAME.expected, the float32 answers that Python's PyTorch gives to them on the CPU.
"""

import sys
from pathlib import Path

import torch
from torch import Tensor, nn

SAMPLES = 4
WORDS = 30522
TOKENS = 128


class Bottleneck(nn.Module):
    def __init__(self, inside: int, width: int, stride: int) -> None:
        super().__init__()
        outside = 4 * width
        self.conv1 = nn.Conv2d(inside, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outside, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outside)
        self.short: nn.Module = nn.Identity()
        if stride != 1 or inside != outside:
            self.short = nn.Sequential(nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside))

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.bn1(self.conv1(x)))
        y = torch.relu(self.bn2(self.conv2(y)))
        return torch.relu(self.bn3(self.conv3(y)) + self.short(x))


def resnet50() -> nn.Module:
    layers: list[nn.Module] = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    inside = 64
    for width, blocks, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for block in range(blocks):
            layers.append(Bottleneck(inside, width, stride if block == 0 else 1))
            inside = 4 * width
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inside, 1000))
    for module in model.modules():  # a residual branch that is small keeps 16 blocks within fp16
        if isinstance(module, Bottleneck):
            nn.init.constant_(module.bn3.weight, 0.2)
    return model


class Layer(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.norm1 = nn.LayerNorm(width, eps=1e-12)
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)
        self.norm2 = nn.LayerNorm(width, eps=1e-12)

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens, width = x.shape
        q, k, v = self.qkv(x).view(batch, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        seen = nn.functional.scaled_dot_product_attention(q, k, v)
        x = self.norm1(x + self.out(seen.transpose(1, 2).reshape(batch, tokens, width)))
        return self.norm2(x + self.down(nn.functional.gelu(self.up(x))))


class Bert(nn.Module):
    """Token ids [N, TOKENS] to the pooled vector [N, 768]."""

    def __init__(self, layers: int = 12, width: int = 768, heads: int = 12) -> None:
        super().__init__()
        self.words = nn.Embedding(WORDS, width)
        self.places = nn.Embedding(512, width)
        self.norm = nn.LayerNorm(width, eps=1e-12)
        self.layers = nn.ModuleList(Layer(width, heads) for _ in range(layers))
        self.pool = nn.Linear(width, width)

    def forward(self, ids: Tensor) -> Tensor:
        places = torch.arange(ids.shape[1], device=ids.device)
        x = self.norm(self.words(ids) + self.places(places))
        for layer in self.layers:
            x = layer(x)
        return torch.tanh(self.pool(x[:, 0]))


def write(folder: Path, name: str, model: nn.Module, samples: Tensor) -> None:
    model.eval()
    with torch.no_grad():
        expected = model(samples)
    torch.jit.save(torch.jit.script(model), str(folder / f"{name}.pt"))
    (folder / f"{name}.input").write_bytes(samples.numpy().tobytes())
    (folder / f"{name}.expected").write_bytes(expected.numpy().tobytes())
    print(f"      {name}: {sum(p.numel() for p in model.parameters()) / 1e6:.1f} M parameters")


def main() -> None:
    folder = Path(sys.argv[1])
    torch.manual_seed(20260607)
    write(folder, "resnet50", resnet50(), torch.randn(SAMPLES, 3, 224, 224))
    write(folder, "bert", Bert(), torch.randint(0, WORDS, (SAMPLES, TOKENS)))


if __name__ == "__main__":
    main()
