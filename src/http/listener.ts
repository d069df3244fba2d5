/**
 * The only importer of uWebSockets.js: apps, listening, handing connections to other threads.
 *
 * The header limit is read by the library when it is first imported, so `loadListener` sets it before importing.
 * Main listens with an exclusive port and hands connections round robin to the apps of the HTTP threads: several
 * listeners on one port would let a second server steal half the traffic, and would reset connections at shutdown.
 * Thread: an app belongs to the thread that made it; a thread that owns an open app must close it before it ends.
 */

import { ServerError } from "../errors.js";
import type { RawApp, TlsFiles } from "./raw.js";

/** Bytes of all header fields of one request; more is refused by the parser with 431. */
export const maxHeaderBytes = 16_384;

interface UwsModule {
  readonly App: () => RawApp;
  readonly SSLApp: (options: { readonly key_file_name: string; readonly cert_file_name: string }) => RawApp;
  readonly us_listen_socket_close: (socket: unknown) => void;
  readonly us_socket_local_port: (socket: unknown) => number;
  readonly LIBUS_LISTEN_EXCLUSIVE_PORT?: number;
}

export interface Listening {
  readonly port: number;
  /** Stops accepting; open connections go on. May be called twice. */
  close(): void;
}

export interface Listener {
  /** With files: an app that speaks HTTPS (TLS 1.2 and 1.3) and deals only to others that do. Throws when they cannot be used. */
  createApp(tls: TlsFiles | undefined): RawApp;
  /** Port 0: any free one. Rejects naming host and port when it cannot. */
  listen(app: RawApp, host: string, port: number): Promise<Listening>;
}

/** Sets the header limit for this process. Call on main before any HTTP thread starts. */
export function setHeaderLimit(environment: NodeJS.ProcessEnv): void {
  environment["UWS_HTTP_MAX_HEADERS_SIZE"] = String(maxHeaderBytes);
}

/** Older builds are ES modules with named exports; newer ones CommonJS, whose names then stand under `default`. */
export async function loadListener(): Promise<Listener> {
  const imported = (await import("uWebSockets.js")) as unknown as Partial<UwsModule> & { readonly default?: UwsModule };
  const uws = (imported.App === undefined ? imported.default : imported) as UwsModule;
  return { createApp: (tls) => createApp(uws, tls), listen: (app, host, port) => listen(uws, app, host, port) };
}

function createApp(uws: UwsModule, tls: TlsFiles | undefined): RawApp {
  if (tls === undefined) return uws.App();
  try {
    return uws.SSLApp({ key_file_name: tls.key, cert_file_name: tls.certificate });
  } catch (cause) {
    throw new ServerError("internal", "The TLS library does not take the certificate or its key.", { cause });
  }
}

export function cannotListen(host: string, port: number): string {
  return `Cannot listen on ${host}:${port}: the port is taken, not allowed, or the address is not this machine's.`;
}

/** In µSockets the option is bit 1 in every build so far; older builds do not export its name. */
const exclusivePort = 1;

function listen(uws: UwsModule, app: RawApp, host: string, port: number): Promise<Listening> {
  return new Promise((resolve, reject) => {
    app.listen(host, port, uws.LIBUS_LISTEN_EXCLUSIVE_PORT ?? exclusivePort, (socket) => {
      if (!socket) {
        reject(new ServerError("conflict", cannotListen(host, port)));
        return;
      }
      let open = true;
      const close = (): void => {
        if (open) uws.us_listen_socket_close(socket);
        open = false;
      };
      resolve({ port: uws.us_socket_local_port(socket), close });
    });
  });
}
