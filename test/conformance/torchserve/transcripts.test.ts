/**
 * TorchServe's wire behaviour as data: each .yaml here names a server and what is asked of it, in order. One line:
 *
 *   - { ask: "POST /models?url=moody-1", on: management, status: 200, says: '{"status": "…"}' }
 *
 * `on` is inference unless given; `send`, `file`, `type` and `accept` make the request; `says` is the whole answer without its white
 * space, `…` stands for anything; `heads` are headers, "-" means absent. Runs against a real process.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Server } from "../../e2e/server.js";
import { askRest, dense, keyFileOf, makeStore, pattern, suites } from "./suites.js";

const { root, store } = makeStore();
afterAll(() => rmSync(root, { recursive: true }));

test("there are at least 150 transcripts", () => {
  expect(suites.reduce((sum, { transcripts }) => sum + transcripts.length, 0)).toBeGreaterThanOrEqual(150);
});

describe.each(suites.map((suite) => [suite.about, suite] as const))("%s", (_, suite) => {
  let server: Server;
  let keys: ReturnType<typeof keyFileOf>;
  beforeAll(async () => {
    const file = join(root, "rest_keys.json");
    server = await Server.start([...suite.args, "--model-store", store, "--key-file", file]);
    keys = keyFileOf(suite, file);
  });
  afterAll(async () => {
    expect(await server.stop()).toEqual({ code: 0, signal: null });
  });

  test.each(suite.transcripts.map((each) => [`${each.ask} ${each.send?.slice(0, 40) ?? ""}`, each] as const))(
    "%s",
    async (__, transcript) => {
      const answer = await askRest(server, transcript, keys);
      const text = answer.body.toString("utf8");
      expect(`${answer.status} ${text}`).toMatch(new RegExp(`^${transcript.status} `));
      if (transcript.says !== undefined) expect(dense(text)).toMatch(pattern(transcript.says));
      for (const [name, value] of Object.entries(transcript.heads ?? {})) {
        expect(answer.headers.get(name) ?? "-").toBe(value);
      }
    },
  );
});
