"""What Python's PyTorch answers, live: python reference.py FILE.pt FILE.json COUNT prints cases like those of FILE.json.

Inputs are new: normal numbers for floats, values and lengths of the golden cases for integers and bools.
"""

import json
import random
import sys

import torch

DTYPES = {name: getattr(torch, name) for name in ("bool", "int64", "float16", "bfloat16", "float32")}


def fresh(spec: dict, like: dict) -> torch.Tensor:
    dtype = DTYPES[spec["dtype"]]
    if dtype.is_floating_point:
        return torch.randn(like["shape"]).to(dtype)
    values = [random.choice(like["data"]) for _ in like["data"]]
    return torch.tensor(values, dtype=dtype).reshape(like["shape"])


def plain(tensor: torch.Tensor) -> dict:
    data = tensor.flatten()
    if tensor.dtype.is_floating_point:
        data = data.to(torch.float64)
    return {"dtype": str(tensor.dtype).removeprefix("torch."), "shape": list(tensor.shape), "data": data.tolist()}


def flatten(value, path: str = "") -> dict:
    if isinstance(value, torch.Tensor):
        return {path or "output": plain(value[0])}
    if hasattr(value, "_asdict"):
        value = value._asdict()
    items = value.items() if isinstance(value, dict) else enumerate(value)
    found = {}
    for key, each in items:
        found |= flatten(each, f"{path}.{key}" if path else str(key))
    return found


def main() -> None:
    torch.manual_seed(7)
    random.seed(7)
    model = torch.jit.load(sys.argv[1]).eval()
    golden = json.load(open(sys.argv[2]))
    cases = []
    for i in range(int(sys.argv[3])):
        like = golden["cases"][i % len(golden["cases"])]["inputs"]
        given = {spec["name"]: fresh(spec, like[spec["name"]]) for spec in golden["inputs"] if spec["name"] in like}
        with torch.inference_mode():
            outputs = flatten(model(**{name: each.unsqueeze(0) for name, each in given.items()}))
        cases.append({"inputs": {name: plain(each) for name, each in given.items()}, "outputs": outputs})
    json.dump(cases, sys.stdout)


if __name__ == "__main__":
    main()
