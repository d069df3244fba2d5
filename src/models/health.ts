/** TorchServe's words for how the models are, as every dialect's ping says them. Pure. */

import type { Health } from "./models.js";

const words: Readonly<Record<Health, string>> = {
  healthy: "Healthy",
  partial: "Partial Healthy",
  unready: "Unhealthy",
  empty: "Healthy",
};

export function healthWords(health: Health, draining: boolean): string {
  return draining ? "Draining" : words[health];
}

/** Whether requests should be sent here: at least one model answers (or none is wanted), and the server stays. */
export function isServing(health: Health, draining: boolean): boolean {
  return !draining && health !== "unready";
}
