"""Writes what Captum says of the models in test/fixtures/models, from the same TorchScript files.

    python test/models/explain_goldens.py test/fixtures/explanations      (needs torch and captum)

Per model NAME.json: {"inputs": […], "cases": [{"options": {…}, "inputs": {name: {shape, data}}, "target": […],
"score": …, "delta": …, "attributions": {name: {shape, data}}}]}. Options are the query parameters of /explanations.
"""

import io
import json
import pathlib
import sys
import zipfile

import torch
from captum.attr import IntegratedGradients, LayerIntegratedGradients, Occlusion, Saliency
from export import build, numbers, sample
from PIL import Image

DIGITS = pathlib.Path(__file__).parent.parent.parent / "examples" / "digits"
MODELS = pathlib.Path(__file__).parent.parent / "fixtures" / "models"

# Captum's words for the rules of integration are sconce's as well.
CASES = {
    "mlp": [
        {"target": 0},
        {"target": 2, "steps": 15, "rule": "gausslegendre"},
        {"target": 3, "steps": 20, "rule": "riemann_left", "baseline": 0.5},
        {"target": 1, "steps": 20, "rule": "riemann_right"},
        {"target": 1, "steps": 20, "rule": "riemann_middle"},
        {"target": 1, "steps": 21, "rule": "riemann_trapezoid", "batch": 3},
        {"target": 2, "method": "saliency"},
    ],
    "convnet": [
        {"target": 7, "steps": 50},
        {"target": 3, "method": "saliency"},
        {"target": 7, "method": "occlusion", "window": "5x7", "stride": "3x4"},
    ],
    "swapped": [{"target": 1, "steps": 10}],
}


def attribute(model, inputs, options):
    method = options.get("method", "integrated_gradients")
    target = options["target"]
    if method == "saliency":
        return Saliency(model).attribute(inputs, target=target), 0.0
    if method == "occlusion":
        window = tuple(int(side) for side in options["window"].split("x"))
        stride = tuple(int(side) for side in options["stride"].split("x"))
        channels = inputs[0].shape[1]
        sizes = ((channels, *window),)
        return Occlusion(model).attribute(inputs, sizes, strides=((channels, *stride),), target=target), 0.0
    values, delta = IntegratedGradients(model).attribute(
        inputs,
        baselines=tuple(torch.full_like(each, options.get("baseline", 0)) for each in inputs),
        target=target,
        n_steps=options.get("steps", 50),
        method=options.get("rule", "gausslegendre"),
        return_convergence_delta=True,
    )
    return values, delta.item()


def plain(tensor):
    return {"shape": list(tensor.shape[1:]), "data": numbers(tensor)}


def case(model, names, inputs, options):
    values, delta = attribute(model, inputs, options)
    return {
        "options": options,
        "inputs": {name: plain(tensor) for name, tensor in zip(names, inputs)},
        "target": [options["target"]],
        "score": model(*inputs)[0, options["target"]].item(),
        "delta": delta,
        "attributions": {name: plain(tensor) for name, tensor in zip(names, values)},
    }


def write(folder, name):
    model = torch.jit.load(str(MODELS / f"{name}.pt")).eval()
    declared = json.loads((MODELS / f"{name}.json").read_text())["inputs"]
    # forward's own order: "swapped" declares its inputs in another one.
    arguments = [each.name for each in model.forward.schema.arguments[1:]]
    entries = {entry["name"]: entry for entry in declared}
    generator = torch.Generator().manual_seed(7)
    cases = []
    for index, options in enumerate(CASES[name]):
        inputs = tuple(sample(entries[each], generator, index).unsqueeze(0) for each in arguments)
        cases.append(case(model, arguments, inputs, options))
    text = json.dumps({"inputs": declared, "cases": cases}, separators=(",", ":"))
    (folder / f"{name}.json").write_text(text + "\n")


def write_encoder(folder):
    """Token ids: Captum hooks layers of eager models only, so it gets the file's weights in the class."""
    scripted = torch.jit.load(str(MODELS / "encoder.pt")).eval()
    model, declared = build("encoder")
    model.load_state_dict(scripted.state_dict())
    generator = torch.Generator().manual_seed(11)
    cases = []
    for index, options in enumerate(({"target": 2}, {"target": 5, "steps": 20, "baseline": 7}, {"target": 0, "batch": 1})):
        ids, mask = (sample(entry, generator, index).unsqueeze(0) for entry in declared)
        values, delta = LayerIntegratedGradients(model, model.tokens).attribute(
            ids,
            baselines=torch.full_like(ids, options.get("baseline", 0)),
            target=options["target"],
            additional_forward_args=(mask,),
            n_steps=options.get("steps", 50),
            return_convergence_delta=True,
        )
        cases.append(
            {
                "options": options,
                "inputs": {"ids": plain(ids), "mask": plain(mask)},
                "target": [options["target"]],
                "score": scripted(ids, mask)[0, options["target"]].item(),
                "delta": delta.item(),
                "attributions": {"ids": plain(values.sum(-1))},
            }
        )
    text = json.dumps({"inputs": declared, "cases": cases}, separators=(",", ":"))
    (folder / "encoder.json").write_text(text + "\n")


def write_digits(folder):
    """The digits example's pictures, with its handler's normalisation."""
    with zipfile.ZipFile(DIGITS / "digits.mar") as archive:
        model = torch.jit.load(io.BytesIO(archive.read("digits.pt"))).eval()
    cases = []
    for options in ({"target": 7}, {"target": 3, "steps": 40, "baseline": -0.5}, {"target": 7, "method": "saliency"}):
        pixels = torch.tensor(list(Image.open(DIGITS / "7.png").getdata()), dtype=torch.float32).view(1, 1, 8, 8) / 255
        # 15 steps are what TorchServe's handlers of pictures take.
        made = case(model, ["image"], ((pixels - 0.3057) / 0.3762,), {"steps": 15, **options})
        cases.append({**made, "options": options, "picture": "7.png"})
    (folder / "digits.json").write_text(json.dumps({"cases": cases}, separators=(",", ":")) + "\n")


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name in CASES:
        write(folder, name)
    write_encoder(folder)
    write_digits(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
