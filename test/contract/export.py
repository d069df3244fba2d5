"""Writes the small TorchScript models of the contract and lifecycle tests: python test/contract/export.py

What each does is also what the fake engine does with an artifact of that name (src/engine/fake.ts).
"""

import pathlib

import torch


class Echo(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.clone()


class Sum(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1).sum(1)


class Raise(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if bool((x < 0).any()):
            raise ValueError("negative")
        return x.clone()


class Slow(torch.nn.Module):
    """The input, after about a tenth of a second of work on one core."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        square = torch.zeros(320, 320)
        for _ in range(80):
            square = torch.tanh(square @ square + 0.5)
        return x + 0.0 * square[0, 0].clamp(-1.0, 1.0)


if __name__ == "__main__":
    folder = pathlib.Path(__file__).parent / "models"
    folder.mkdir(exist_ok=True)
    for model in (Echo(), Sum(), Raise(), Slow()):
        torch.jit.script(model.eval()).save(str(folder / f"{type(model).__name__.lower()}.pt"))
    (folder / "broken.pt").write_bytes(b"PK\x03\x04 this is no archive")
