"""What Python's PyTorch answers: python answers.py FILE SAMPLES prints a list, one answer per sample, each run alone.

Tensors as nested lists without their batch dimension (of a list of dicts, those of its one entry as they are), NamedTuples
as dicts, None as null.
"""

import json
import sys

import torch


def plain(value, own: bool):
    if isinstance(value, torch.Tensor):
        return (value if own else value[0]).tolist()
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, dict):
        return {key: plain(each, own) for key, each in value.items()}
    if isinstance(value, (tuple, list)):
        return [plain(each, own) for each in value]
    return value


def one(model, sample):
    with torch.inference_mode():
        answer = model(torch.tensor([sample], dtype=torch.float32))
    listed = isinstance(answer, list) and len(answer) == 1 and isinstance(answer[0], dict)
    return plain(answer[0] if listed else answer, own=listed)


def main() -> None:
    file, samples = sys.argv[1:]
    model = torch.jit.load(file).eval()
    json.dump([one(model, sample) for sample in json.loads(samples)], sys.stdout)


if __name__ == "__main__":
    main()
