/** Help of `sconce status` and `sconce bundle`. */
import { clientFlagHelp } from "./client.js";
import type { CommandHelp } from "./command-help.js";

const flags = [
  ["--url URL", "The management port. Default: http://127.0.0.1:8081, or SCONCE_MANAGEMENT_HOST and …_PORT."],
  ["--metrics-url URL", "The metrics port. Default: http://127.0.0.1:8082, or SCONCE_METRICS_HOST and …_PORT."],
  ["--interval TIME", "Between the two looks that rates and latencies come from. Default: 1 s."],
  ...clientFlagHelp,
  ["--timeout TIME", "How long to wait for an answer. Default: 120 s."],
] as const;

export const statusHelp: readonly CommandHelp[] = [
  {
    name: "status",
    usage: "[options]",
    summary: "Shows how a running server does: per version its state, rate, latency, queue, memory, and what is wrong.",
    flags: [...flags, ["--json", "One JSON object on standard output."]],
    examples: ["sconce status", "sconce status --json | jq '.versions[].p99Ms'"],
  },
  {
    name: "bundle",
    usage: "[options]",
    summary: "Writes status, descriptions, metrics, this machine's check and configuration to a file for a ticket.",
    flags: [
      ...flags,
      ["--output FILE, -o FILE", "Default: sconce-bundle.json; - is standard output. Secrets are left out."],
    ],
    examples: ["sconce bundle -o ticket-17.json"],
  },
];
