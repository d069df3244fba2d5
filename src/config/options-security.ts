/** The rows of options.ts that are about HTTPS and about pages of other origins. */
import { choice, flag, row, text } from "./option-row.js";

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
  tokensFile: row(
    "tokens-file",
    text,
    undefined,
    "authorization",
    "YAML: named tokens with a role (infer, viewer, admin) and a rate limit. Requests then need one. Read again when it changes.",
    file,
  ),
  oldHttp: row(
    "old-http",
    flag,
    "auto",
    "listeners",
    "Whether the HTTP ports speak HTTP/1.0, too, as ab and nginx do unless told otherwise; not over TLS.",
    { auto: "on when started as torchserve or with a config.properties" },
  ),
  trustedProxies: row(
    "trusted-proxies",
    { type: "list", each: "network" },
    [],
    "security",
    "Addresses and networks of reverse proxies, whose word counts for who a request's client is.",
    { placeholder: "ADDRESS…" },
  ),
  proxyHeader: row(
    "proxy-header",
    choice("x-forwarded-for", "forwarded"),
    "x-forwarded-for",
    "security",
    "The header that trusted proxies write their client's address into.",
  ),
  basePath: row(
    "base-path",
    { type: "string", shape: { pattern: "/|(/[A-Za-z0-9_.~-]+)+/?", words: "a path such as /models" } },
    undefined,
    "listeners",
    "Prefix of every path of the inference and management ports, as a proxy that takes none off passes it on: /models.",
    { placeholder: "/PATH" },
  ),
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
