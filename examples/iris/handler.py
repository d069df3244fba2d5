"""A handler as people write them for TorchServe: BaseHandler loads the model, the rest is done here."""
import torch
from ts.torch_handler.base_handler import BaseHandler

FIELDS = ("sepal_length", "sepal_width", "petal_length", "petal_width")


class IrisHandler(BaseHandler):
    def preprocess(self, data):
        rows = [row.get("data") or row.get("body") for row in data]
        for row in rows:
            missing = [field for field in FIELDS if not isinstance(row, dict) or field not in row]
            if missing:
                raise ValueError("missing: " + ", ".join(missing))
        self.context.metrics.add_counter("Flowers", len(rows))
        return torch.tensor([[float(row[field]) for field in FIELDS] for row in rows])

    def postprocess(self, scores):
        answers = []
        for index, row in enumerate(torch.softmax(scores, 1)):
            best = int(row.argmax())
            kind = self.mapping[str(best)]
            self.context.set_response_header(index, "x-kind", kind)
            answers.append({"kind": kind, "probability": round(float(row[best]), 4)})
        return answers
