"""Trains the demo's digit classifier and writes everything this folder commits.

Data: the UCI handwritten digits that scikit-learn carries (1,797 grey 8x8 pictures, values 0 to 16).
Output: digits.mar (what TorchServe's archiver would pack), images/*.png (held-out pictures with their
label in the name), expected.json and accuracy.json.

    pip install torch==2.13.0 scikit-learn==1.9.1 pillow==13.0.0 numpy
    python examples/digits/train.py

The pictures are stored as 8-bit PNG, so a value v of the data becomes round(v * 255 / 16) everywhere:
the network is trained on exactly the bytes that the server will read.
"""

import io
import json
import os
import random
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy
import torch
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

HERE = Path(__file__).resolve().parent
SEED = 7
EPOCHS = 120
MEAN = 0.3057  # of the training pixels, scaled to 0..1
STD = 0.3762
NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]

MODEL_CONFIG = f"""# Read by sconce; TorchServe ignores the `sconce` section.
maxBatchDelay: 0
responseTimeout: 60
sconce:
  inputs:
    - name: image
      dtype: float32
      shape: [1, 8, 8]
  outputs:
    - name: logits
  image:
    resize: 8
    crop: 8
    channels: 1
    mean: [{MEAN}]
    std: [{STD}]
"""


class Digits(nn.Module):
    """Two 3x3 convolutions, one pooling step, two dense layers: [n, 1, 8, 8] float32 -> [n, 10] logits."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(),
            nn.Conv2d(24, 48, 3, padding=1), nn.BatchNorm2d(48), nn.ReLU(),
            nn.MaxPool2d(2), nn.Dropout(0.25),
        )
        self.head = nn.Sequential(nn.Linear(48 * 16, 64), nn.ReLU(), nn.Dropout(0.4), nn.Linear(64, 10))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.head(torch.flatten(self.features(image), 1))


def to_bytes(values: numpy.ndarray) -> numpy.ndarray:
    """0..16 as the data set has it -> 0..255 as the PNG files have it."""
    return numpy.rint(values * 255.0 / 16.0).astype(numpy.uint8)


def to_tensor(pixels: numpy.ndarray) -> torch.Tensor:
    """uint8 [n, 8, 8] -> normalised float32 [n, 1, 8, 8], as the server's image handler does it."""
    scaled = torch.from_numpy(pixels.astype(numpy.float32) / numpy.float32(255.0))
    return ((scaled - MEAN) / STD).unsqueeze(1)


def shifted(batch: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Moves every picture by at most one pixel; the border takes the background's value."""
    background = (0.0 - MEAN) / STD
    padded = nn.functional.pad(batch, (1, 1, 1, 1), value=background)
    moves = torch.randint(0, 3, (batch.shape[0], 2), generator=generator)
    return torch.stack([padded[i, :, y:y + 8, x:x + 8] for i, (y, x) in enumerate(moves.tolist())])


def train(images: torch.Tensor, labels: torch.Tensor) -> Digits:
    model = Digits()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    generator = torch.Generator().manual_seed(SEED)
    model.train()
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(labels), generator=generator).split(64):
            optimizer.zero_grad()
            logits = model(shifted(images[chosen], generator))
            nn.functional.cross_entropy(logits, labels[chosen], label_smoothing=0.05).backward()
            optimizer.step()
        schedule.step()
    return model.eval()


def without_debug_records(model: torch.jit.ScriptModule) -> bytes:
    """TorchScript as bytes, less the source positions, which name files of the machine that trained it."""
    saved = io.BytesIO()
    torch.jit.save(model, saved)
    with zipfile.ZipFile(saved) as source, tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "archive.pt")
        writer = torch._C.PyTorchFileWriter(path)
        for entry in sorted(source.namelist()):
            name = entry.split("/", 1)[1]
            if not name.endswith(".debug_pkl") and name not in ("version", "byteorder", ".data/serialization_id"):
                content = source.read(entry)
                writer.write_record(name, content, len(content))
        writer.write_end_of_file()
        torch.jit.load(path)
        return Path(path).read_bytes()


def pack(path: Path, files: dict[str, bytes]) -> None:
    """A zip with fixed times, so that the same content gives the same bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)


def manifest() -> dict:
    return {
        "createdOn": "01/01/2024 00:00:00",
        "runtime": "python",
        "model": {
            "modelName": "digits",
            "serializedFile": "digits.pt",
            "handler": "image_classifier",
            "modelVersion": "1.0",
            "configFile": "model-config.yaml",
        },
        "archiverVersion": "0.12.0",
    }


def png(pixels: numpy.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels, mode="L").save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def write_images(model: torch.jit.ScriptModule, pixels: numpy.ndarray, labels: numpy.ndarray) -> None:
    """Two held-out pictures of each digit (0.png … 9.png, 0b.png … 9b.png) and what PyTorch answers for them."""
    expected = {}
    for digit in range(10):
        for suffix, index in zip(("", "b"), numpy.flatnonzero(labels == digit)[:2], strict=True):
            name = f"{digit}{suffix}.png"
            (HERE / name).write_bytes(png(pixels[index]))
            with torch.no_grad():
                probabilities = model(to_tensor(pixels[index][None]))[0].softmax(0)
            expected[name] = {
                "label": NAMES[digit],
                "predicted": NAMES[int(probabilities.argmax())],
                "probabilities": {word: float(p) for word, p in zip(NAMES, probabilities.tolist(), strict=True)},
            }
    (HERE / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


def main() -> None:
    random.seed(SEED)
    numpy.random.seed(SEED)
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    data = load_digits()
    pixels, labels = to_bytes(data.images), data.target
    train_pixels, test_pixels, train_labels, test_labels = train_test_split(
        pixels, labels, test_size=0.25, random_state=SEED, stratify=labels)
    scaled = train_pixels / 255.0
    print(f"training pixels: mean {scaled.mean():.4f}, standard deviation {scaled.std():.4f}")

    model = train(to_tensor(train_pixels), torch.from_numpy(train_labels))
    with torch.no_grad():
        right = int((model(to_tensor(test_pixels)).argmax(1).numpy() == test_labels).sum())
    accuracy = {"heldOut": len(test_labels), "right": right, "accuracy": round(right / len(test_labels), 4)}
    print(f"held-out accuracy: {right} of {len(test_labels)} = {accuracy['accuracy']:.2%}")

    scripted = torch.jit.script(model)
    labels_by_index = {str(index): name for index, name in enumerate(NAMES)}
    pack(HERE / "digits.mar", {
        "digits.pt": without_debug_records(scripted),
        "index_to_name.json": (json.dumps(labels_by_index, indent=2) + "\n").encode(),
        "model-config.yaml": MODEL_CONFIG.encode(),
        "MAR-INF/MANIFEST.json": json.dumps(manifest(), indent=2).encode(),
    })
    write_images(scripted, test_pixels, test_labels)
    (HERE / "accuracy.json").write_text(json.dumps(accuracy) + "\n")
    print(f"digits.mar: {(HERE / 'digits.mar').stat().st_size} bytes")


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":  # the order of names in the saved code follows the hash seed
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, "PYTHONHASHSEED": "0"})
    main()
