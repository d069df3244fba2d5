import { describe, expect, test } from "vitest";
import { answersTo, reword } from "../../../src/config/torchserve-flags.js";

describe("TorchServe's flags", () => {
  test("short spellings are the long ones, up to --", () => {
    expect(reword(["--ncs", "--dt", "--ppath", "x", "--", "--dt"])).toEqual([
      "--no-config-snapshots",
      "--no-token-auth",
      "--plugins-path",
      "x",
      "--",
      "--dt",
    ]);
  });

  test("what has no effect is said, what is so anyway is not", () => {
    const values = new Map([
      ["foreground", "true"],
      ["log-config", "log4j2.xml"],
    ]);
    expect(answersTo(values)).toEqual([
      {
        level: "warn",
        message: "--log-config is not used: the log is set by --log-level and --log-format, not by log4j",
      },
    ]);
  });
});
