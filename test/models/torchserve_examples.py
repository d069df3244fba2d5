"""Handlers of TorchServe's own examples as model folders, and what they answer in TorchServe's own classes.

    python test/models/torchserve_examples.py CHECKOUT STORE      CHECKOUT: a working tree of github.com/pytorch/serve

Writes the folders into STORE, and answers.json: per model a list of [file, answer]. Files of the examples are copied as
they are; Weights are random. Needs torch, torchvision, torchserve, captum, Pillow, pyyaml.
"""

import json
import pathlib
import shutil
import sys

import torch
import torchvision

EXAMPLES = {
    # name: (handler, model file, files)
    "mnist": ("mnist_handler.py", "mnist.py", ["image_classifier/mnist/mnist_handler.py", "image_classifier/mnist/mnist.py"]),
    "metrics": ("mnist_handler.py", "mnist.py", ["custom_metrics/mnist_handler.py", "image_classifier/mnist/mnist.py"]),
    "eager": ("image_classifier", "model.py", ["image_classifier/resnet_18/model.py", "image_classifier/index_to_name.json"]),
    "scripted": ("image_classifier", None, ["image_classifier/index_to_name.json"]),
    "base": ("base_handler", "mnist.py", ["image_classifier/mnist/mnist.py"]),
}


def lay(checkout, store):
    torch.manual_seed(3)
    resnet = torchvision.models.resnet18(weights=None).eval()
    for name, (handler, model_file, files) in EXAMPLES.items():
        folder = store / name
        (folder / "MAR-INF").mkdir(parents=True)
        for file in files:
            shutil.copy(checkout / "examples" / file, folder)
        weights = folder / "weights.pt"
        if model_file == "mnist.py":
            sys.path.insert(0, str(folder))
            from mnist import Net

            torch.save(Net().state_dict(), weights)
            sys.path.pop(0)
        elif name == "eager":
            torch.save(resnet.state_dict(), weights)
        else:
            torch.jit.script(resnet).save(weights)
        model = {"modelName": name, "serializedFile": weights.name, "handler": handler, "modelVersion": "1.0"}
        if model_file:
            model["modelFile"] = model_file
        manifest = {"createdOn": "01/01/2026 00:00:00", "runtime": "python", "model": model, "archiverVersion": "0.12.0"}
        (folder / "MAR-INF" / "MANIFEST.json").write_text(json.dumps(manifest))


def service(checkout, folder):
    from ts.metrics.metric_cache_yaml_impl import MetricsCacheYamlImpl
    from ts.model_loader import TsModelLoader

    metrics = checkout / "examples/custom_metrics/metrics.yaml"
    cache = MetricsCacheYamlImpl(str(metrics))
    cache.initialize_cache()
    manifest = json.loads((folder / "MAR-INF" / "MANIFEST.json").read_text())
    made = TsModelLoader().load(folder.name, str(folder), manifest["model"]["handler"], None, 1, None, True, cache)
    made.context.request_ids = {0: "one"}
    made.context.metrics.request_ids = made.context.request_ids
    made.context.request_processor = [type("Headers", (), {"get_request_property": lambda self, key: None})()]
    return lambda row: made._entry_point([row], made.context)[0]


def main():
    checkout, store = map(pathlib.Path, sys.argv[1:])
    lay(checkout, store)
    digits = [f"examples/image_classifier/mnist/test_data/{digit}.png" for digit in range(10)]
    pictures = ["docs/images/kitten_small.jpg"]
    answers = {}
    for name in EXAMPLES:
        if name == "base":
            continue
        sys.path.insert(0, str(store / name))
        ask = service(checkout, store / name)
        files = digits if name in ("mnist", "metrics") else pictures
        answers[name] = [[file, ask({"body": bytearray((checkout / file).read_bytes())})] for file in files]
        sys.path.pop(0)
        for module in ("mnist", "mnist_handler", "model"):
            sys.modules.pop(module, None)
    sys.path.insert(0, str(store / "base"))
    from mnist import Net

    net = Net()
    net.load_state_dict(torch.load(store / "base" / "weights.pt", weights_only=True))
    row = torch.linspace(-1, 1, 28 * 28).view(1, 28, 28).tolist()
    with torch.no_grad():
        answers["base"] = [[row, net.eval()(torch.as_tensor([row]))[0].tolist()]]
    (store / "answers.json").write_text(json.dumps(answers))


if __name__ == "__main__":
    main()
