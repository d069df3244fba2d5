"""What Python's PyTorch answers, live: python reference.py FOLDER COUNT NAME… prints {NAME: cases like NAME.json's}.

Inputs are new: normal numbers for floats, values and lengths of the golden cases for integers and bools.
"""

import json
import random
import sys

import torch

DRAWS = 64  # tries per case: a model may raise for most of what is drawn
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
    if value is None:
        return {}
    if isinstance(value, torch.Tensor):
        return {path or "output": plain(value[0])}
    if isinstance(value, (int, float)):
        dtype = {int: "int64", float: "float64", bool: "bool"}[type(value)]
        return {path or "output": {"dtype": dtype, "shape": [], "data": [value]}}
    if hasattr(value, "_asdict"):
        value = value._asdict()
    items = value.items() if isinstance(value, dict) else enumerate(value)
    found = {}
    for key, each in items:
        found |= flatten(each, f"{path}.{key}" if path else str(key))
    return found


def one(model, golden: dict, like: dict) -> dict:
    given = {spec["name"]: fresh(spec, like[spec["name"]]) for spec in golden["inputs"] if spec["name"] in like}
    inputs = {name: plain(each) for name, each in given.items()}  # before the model, which may write into them
    with torch.inference_mode():
        return {"inputs": inputs, "outputs": flatten(model(**{name: each.unsqueeze(0) for name, each in given.items()}))}


def cases(folder: str, name: str, count: int) -> list:
    model = torch.jit.load(f"{folder}/{name}.pt").eval()
    golden = json.load(open(f"{folder}/{name}.json"))
    found = []
    for i in range(count * DRAWS):
        try:
            found.append(one(model, golden, golden["cases"][i % len(golden["cases"])]["inputs"]))
        except Exception:  # a model that raises for some inputs: others are drawn
            continue
        if len(found) == count:
            break
    return found


def main() -> None:
    torch.manual_seed(7)
    random.seed(7)
    folder, count, *names = sys.argv[1:]
    json.dump({name: cases(folder, name, int(count)) for name in names}, sys.stdout)


if __name__ == "__main__":
    main()
