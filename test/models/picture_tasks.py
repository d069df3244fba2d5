"""Tiny models that segment and detect, with what TorchServe's handlers answer for small pictures.

    pip install torch==2.14.1 torchvision==0.29.1 numpy pillow
    python test/models/picture_tasks.py test/fixtures/images

Writes segmenter.pt, detector.pt, boxes.pt and tasks.json: pictures as base64 PNG, with the answers of image_segmenter
(its transform with the sizes below) and of object_detector (threshold 0.5). Weights are random and the same each time.
"""

import base64
import io
import json
import pathlib
import sys
from typing import Dict, List, Tuple

import numpy
import torch
from PIL import Image
from torch import nn
from torchvision import transforms as T

RESIZE, CROP = 14, 12
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
SIZES = [(17, 15), (15, 21), (40, 28)]


class Segmenter(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Conv2d(3, 4, 3, padding=1)
        self.aux = nn.Conv2d(3, 4, 1)

    def forward(self, x) -> Dict[str, torch.Tensor]:
        return {"out": self.body(x) * 3, "aux": self.aux(x)}


def candidates(picture: torch.Tensor, weight: torch.Tensor) -> Dict[str, torch.Tensor]:
    """A box around each 4 × 4 cell whose colours say so: how many there are depends on the picture."""
    cells = nn.functional.avg_pool2d(picture.unsqueeze(0), 4)[0]
    scores, labels = torch.einsum("kc,chw->khw", weight, cells).sigmoid().max(0)
    y, x = torch.where(scores > 0.45)
    corner = torch.stack([x, y, x + 1, y + 1], 1).to(picture.dtype) * 4
    found = scores[y, x]
    order = found.argsort(descending=True)
    return {"boxes": corner[order] + found[order].unsqueeze(1), "labels": labels[y, x][order] + 1, "scores": found[order]}


class Detector(nn.Module):
    """A stacked batch in, as TorchServe makes it."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, 3) * 2)

    def forward(self, x: torch.Tensor) -> List[Dict[str, torch.Tensor]]:
        return [candidates(picture, self.weight) for picture in x.unbind(0)]


class Boxes(Detector):
    """A list of pictures in, losses and detections out, as torchvision's detection models do once scripted."""

    def forward(self, x: List[torch.Tensor]) -> Tuple[Dict[str, torch.Tensor], List[Dict[str, torch.Tensor]]]:
        losses: Dict[str, torch.Tensor] = {}
        return losses, [candidates(picture, self.weight) for picture in x]


def segments(model, image):
    x = T.Compose([T.Resize(RESIZE), T.CenterCrop(CROP), T.ToTensor(), T.Normalize(MEAN, STD)])(image)
    scores = model(x.unsqueeze(0))["out"].softmax(1)
    best = scores.max(1)
    return torch.stack([best.indices.type(best.values.dtype), best.values], dim=3).tolist()[0]


def detections(model, image):
    row = model(T.ToTensor()(image).unsqueeze(0))[0]
    kept = row["scores"] >= 0.5
    columns = [row[key][kept].tolist() for key in ("labels", "boxes", "scores")]
    return [{str(label): box, "score": score} for label, box, score in zip(*columns)]


def picture(width, height, seed):
    random = numpy.random.default_rng(seed)
    coarse = random.integers(0, 256, (height // 4 + 1, width // 4 + 1, 3)).astype(numpy.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.BICUBIC)


def png(image):
    out = io.BytesIO()
    image.save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()


def main():
    target = pathlib.Path(sys.argv[1])
    torch.manual_seed(7)
    segmenter, detector, boxes = Segmenter().eval(), Detector().eval(), Boxes().eval()
    boxes.load_state_dict(detector.state_dict())
    cases = []
    with torch.inference_mode():
        for name, model in {"segmenter": segmenter, "detector": detector, "boxes": boxes}.items():
            torch.jit.script(model).save(str(target / f"{name}.pt"))
        for seed, (width, height) in enumerate(SIZES):
            image = picture(width, height, seed)
            found = detections(detector, image)
            cases.append({"file": png(image), "segments": segments(segmenter, image), "detections": found})
            print(len(found), "boxes")
    text = json.dumps({"resize": RESIZE, "crop": CROP, "cases": cases}, separators=(",", ":"))
    (target / "tasks.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
