import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { run } from "../../../src/cli/run.js";
import { fakeTerminal } from "./fake-terminal.js";

const root = mkdtempSync(join(tmpdir(), "sconce-config-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const properties = join(root, "config.properties");
writeFileSync(properties, "job_queue_size=7\nvmargs=-Xmx1g\n");

async function sconce(words: string[], env: Record<string, string> = {}) {
  const { terminal, out, err } = fakeTerminal({ env });
  const code = await run(["config", ...words], terminal);
  return { code, out: out(), err: err() };
}

describe("sconce config", () => {
  test("show: every option with its value and where it came from", async () => {
    const shown = await sconce(["show", "--ts-config", properties, "--strict"], { SCONCE_PORT: "9" });
    expect(shown.code).toBe(0);
    expect(shown.out).toMatch(/^option +value +from$/m);
    expect(shown.out).toMatch(/^port +9 +SCONCE_PORT$/m);
    expect(shown.out).toMatch(/^strict +true +--strict$/m);
    expect(shown.out).toMatch(/^jobQueueSize +7 +\S+config\.properties:1 job_queue_size$/m);
    expect(shown.out).toMatch(/^modelStore +unset$/m);
    expect(shown.err).toContain("vmargs is not used");
  });

  test("show --json is data", async () => {
    const { out } = await sconce(["show", "--json", "--port", "3"]);
    expect(JSON.parse(out)).toMatchObject({ options: { port: { value: 3, origin: "--port" } }, notes: [] });
  });

  test("show and what is refused keep passwords and signatures of URLs back", async () => {
    const words = ["show", "--allowed-urls", "https://ann:hunter2@h/x/,https://h/m.mar?sig=hunter2"];
    for (const shown of [await sconce(words), await sconce([...words, "--json"])]) {
      expect(shown.out).toContain("https://(redacted)@h/x/");
      expect(shown.out).toContain("https://h/m.mar?(redacted)");
      expect(shown.out).not.toContain("hunter2");
    }
    const refused = await sconce(["show", "--port", "https://ann:hunter2@h"]);
    expect([refused.code, refused.err]).toEqual([2, expect.stringContaining("https://(redacted)@h")]);
  });

  test("migrate prints, or writes a new file and never over one", async () => {
    const printed = await sconce(["migrate", properties]);
    expect(printed.out).toContain("jobQueueSize: 7\n");
    const target = join(root, "sconce.yaml");
    expect((await sconce(["migrate", properties, "--output", target])).code).toBe(0);
    expect(readFileSync(target, "utf8")).toBe(printed.out);
    const again = await sconce(["migrate", properties, "-o", target]);
    expect(again).toMatchObject({ code: 2, out: "" });
    expect(again.err).toContain("EEXIST");
  });

  test("schema prints JSON", async () => {
    expect(JSON.parse((await sconce(["schema"])).out)).toHaveProperty("properties.port");
  });

  test.each<[string[], string]>([
    [[], "config takes show, migrate, schema"],
    [["shwo"], "did you mean show?"],
    [["migrate"], "takes one config.properties"],
    [["migrate", join(root, "none")], "ENOENT"],
    [["show", "--prot", "1"], "did you mean --port?"],
  ])("%j is a usage error", async (words, message) => {
    const { code, err } = await sconce(words);
    expect(code).toBe(2);
    expect(err).toContain(message);
  });
});
