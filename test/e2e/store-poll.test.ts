/** A followed model store under load: files are replaced, broken, added and removed, and no request fails. */
import { copyFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { call, drive, jsonOf, requestBytes } from "./client.js";
import { ledgerFault, ledgerInput } from "./ledger.js";
import { eventually, models, Server } from "./server.js";

const store = mkdtempSync(join(tmpdir(), "sconce-poll-"));
afterAll(() => rmSync(store, { recursive: true, force: true }));

/** As `sconce publish` does: never written in place. */
function put(name: string, write: (path: string) => void): void {
  write(join(store, ".incoming"));
  renameSync(join(store, ".incoming"), join(store, name));
}
const copied = (name: string) => (path: string) => copyFileSync(`${models}${name}`, path);

interface Described {
  readonly maxBatchDelay: number;
  readonly sconce: { readonly reason?: string; readonly since: string };
}

test("changed, broken, mended, added, removed, under load", { timeout: 120_000 }, async () => {
  for (const name of ["ledger.pt", "ledger.yaml"]) put(name, copied(name));
  const server = await Server.start(["--model-store", store, "--models", "all", "--poll-model-store", "100ms"]);
  const described = async (): Promise<Described | undefined> =>
    (jsonOf(await call(server.managementPort, { path: "/models/ledger" })) as Described[])[0];
  let over = false;
  const driving = drive({
    port: server.port,
    connections: 4,
    count: 1_000_000,
    request: (index) =>
      over ? undefined : requestBytes({ path: "/predictions/ledger", body: JSON.stringify(ledgerInput(index)) }),
    check: (index, answer) =>
      answer.status === 200 ? ledgerFault(index, answer.body) : `${answer.status}: ${answer.body.toString()}`,
  });
  const seen = <T>(what: string, look: () => Promise<T | undefined>): Promise<T> => eventually(20_000, what, look);

  put("ledger.yaml", (path) => writeFileSync(path, "maxBatchDelay: 1\n"));
  await seen("the new yaml", async () => ((await described())?.maxBatchDelay === 1 ? true : undefined));
  put("ledger.pt", (path) => writeFileSync(path, "not a model"));
  const reason = await seen("the reason", async () => (await described())?.sconce.reason);
  expect(reason).toMatch(/ledger\.pt changed, and what is there now is not served: /);
  put("ledger.pt", copied("ledger.pt"));
  await seen("the mended one", async () => ((await described())?.sconce.reason === undefined ? true : undefined));
  put("wide.pt", copied("wide.pt"));
  const wide = async (): Promise<number> => (await call(server.managementPort, { path: "/models/wide" })).status;
  await seen("the new model", async () => ((await wide()) === 200 ? true : undefined));
  rmSync(join(store, "wide.pt"));
  await seen("its end", async () => ((await wide()) === 404 ? true : undefined));
  expect((await call(server.port, { path: "/ping" })).status).toBe(200);

  over = true;
  const tally = await driving;
  expect(tally.wrong.slice(0, 5)).toEqual([]);
  expect(tally).toMatchObject({ right: tally.sent, unanswered: [], refused: 0 });
  expect(await server.stop()).toEqual({ code: 0, signal: null });
});
