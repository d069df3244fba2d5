"""A small detector as TorchScript, with TorchServe's answers for two pictures.

    python test/models/detector_goldens.py test/fixtures/detector

Writes the folder model, two pictures and answers.json. The postprocessing is written out from what TorchServe's
object_detector answers. Needs torch and numpy.
"""

import json
import pathlib
import struct
import sys
import zlib
from typing import Dict

import numpy
import torch

SIDE = 16
THRESHOLD = 0.5
YAML = "handler: object_detector\nbatchSize: 4\n"
NAMES = {"0": "nought", "1": "cat", "2": "dog"}


class Detector(torch.nn.Module):
    """As many objects as were trained for, their boxes in pixels of the picture, the scores from its mean."""

    def forward(self, x: torch.Tensor) -> Dict[str, torch.Tensor]:
        height, width = float(x.size(2)), float(x.size(3))
        unit = torch.tensor([[0.0, 0.0, 0.5, 0.5], [0.1, 0.2, 0.9, 1.0], [0.25, 0.25, 0.75, 0.75]])
        boxes = (unit * torch.tensor([width, height, width, height])).unsqueeze(0).expand(x.size(0), 3, 4)
        means = x.mean(dim=[2, 3])
        scores = torch.stack([means[:, 0], 1 - means[:, 1], 0.5 + means[:, 2] / 2], dim=1)
        labels = torch.tensor([[1, 2, 7]]).expand(x.size(0), 3)
        return {"boxes": boxes, "labels": labels, "scores": scores}


def png(values):
    rows = b"".join(b"\0" + row.tobytes() for row in values)

    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def objects(output):
    found = []
    for box, label, score in zip(output["boxes"][0].tolist(), output["labels"][0].tolist(), output["scores"][0].tolist()):
        if score >= THRESHOLD:
            found.append({NAMES.get(str(label), str(label)): box, "score": score})
    return found


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    pixels = numpy.random.default_rng(7).integers(0, 256, (SIDE, SIDE, 3)).astype(numpy.uint8)
    (folder / "picture.png").write_bytes(png(pixels))
    wide = numpy.full((SIDE, 2 * SIDE, 3), 200, numpy.uint8)
    (folder / "wide.png").write_bytes(png(wide))
    detector = torch.jit.script(Detector().eval())
    (folder / "model").mkdir(exist_ok=True)
    detector.save(str(folder / "model" / "model.pt"))
    (folder / "model" / "model-config.yaml").write_text(YAML)
    (folder / "model" / "index_to_name.json").write_text(json.dumps(NAMES) + "\n")

    def tensor(values):
        return torch.from_numpy(values.transpose(2, 0, 1).astype(numpy.float32) / numpy.float32(255)).unsqueeze(0)

    with torch.inference_mode():
        answers = {
            "square": objects(detector(tensor(pixels))),
            "wide": objects(detector(tensor(wide))),
        }
    (folder / "answers.json").write_text(json.dumps(answers) + "\n")


if __name__ == "__main__":
    main()
