/** The rows of options.ts that hosting services set: Vertex AI, SageMaker. docs/hosting.md says which means what. */
import { flag, row, text } from "./option-row.js";

const path = {
  type: "string",
  shape: { pattern: "/[\\x21-\\x22\\x24-\\x3e\\x40-\\x7e]*", words: "a path such as /predict" },
} as const;
const shown = { placeholder: "/PATH" };

export const hostingRows = {
  healthRoute: row(
    "health-route",
    path,
    undefined,
    "hosting",
    "A further path of the inference port that answers what /ping does.",
    { ...shown, alsoEnv: ["AIP_HEALTH_ROUTE"] },
  ),
  predictRoute: row(
    "predict-route",
    path,
    undefined,
    "hosting",
    "A further path of the inference port that answers what /invocations does: predictions of the only model there is.",
    { ...shown, alsoEnv: ["AIP_PREDICT_ROUTE"] },
  ),
  modelDir: row(
    "model-dir",
    text,
    "/opt/ml/model",
    "hosting",
    "Folder whose model, or whose archives, are served when no other model is named and it is there.",
    { placeholder: "DIR", alsoEnv: ["SM_MODEL_DIR"] },
  ),
  multiModel: row(
    "multi-model",
    flag,
    false,
    "hosting",
    "SageMaker's multi-model API on the inference port: /models loads, lists and unloads models of --multi-model-root.",
    { alsoEnv: ["SAGEMAKER_MULTI_MODEL"] },
  ),
  multiModelRoot: row(
    "multi-model-root",
    text,
    "/opt/ml/models",
    "hosting",
    "Folder that models of the multi-model API must lie in.",
    { placeholder: "DIR" },
  ),
} as const;
