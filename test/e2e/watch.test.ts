/** `sconce serve FOLDER --watch` while somebody edits: no request fails, and what is wrong is said with its line. */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { call, drive, jsonOf, requestBytes } from "./client.js";
import { eventually, repository, Server } from "./server.js";

const folder = mkdtempSync(join(tmpdir(), "sconce-watch-"));
const model = join(folder, "mine");
const body = JSON.stringify(Array.from({ length: 16 }, () => 0.5));
let server: Server;

/** Written in place, as editors do it. */
const edit = (name: string, text: string): void => writeFileSync(join(model, name), text);
const handler = (postprocess: string): string => `import { defineHandler } from "sconce";
export default defineHandler({
  postprocess: ([scores], _request, context) => ${postprocess},
});
`;
const yaml = (greeting: string): string => `handler: handler.ts
sconce:
  inputs: [{ name: x, dtype: float32, shape: [16] }]
  handler: { config: { greeting: ${greeting} } }
`;

beforeAll(async () => {
  mkdirSync(model);
  copyFileSync(join(repository, "test/fixtures/models/mlp.pt"), join(model, "model.pt"));
  edit("model-config.yaml", yaml("hello"));
  edit("handler.ts", handler('"one"'));
  server = await Server.start([`mine=${model}`, "--watch"]);
}, 60_000);
afterAll(async () => {
  await server.stop("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

const answer = async (): Promise<unknown> =>
  jsonOf(await call(server.port, { method: "POST", path: "/predictions/mine", body }));
const becomes = (wanted: unknown): Promise<unknown> =>
  eventually(20_000, JSON.stringify(wanted), async () => ((await answer()) === wanted ? true : undefined));
const reason = async (): Promise<string | undefined> =>
  (jsonOf(await call(server.managementPort, { path: "/models/mine" })) as { sconce: { reason?: string } }[])[0]?.sconce
    .reason;
const refused = (why: RegExp): Promise<string> =>
  eventually(20_000, String(why), async () => {
    const said = await reason();
    return said !== undefined && why.test(said) ? said : undefined;
  });

test(
  "an edit serves, a broken one leaves the one before and says why, none costs a request",
  { timeout: 90_000 },
  async () => {
    let over = false;
    const driving = drive({
      port: server.port,
      connections: 2,
      count: 1_000_000,
      request: () => (over ? undefined : requestBytes({ path: "/predictions/mine", body })),
      check: (_, { status, body: got }) => (status === 200 ? undefined : `${status}: ${got.toString()}`),
    });
    await becomes("one");
    edit("handler.ts", handler('"two"'));
    await becomes("two");
    edit("model-config.yaml", yaml("good day"));
    edit("handler.ts", handler("context.config.greeting"));
    await becomes("good day");

    edit("handler.ts", handler('"three'));
    expect(await refused(/handler does not compile/)).toMatch(/handler\.ts:3: Unterminated string literal/);
    edit("handler.ts", handler('"four"').replace("export", 'throw new Error("not today");\nexport'));
    expect(await refused(/not today/)).toMatch(/handler\.ts:2:/);
    edit("model-config.yaml", "handler: [");
    expect(await refused(/model-config\.yaml/)).toMatch(/what is there now is not served/);
    rmSync(join(model, "handler.ts"));
    await refused(/model-config\.yaml/);
    expect(await answer()).toBe("good day");

    edit("model-config.yaml", yaml("hello"));
    edit("handler.ts", handler('"five"'));
    await becomes("five");
    expect(await reason()).toBeUndefined();
    over = true;
    const tally = await driving;
    expect(tally.wrong.slice(0, 3)).toEqual([]);
    expect(tally).toMatchObject({ right: tally.sent, unanswered: [], refused: 0 });
    expect(server.process.output).toMatch(/handler\.ts:3: Unterminated string literal/);
  },
);
