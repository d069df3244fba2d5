import type { Terminal } from "../../../src/cli/terminal.js";

/** A terminal that keeps what is written to it. */
export function fakeTerminal(options: Partial<Terminal> = {}): {
  terminal: Terminal;
  out: () => string;
  err: () => string;
} {
  let out = "";
  let err = "";
  const terminal: Terminal = {
    out: (text) => void (out += text),
    err: (text) => void (err += text),
    env: {},
    colorOut: false,
    colorErr: false,
    interactive: false,
    width: 100,
    unread: () => 0,
    ...options,
  };
  return { terminal, out: () => out, err: () => err };
}
