"""Trains the model on scikit-learn's iris data and packs iris.mar with torch-model-archiver.

    pip install torch scikit-learn torch-model-archiver
    python examples/iris/train.py
"""
import json
import pathlib
import subprocess
import tempfile

import torch
from net import Iris
from sklearn.datasets import load_iris

HERE = pathlib.Path(__file__).parent


def main():
    data = load_iris()
    x, y = torch.tensor(data.data, dtype=torch.float32), torch.tensor(data.target)
    torch.manual_seed(1)
    model = Iris()
    optimiser = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(400):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        optimiser.step()
    right = (model(x).argmax(1) == y).sum().item()
    print(f"{right} of {len(y)} flowers, all of which training saw")
    with tempfile.TemporaryDirectory() as folder:
        weights, names = pathlib.Path(folder, "iris.pt"), pathlib.Path(folder, "index_to_name.json")
        torch.save(model.state_dict(), weights)
        names.write_text(json.dumps({str(i): str(name) for i, name in enumerate(data.target_names)}))
        command = ["torch-model-archiver", "--model-name", "iris", "--version", "1.0", "--model-file", HERE / "net.py"]
        command += ["--serialized-file", weights, "--handler", HERE / "handler.py", "--extra-files", names]
        subprocess.run([*command, "--export-path", HERE, "--force"], check=True)


if __name__ == "__main__":
    main()
