/** Rows of the option table about what is kept of the models over a restart. */
import { flag, row, text } from "./option-row.js";

export const storeRows = {
  modelSnapshot: row(
    "model-snapshot",
    { type: "modelSnapshot" },
    undefined,
    "models",
    "What to load, instead of --models: the models, versions, workers and defaults of a snapshot.",
  ),
  configSnapshots: row(
    "config-snapshots",
    flag,
    "auto",
    "models",
    "Writes what is loaded after every change and at the end, and begins with the newest of these files, unless " +
      "--ts-config names a configuration; TorchServe's --ncs is --no-config-snapshots.",
    { auto: "on when started as torchserve or with a config.properties" },
  ),
  snapshotFolder: row("snapshot-folder", text, "auto", "models", "Where the snapshots lie.", {
    placeholder: "DIR",
    auto: "config in --log-folder, $LOG_LOCATION or ./logs",
  }),
} as const;
