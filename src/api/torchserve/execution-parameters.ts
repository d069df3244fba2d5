/** What a SageMaker batch transform does where its job names nothing: the answer of GET /execution-parameters. Pure. */

const MB = 1024 * 1024;
/** The service's own default. */
const usualPayload = 6;
/** Of concurrent requests times megabytes, the service's rule. */
const mostAtOnce = 100;

/**
 * One record in a request: several are joined by line breaks there, which no body here is read as. Enough requests at
 * once for batches to form.
 */
export function executionParameters(maxRequestSize: number): Readonly<Record<string, number | string>> {
  const payload = Math.min(usualPayload, Math.max(1, Math.floor(maxRequestSize / MB)));
  return {
    MaxConcurrentTransforms: Math.floor(mostAtOnce / usualPayload),
    BatchStrategy: "SINGLE_RECORD",
    MaxPayloadInMB: payload,
  };
}
