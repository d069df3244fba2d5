/** A server that was changed at run time comes back as it was; a file that TorchServe wrote is where it begins. */
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { call, jsonOf } from "./client.js";
import { models, Server, ServerProcess } from "./server.js";

const root = mkdtempSync(join(tmpdir(), "sconce-snapshots-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const store = join(root, "store");
const folder = join(root, "config");
for (const each of [store, folder]) mkdirSync(each);
for (const file of ["ledger.pt", "ledger.yaml", "wide.pt", "wide.yaml"]) {
  copyFileSync(`${models}${file}`, join(store, file));
}
const words = ["--model-store", store, "--enable-model-api", "--config-snapshots", "--snapshot-folder", folder];

const written = {
  name: "20240101000000000-snapshot.cfg",
  modelCount: 1,
  created: 1_704_067_200_000,
  models: {
    books: {
      "1.0": {
        defaultVersion: true,
        marName: "ledger.pt",
        minWorkers: 2,
        maxWorkers: 2,
        batchSize: 1,
        maxBatchDelay: 100,
        responseTimeout: 120,
        startupTimeout: 120,
        runtimeType: "python",
      },
    },
  },
};
writeFileSync(
  join(folder, written.name),
  `version=0.12.0\npython=/usr/bin/python\nmodel_snapshot=${JSON.stringify(written)}\n`,
);

interface Described {
  readonly minWorkers: number;
  readonly maxWorkers: number;
  readonly workers: readonly unknown[];
}

test("TorchServe's file, then what was changed, then what is missing", { timeout: 60_000 }, async () => {
  const first = await Server.start([...words, "--models", "wide.pt"]);
  const manage = (method: string, path: string) => call(first.managementPort, { method, path });
  const named = async (server: Server) =>
    (jsonOf(await call(server.managementPort, { path: "/models" })) as { models: { modelName: string }[] }).models;
  expect(await named(first)).toEqual([{ modelName: "books", modelUrl: "ledger.pt" }]);
  expect(first.process.stderr).toContain(`the snapshot ${join(folder, written.name)}, which wins over --models`);
  expect((await manage("POST", "/models?url=wide.pt&model_name=broad&initial_workers=1")).status).toBe(200);
  expect((await manage("PUT", "/models/books?min_worker=3&max_worker=3&synchronous=true")).status).toBe(200);
  expect((await first.stop()).code).toBe(0);
  const kinds = readdirSync(folder).map((name) => name.replace(/^\d+-|\.cfg$/g, ""));
  expect(new Set(kinds)).toEqual(new Set(["startup", "snapshot", "shutdown"]));

  const second = await Server.start([...words, "--models", "all"]);
  expect((await named(second)).map((each) => each.modelName)).toEqual(["books", "broad"]);
  const [books] = jsonOf(await call(second.managementPort, { path: "/models/books" })) as Described[];
  expect(books).toMatchObject({ minWorkers: 3, maxWorkers: 3 });
  expect(books?.workers).toHaveLength(3);
  expect((await second.stop()).code).toBe(0);

  rmSync(join(store, "wide.pt"));
  const third = new ServerProcess(words);
  expect((await third.ended(30_000)).code).toBe(3);
  expect(third.stderr).toContain(join(store, "wide.pt"));
});
