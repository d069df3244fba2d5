"""Golden results of image preprocessing: PIL and numpy only, torchvision's rules written out.

    python test/models/image_goldens.py test/fixtures/images

Writes transforms.json: source pictures as hex and, per case, the options and the floats expected.
"""

import json
import pathlib
import sys

import numpy
from PIL import Image

FILTERS = {"bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC, "nearest": Image.NEAREST}
IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


def picture(width, height, channels, seed):
    random = numpy.random.default_rng(seed)
    noise = random.integers(0, 256, (height, width, channels))
    ramp = numpy.add.outer(numpy.arange(height) * 255 // height, numpy.arange(width) * 255 // width)[..., None] // 2
    return numpy.where(random.random((height, width, 1)) < 0.5, noise, ramp).astype(numpy.uint8)


def expected(pixels, case):
    channels = pixels.shape[2]
    image = Image.fromarray(pixels[..., 0] if channels == 1 else pixels[..., :3])
    image = image.convert("L" if case["channels"] == 1 else "RGB")
    width, height = image.size
    if case["resize"] == 0:
        size = (case["crop"], case["crop"])
    else:
        short, long = sorted((width, height))
        scaled = int(case["resize"] * long / short)
        size = (case["resize"], scaled) if width <= height else (scaled, case["resize"])
    if size != image.size:
        image = image.resize(size, FILTERS[case["interpolation"]])
    crop = case["crop"]
    width, height = image.size
    if width < crop or height < crop:
        padded = Image.new(image.mode, (max(width, crop), max(height, crop)))
        padded.paste(image, (max(crop - width, 0) // 2, max(crop - height, 0) // 2))
        image = padded
        width, height = image.size
    left, top = int(round((width - crop) / 2.0)), int(round((height - crop) / 2.0))
    image = image.crop((left, top, left + crop, top + crop))
    data = numpy.asarray(image, numpy.uint8).reshape(crop, crop, case["channels"]).transpose(2, 0, 1)
    if case["bgr"]:
        data = data[::-1]
    data = data.astype(numpy.float32) / numpy.float32(255)
    if case["mean"]:
        shape = (-1, 1, 1)
        data = data - numpy.asarray(case["mean"], numpy.float32).reshape(shape)
        data = data / numpy.asarray(case["std"], numpy.float32).reshape(shape)
    return data


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    pictures = {
        "wide": picture(41, 29, 3, 1),
        "tall": picture(17, 33, 3, 2),
        "tiny": picture(3, 2, 3, 3),
        "alpha": picture(20, 20, 4, 4),
        "grey": picture(23, 19, 1, 5),
    }
    base = {"resize": 12, "crop": 8, "channels": 3, "bgr": False, "interpolation": "bilinear", "mean": [], "std": []}
    cases = []

    def add(name, **options):
        case = {**base, **options}
        numbers = [float(str(v)) for v in expected(pictures[name], case).reshape(-1)]
        cases.append({"picture": name, **case, "data": numbers})

    for name in pictures:
        add(name)
    add("wide", **IMAGENET)
    add("tall", **IMAGENET, bgr=True)
    add("wide", interpolation="bicubic")
    add("tall", interpolation="bicubic", resize=40, crop=9)
    add("wide", interpolation="nearest")
    add("tall", interpolation="nearest", resize=21, crop=8)
    add("wide", resize=0, crop=9)
    add("grey", resize=0, crop=9, channels=1, mean=[0.5], std=[0.25])
    add("wide", channels=1)
    add("tall", resize=17, crop=8)
    add("wide", resize=29, crop=11)
    add("wide", resize=6, crop=8, mean=[0.5, 0.5, 0.5], std=[0.5, 0.5, 0.5])
    add("tiny", resize=11, crop=8, interpolation="bicubic")
    text = json.dumps(
        {
            "pictures": {
                k: {"width": v.shape[1], "height": v.shape[0], "channels": v.shape[2], "pixels": v.tobytes().hex()}
                for k, v in pictures.items()
            },
            "cases": cases,
        },
        separators=(",", ":"),
    )
    (folder / "transforms.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
