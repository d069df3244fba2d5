/** The options of the gRPC ports: rows of the table in options.ts. */
import { count, row, seconds, text } from "./option-row.js";

export const grpcRows = {
  grpcInferencePort: row(
    "grpc-inference-port",
    { type: "port" },
    "auto",
    "listeners",
    "Port for TorchServe's gRPC inference service; 0 takes any free one, off opens none.",
    { auto: "7070 when started as torchserve or with a config.properties, else off" },
  ),
  grpcInferenceHost: row(
    "grpc-inference-host",
    text,
    "127.0.0.1",
    "listeners",
    "Address of the gRPC inference listener.",
    { placeholder: "ADDRESS" },
  ),
  grpcInferenceMaxConnectionAgeMs: row(
    "grpc-inference-max-connection-age",
    seconds(0, 31_536_000),
    0,
    "listeners",
    "A gRPC inference connection is asked to close after that long; 0: never.",
  ),
  grpcInferenceMaxConnectionAgeGraceMs: row(
    "grpc-inference-max-connection-age-grace",
    seconds(0, 31_536_000),
    0,
    "listeners",
    "What the calls of a connection that reached its age still get; 0: as long as they take.",
  ),
  grpcManagementPort: row(
    "grpc-management-port",
    { type: "port" },
    "auto",
    "listeners",
    "Port for TorchServe's gRPC management service; 0 takes any free one, off opens none.",
    { auto: "7071 when started as torchserve or with a config.properties, else off" },
  ),
  grpcManagementHost: row(
    "grpc-management-host",
    text,
    "127.0.0.1",
    "listeners",
    "Address of the gRPC management listener.",
    { placeholder: "ADDRESS" },
  ),
  grpcManagementMaxConnectionAgeMs: row(
    "grpc-management-max-connection-age",
    seconds(0, 31_536_000),
    0,
    "listeners",
    "A gRPC management connection is asked to close after that long; 0: never.",
  ),
  grpcManagementMaxConnectionAgeGraceMs: row(
    "grpc-management-max-connection-age-grace",
    seconds(0, 31_536_000),
    0,
    "listeners",
    "What the calls of a connection that reached its age still get; 0: as long as they take.",
  ),
  grpcMaxStreams: row(
    "grpc-max-streams",
    count(1, 1_000_000),
    1000,
    "limits",
    "Calls that one gRPC connection may have open; its client waits with more.",
  ),
} as const;
