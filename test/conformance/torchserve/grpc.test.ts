/**
 * Every transcript that TorchServe's gRPC services can say, said by generated stubs: the same answers as REST's and the
 * codes of docs/errors.md. What changes nothing is asked both ways of one server; what does is compared with the transcript.
 */
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { rpcStatus } from "../../../src/rpc.js";
import { repository, Server } from "../../e2e/server.js";
import { rpcForm, type RpcForm } from "./rpc-form.js";
import { openPlayer, type RpcPlayer, type RpcSeen } from "./rpc-player.js";
import { askRest, authorizationOf, dense, keyFileOf, makeStore, pattern, suites, type Transcript } from "./suites.js";

const { root, store } = makeStore();
afterAll(() => rmSync(root, { recursive: true }));

interface Documented {
  readonly http: number;
  readonly type: string;
  readonly grpc: string;
}

/** The table of docs/errors.md, by code. */
const documented = new Map<string, Documented>();
for (const line of readFileSync(join(repository, "docs/errors.md"), "utf8").split("\n")) {
  const row = /^\| `(\w+)` \| (\d+) \| `(\w+)` \| `(\w+)` \|/.exec(line);
  if (row !== null) documented.set(row[1] ?? "", { http: Number(row[2]), type: row[3] ?? "", grpc: row[4] ?? "" });
}

/** What changes from one look to the next. */
const steady = (text: string): string =>
  text.replace(/"memoryUsage": \d+/g, '"memoryUsage": 0').replace(/"(\w*[Ss]econds|rate\w*)": [\d.e-]+/g, '"$1": 0');

interface RestError {
  readonly type: string;
  readonly message: string;
}

function compareWithRest(status: number, body: string, seen: RpcSeen, form: RpcForm): void {
  if (status < 400) {
    const { status: words } = (body.startsWith("{") ? JSON.parse(body) : {}) as { readonly status?: string };
    const expected = form.service === "management" ? (words ?? body) : body;
    expect([seen.code, steady(seen.text), seen.details]).toEqual([0, steady(expected), ""]);
    return;
  }
  if (status === 413) {
    // The library refuses it, in words of its own.
    expect(seen.code).toBe(rpcStatus.RESOURCE_EXHAUSTED);
    return;
  }
  const { type, message } = JSON.parse(body) as RestError;
  if (type === "InvalidKeyException") {
    // docs/grpc.md: refused before any method is looked at, without the trailer.
    expect([seen.code, seen.details]).toEqual([rpcStatus.PERMISSION_DENIED, message]);
    return;
  }
  const row = documented.get(seen.error);
  expect(row, `${seen.code} ${seen.details} (${seen.error}) for ${body}`).toBeDefined();
  // docs/grpc.md: the one verb that can be switched off.
  const code = seen.error === "method_not_allowed" ? "PERMISSION_DENIED" : row?.grpc;
  expect(status).toBe(row?.http);
  expect([seen.code, row?.type]).toEqual([rpcStatus[code as keyof typeof rpcStatus], type]);
  if (code === "PERMISSION_DENIED") expect(seen.details).toContain("--enable-model-api");
  // Its words name the metadata entry instead of the header.
  else if (seen.error === "unsupported_media_type") expect(seen.details).toContain("x-sconce-content-type is none of");
  else expect(seen.details).toBe(message.slice(0, 1024));
}

/** The answer to a change, which cannot be asked for twice. */
function compareWithTranscript({ says = "…" }: Transcript, seen: RpcSeen): void {
  const body = seen.text.startsWith("[") ? seen.text : JSON.stringify({ status: seen.text });
  expect(dense(body)).toMatch(pattern(says));
}

describe.each(suites.map((suite) => [suite.about, suite] as const))("by gRPC: %s", (_, suite) => {
  const compat = suite.args[suite.args.indexOf("--compat") + 1] ?? "sconce";
  let server: Server;
  let player: RpcPlayer;
  let keys: ReturnType<typeof keyFileOf>;
  beforeAll(async () => {
    const file = join(root, "grpc_keys.json");
    const ports = ["--grpc-inference-port", "0", "--grpc-management-port", "0"];
    server = await Server.start([...suite.args, "--model-store", store, "--key-file", file, ...ports]);
    keys = keyFileOf(suite, file);
    player = openPlayer(server);
  });
  afterAll(async () => {
    player.close();
    expect(await server.stop()).toEqual({ code: 0, signal: null });
  });

  const forms = suite.transcripts.map((each) => [each, rpcForm(each, compat)] as const);
  /** What gRPC cannot say is said by REST where the rest of the story needs it. */
  const changes = ({ on, ask }: Transcript): boolean =>
    on === "management" && (!ask.startsWith("GET") || ask.startsWith("GET /token"));
  const told = forms.filter(([each, form]) => form ?? changes(each));

  test.each(told.map(([each, form], at) => [at, `${each.ask} ${form?.method ?? "(REST)"}`, each, form] as const))(
    "%i %s",
    async (__, ___, transcript, form) => {
      const metadata = { ...form?.metadata, ...authorizationOf(transcript, keys) };
      const seen = form && (await player.play({ ...form, metadata }));
      if (form?.changes === true && seen?.code === 0) {
        compareWithTranscript(transcript, seen);
        return;
      }
      const rest = await askRest(server, transcript, keys);
      expect(rest.status, rest.body.toString()).toBe(transcript.status);
      if (form && seen) compareWithRest(rest.status, rest.body.toString(), seen, form);
    },
  );
});

test("most of the management and prediction transcripts have a gRPC form", () => {
  const forms = suites.flatMap(({ transcripts }) => transcripts.filter((each) => rpcForm(each, "sconce")));
  expect(forms.length).toBeGreaterThan(90);
});
