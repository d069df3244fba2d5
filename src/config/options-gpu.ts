/** The rows of options.ts that are about GPUs. */
import { count, row } from "./option-row.js";

export const gpuRows = {
  numberOfGpu: row(
    "number-of-gpu",
    count(0, 1024),
    undefined,
    "models",
    "GPUs that models are spread over: the first so many of those that CUDA shows this process (CUDA_VISIBLE_DEVICES); unset: every one; 0: none, and CUDA is not loaded.",
  ),
  gpuConcurrency: row(
    "gpu-concurrency",
    count(1, 1024),
    8,
    "limits",
    "Batches that run on one GPU at a time, of all models together; an instance has one that is copied and one that is computed.",
  ),
} as const;
