import { expect, test } from "vitest";
import { HandlerRegistry } from "../../../src/handlers/registry.js";

const limit = (timeoutMs: number) => ({ timeoutMs, by: "server" }) as const;

test("knows what was announced, by version, and what came last of one", () => {
  const registry = new HandlerRegistry({ maxImagePixels: 1, maxRequestSize: 1, decodeParallelism: 1 });
  expect(registry.find("m", "")).toBeUndefined();
  registry.announce("m", "1", { name: "base_handler", topK: 5 }, limit(100));
  registry.announce("m", "2", { name: "image_classifier", topK: 5 }, limit(200));
  expect(registry.find("m", "")?.version).toBe("1");
  expect(registry.find("m", "2")?.handler.name).toBe("image_classifier");
  expect(registry.find("m", "1")?.handler.pre).toBeUndefined();
  expect(registry.find("m", "3")).toBeUndefined();
  registry.announce("m", "1", { name: "image_classifier", topK: 5 }, limit(100));
  expect(registry.find("m", "1")?.handler.pre).toBeDefined();
});

test("requests without a version follow the default; versions that read alike need no telling apart", () => {
  const registry = new HandlerRegistry({ maxImagePixels: 1, maxRequestSize: 1, decodeParallelism: 1 });
  registry.announce("m", "1", { name: "base_handler", topK: 5 }, limit(100));
  registry.announce("m", "2", { name: "base_handler", topK: 5 }, limit(200));
  expect(registry.alike("m")).toBe(true);
  registry.announce("m", "3", { name: "image_classifier", topK: 5 }, limit(100));
  expect(registry.alike("m")).toBe(false);
  registry.setDefault("m", "3");
  expect(registry.find("m", "")?.version).toBe("3");
  registry.withdraw("m", "3");
  expect(registry.find("m", "")?.version).toBe("1");
  registry.withdraw("m", "1");
  registry.withdraw("m", "2");
  expect(registry.find("m", "")).toBeUndefined();
});
