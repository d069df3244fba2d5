"""Small picture files of every kind that is read, with their pixels as PIL sees them.

    python test/models/picture_goldens.py test/fixtures/images

Writes pictures.json: per picture the file as base64, width, height, channels and the pixels as hex; `tolerance` is the
largest difference allowed (two JPEG decoders may round differently). Needs Pillow and numpy.
"""

import base64
import io
import json
import pathlib
import struct
import sys
import zlib

import numpy
from PIL import Image

WIDTH, HEIGHT = 11, 7


def noise(channels, top=256, seed=1):
    return numpy.random.default_rng(seed).integers(0, top, (HEIGHT, WIDTH, channels))


def smooth(channels):
    y, x, c = numpy.mgrid[0:HEIGHT, 0:WIDTH, 0:channels]
    return ((x * 17 + y * 11 + c * 40) % 256).astype(numpy.uint8)


def png(values, depth, colour):
    """PIL writes no 16-bit RGB, so the file is made here: no filter, one IDAT."""
    rows = values.astype(">u2" if depth == 16 else "u1")
    data = b"".join(b"\0" + row.tobytes() for row in rows)

    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = struct.pack(">IIBBBBB", WIDTH, HEIGHT, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def saved(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def lzw(indices):
    """Codes of 5 bits for 16 colours, with a clear code before the table would make them 6 bits wide."""
    codes = [code for at in range(0, len(indices), 14) for code in [16, *indices[at : at + 14]]] + [17]
    number = sum(int(code) << (5 * at) for at, code in enumerate(codes))
    data = number.to_bytes(-(-5 * len(codes) // 8), "little")
    parts = (data[at : at + 255] for at in range(0, len(data), 255))
    return b"\x04" + b"".join(bytes([len(part)]) + part for part in parts) + b"\0"


def gif(left, top, screen=(WIDTH, HEIGHT), common=True, own=False, interlaced=False, see_through=None, end=b"\x3b"):
    """PIL writes no frame that is not the screen. One of 5 × 4 pixels; palettes of 16 colours for all frames and its own."""
    indices = noise(1, 16, 4)[:4, :5, 0]
    palettes = noise(1, 256, 5).reshape(-1).astype("u1")
    head = b"GIF89a" + struct.pack("<HHBBB", *screen, 0xF3 if common else 0x70, 7, 0)
    if common:
        head += palettes[:48].tobytes()
    if see_through is not None:
        head += bytes([0x21, 0xF9, 4, 1, 0, 0, see_through, 0])
    if interlaced:
        indices = numpy.concatenate([indices[0::8], indices[4::8], indices[2::4], indices[1::2]])
    head += b"\x2c" + struct.pack("<HHHHB", left, top, 5, 4, (0x83 if own else 0) | (0x40 if interlaced else 0))
    return head + (palettes[29:77].tobytes() if own else b"") + lzw(indices.reshape(-1)) + end


def main():
    cases = {}

    def add(name, data, mode, tolerance=0, pixels=None):
        opened = Image.open(io.BytesIO(data))
        if pixels is None:
            pixels = numpy.asarray(opened.convert(mode))
        pixels = pixels.reshape(pixels.shape[0], pixels.shape[1], -1).astype(numpy.uint8)
        cases[name] = {
            "file": base64.b64encode(data).decode(),
            "width": pixels.shape[1],
            "height": pixels.shape[0],
            "channels": pixels.shape[2],
            "pixels": pixels.tobytes().hex(),
            "tolerance": tolerance,
        }

    rgb = Image.fromarray(smooth(3), "RGB")
    grey = Image.fromarray(smooth(1)[..., 0], "L")
    for name, options in {"444": {"subsampling": 0}, "420": {"subsampling": 2}, "progressive": {"progressive": True}}.items():
        add(f"jpeg {name}", saved(rgb, "JPEG", quality=95, **options), "RGB", 3)
    add("jpeg grey", saved(grey, "JPEG", quality=95), "L", 3)
    cmyk = Image.fromarray(smooth(4), "CMYK")
    add("jpeg cmyk", saved(cmyk, "JPEG", quality=98), "RGB", 5)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = saved(rgb, "JPEG", quality=95, subsampling=0, exif=exif)
    add("jpeg exif ignored", turned, "RGB", 3)
    upright = numpy.rot90(numpy.asarray(Image.open(io.BytesIO(turned)).convert("RGB")), -1)
    add("jpeg exif", turned, "RGB", 3, upright)
    add("png rgb", saved(Image.fromarray(noise(3).astype(numpy.uint8), "RGB"), "PNG"), "RGB")
    add("png rgba", saved(Image.fromarray(noise(4).astype(numpy.uint8), "RGBA"), "PNG"), "RGB")
    add("png grey", saved(Image.fromarray(noise(1).astype(numpy.uint8)[..., 0], "L"), "PNG"), "L")
    add("png grey alpha", saved(Image.fromarray(noise(2).astype(numpy.uint8), "LA"), "PNG"), "L")
    add("png palette", saved(rgb.quantize(16), "PNG"), "RGB")
    add("png bilevel", saved(Image.fromarray(noise(1)[..., 0] > 128), "PNG"), "L")
    deep = noise(1, 65536, 2)
    add("png grey 16", png(deep, 16, 0), "L", 0, numpy.rint(deep / 257))
    deep = noise(3, 65536, 3)
    add("png rgb 16", png(deep, 16, 2), "RGB", 0, numpy.rint(deep / 257))
    add("webp lossless", saved(rgb, "WEBP", lossless=True), "RGB")
    add("webp alpha", saved(Image.fromarray(noise(4).astype(numpy.uint8), "RGBA"), "WEBP", lossless=True, exact=True), "RGB")
    add("webp lossy", saved(rgb, "WEBP", quality=90), "RGB", 3)
    frames = [rgb.quantize(64), grey.convert("RGB").quantize(64)]
    add("gif first frame", saved(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=50), "RGB")
    add("gif see-through", saved(frames[0], "GIF", transparency=5), "RGB")
    add("gif inside its screen", gif(3, 2), "RGB")
    add("gif see-through inside its screen", gif(3, 2, see_through=6, interlaced=True), "RGB")
    add("gif with its own palette", gif(3, 2, see_through=6, own=True), "RGB")
    add("gif see-through beyond its palette", gif(3, 2, see_through=99), "RGB")
    add("gif beyond its screen", gif(7, 4), "RGB")
    add("gif on a screen of no size", gif(7, 4, screen=(0, 0)), "RGB")
    add("gif without a palette", gif(3, 2, common=False, see_through=9), "RGB")
    add("gif without an end", gif(0, 0, screen=(5, 4), end=b""), "RGB")
    add("gif before other bytes", gif(3, 2, end=b"\x2c\0\1\2\3"), "RGB")
    target = pathlib.Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    (target / "pictures.json").write_text(json.dumps(cases, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
