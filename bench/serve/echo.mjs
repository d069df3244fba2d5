// The floor of the HTTP path: a bare uWebSockets.js app that reads a whole body and answers fixed bytes. It routes
// nothing, checks no header and writes none of its own, so nothing built on uWebSockets.js can be faster.
//   node bench/serve/echo.mjs ANSWER_FILE     prints "echo ready: PORT" and serves until SIGTERM
import { readFileSync } from "node:fs";
import { App, us_listen_socket_close, us_socket_local_port } from "uWebSockets.js";

const answer = readFileSync(process.argv[2]);

const app = App().any("/*", (res) => {
  const chunks = [];
  let size = 0;
  res.onAborted(() => undefined);
  res.onData((chunk, isLast) => {
    // What is kept past this callback must be copied; a body in one piece needs no copy.
    if (!isLast || chunks.length > 0) chunks.push(Buffer.from(new Uint8Array(chunk)));
    size += chunk.byteLength;
    if (isLast) res.cork(() => res.end(size > 0 ? answer : ""));
  });
});
app.listen("127.0.0.1", 0, (socket) => {
  if (!socket) throw new Error("the echo cannot listen");
  process.stdout.write(`echo ready: ${us_socket_local_port(socket)}\n`);
  process.once("SIGTERM", () => {
    us_listen_socket_close(socket);
    app.close();
  });
});
