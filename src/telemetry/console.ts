/**
 * Lines for a pipe: what its reader has not taken waits in memory, up to a limit, and then lines are dropped and counted.
 * A server is not to grow, and nobody is to wait, because somebody stopped reading a log.
 */
import { maxPendingBytes } from "./log-file.js";

export interface Pipe {
  readonly write: (text: string) => void;
  /** Bytes that wait for the reader. */
  readonly unread: () => number;
}

/** Takes whole lines with their line feeds. */
export function boundedLines({ write, unread }: Pipe): (lines: string) => void {
  let dropped = 0;
  return (lines) => {
    if (unread() + lines.length > maxPendingBytes) {
      dropped += lines.split("\n").length - 1;
      return;
    }
    const lost = dropped === 0 ? "" : `${dropped} lines were dropped: their reader was too slow\n`;
    dropped = 0;
    write(lost + lines);
  };
}
