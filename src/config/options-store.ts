/** Rows of the option table about where the models come from: the model store while serving, snapshots at start. */
import { flag, row, seconds, text } from "./option-row.js";

export const storeRows = {
  pollModelStoreMs: row(
    "poll-model-store",
    seconds(0, 86_400),
    0,
    "models",
    "How often to look in the model store for archives of --models that came, changed or went; 0 never.",
  ),
  storeTimeoutMs: row(
    "store-timeout",
    seconds(0.1, 3600),
    10_000,
    "models",
    "The model store must answer a look into it by then: a registration is refused otherwise, and what serves goes on.",
  ),
  watch: row(
    "watch",
    flag,
    false,
    "models",
    "For development: loads a file or folder of the command line again when something in it changed. What serves goes on " +
      "until the new one does, and when that does not load.",
  ),
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
