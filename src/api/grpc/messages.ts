/** TorchServe's inference messages as proto-loader reads and writes them (proto/inference.proto). */

export interface PredictionsRequest {
  readonly model_name: string;
  readonly model_version: string;
  readonly input: Readonly<Record<string, Uint8Array>>;
  readonly sequence_id?: string;
}

/** google.rpc.Status; an Any with "@type" is packed by the message of that name. */
export interface StatusMessage {
  readonly code: number;
  readonly message: string;
  readonly details: readonly { readonly "@type": string; readonly reason: string; readonly domain: string }[];
}

export interface PredictionResponse {
  readonly prediction: Uint8Array;
  readonly sequence_id?: string;
  readonly status?: StatusMessage;
}

export interface HealthResponse {
  readonly health: string;
}
