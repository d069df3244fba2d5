/** sconce.precision down to libtorch: what a client gets is float32 of a shorter type, or the model does not load. */
import { describe, expect, test } from "vitest";
import { InputFormat, OutputFormat } from "../../src/engine/engine.js";
import { openEngine } from "../../src/engine/native.js";
import { specOf } from "./specs.js";

const engine = openEngine({ cores: 2, loadParallelism: 1, latencyBuckets: [0.01, 1], maxDecodedBytes: 1 << 20 });

async function answerOf(name: string, numbers: readonly number[]): Promise<unknown> {
  const answers: unknown[] = [];
  const channel = engine.openChannel(() => channel.drain(sink));
  const sink = (_cookie: number, code: number, _model: string, body: string | ArrayBuffer): void => {
    const text = typeof body === "string" ? body : new TextDecoder().decode(body);
    answers.push(code === 0 ? JSON.parse(text) : text);
  };
  const body = new TextEncoder().encode(JSON.stringify(numbers));
  channel.infer(1, channel.nameId(name), "", body, InputFormat.json, OutputFormat.json, 0);
  channel.flush(sink);
  while (answers.length === 0) await new Promise((resolve) => setTimeout(resolve, 2));
  channel.close();
  return answers[0];
}

describe("precision", () => {
  // Bfloat16 has 8 bits of mantissa: 1.001 is nearest to 1, 3.003 to 3, 100.3 to 100.5.
  test("the model computes in the short type, the client sees float32", async () => {
    const report = await engine.load(specOf("echo", { precision: "bfloat16", precisionTolerance: 0.01 }), "short");
    engine.publish("short");
    expect(report.form).toBe("bfloat16");
    expect(report.formReason).toMatch(/its answers differ by 0\.00\d+ at most/);
    expect(report.outputs).toMatchObject([{ dtype: "float32" }]);
    expect(await answerOf("echo", [1.001, 3.003, 100.3, 0.5])).toEqual([1, 3, 100.5, 0.5]);
  });

  test("an answer too far away is a refusal with the distance and the option", async () => {
    const far = engine.load(specOf("echo", { precision: "bfloat16", precisionTolerance: 1e-5, version: "2.0" }), "far");
    await expect(far).rejects.toThrow(
      /differ by 0\.00\d+ of the largest output, more than the 1e-05 of sconce\.precisionTol/,
    );
    await expect(far).rejects.toMatchObject({ code: "invalid_model" });
  });

  test("what no tolerance would let in is refused by the output's name and dtype", async () => {
    const inputs = [{ name: "x", dtype: "float64" as const, shape: [4], optional: false }];
    const wide = specOf("echo", {
      precision: "bfloat16",
      version: "4.0",
      signature: { declared: true, inputs, outputs: [] },
    });
    await expect(engine.load(wide, "wide")).rejects.toThrow(
      "output 'output_0' is float32 [4] instead of float64 [4]); set sconce.precision: float32 or auto",
    );
  });

  test("auto keeps float32 then", async () => {
    const spec = specOf("echo", { precision: "auto", precisionTolerance: 1e-5, version: "3.0" });
    const report = await engine.load(spec, "auto");
    expect(report.form).not.toContain("bfloat16");
    expect(report.formReason).toContain("bfloat16 left out");
    engine.discard("auto");
  });
});
