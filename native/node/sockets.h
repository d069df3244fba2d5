// Accepted connections, as the main thread sorts them before an HTTP thread gets them (src/http/sorted-entrance.ts).
// Thread: that of the environment that calls; no state.

#pragma once

#include <napi.h>

namespace sconce::node {

// deferAccept(fd, seconds): a connection is accepted when its first bytes are there, or after that time.
// takeSocket(fd, whole) → number: a descriptor of its own for the connection; -1: its first line says HTTP/1.0;
//   -2, if `whole` is true: that line has begun and has no end yet.
// socketPair() → [number, number]: the two ends of a connection inside this process.
// closeSocket(fd).
void ExportSockets(Napi::Env env, Napi::Object exports);

}  // namespace sconce::node
