/** The rows of options.ts that are about HTTPS and about pages of other origins. */
import { flag, row, text } from "./option-row.js";

const file = { placeholder: "FILE" };

export const securityRows = {
  https: row("https", flag, false, "security", "The inference listener speaks HTTPS."),
  managementHttps: row("management-https", flag, false, "security", "The management listener speaks HTTPS."),
  metricsHttps: row("metrics-https", flag, false, "security", "The metrics listener speaks HTTPS."),
  grpcTls: row("grpc-tls", flag, false, "security", "The gRPC listeners speak TLS."),
  certificateFile: row(
    "certificate-file",
    text,
    undefined,
    "security",
    "PEM: the server's certificate, then those of its issuers. Read again when it changes.",
    file,
  ),
  privateKeyFile: row(
    "private-key-file",
    text,
    undefined,
    "security",
    "PEM: the certificate's key, unencrypted.",
    file,
  ),
  keystore: row(
    "keystore",
    text,
    undefined,
    "security",
    "PKCS12 store with the certificate and its key, instead of the two PEM files.",
    file,
  ),
  keystorePass: row("keystore-pass", text, "changeit", "security", "Password of the keystore.", { secret: true }),
  corsAllowedOrigin: row(
    "cors-allowed-origin",
    text,
    undefined,
    "security",
    "Origin whose pages may read answers, or *; answers then carry access-control-allow-origin.",
    { placeholder: "ORIGIN" },
  ),
  corsAllowedMethods: row("cors-allowed-methods", text, undefined, "security", "access-control-allow-methods.", {
    placeholder: "LIST",
  }),
  corsAllowedHeaders: row("cors-allowed-headers", text, undefined, "security", "access-control-allow-headers.", {
    placeholder: "LIST",
  }),
} as const;
