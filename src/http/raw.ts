/** The part of uWebSockets.js that `exchange` uses, as plain interfaces, so that only `listener` imports the package. */

export interface RawResponse {
  writeStatus(status: string | ArrayBuffer): RawResponse;
  writeHeader(key: string, value: string): RawResponse;
  end(body?: string | ArrayBuffer | Uint8Array, closeConnection?: boolean): RawResponse;
  endWithoutBody(): RawResponse;
  tryEnd(body: ArrayBuffer | Uint8Array, total: number): [ok: boolean, done: boolean];
  /** One chunk of a body of unknown length; false when some of it waits for the client. */
  write(chunk: Uint8Array): boolean;
  getWriteOffset(): number;
  onWritable(handler: (offset: number) => boolean): RawResponse;
  onAborted(handler: () => void): RawResponse;
  onData(handler: (chunk: ArrayBuffer, last: boolean) => void): RawResponse;
  cork(write: () => void): RawResponse;
  close(): RawResponse;
  getRemoteAddress(): ArrayBuffer;
  getRemoteAddressAsText(): ArrayBuffer;
}

export interface RawRequest {
  getUrl(): string;
  /** Undefined where there is no question mark. */
  getQuery(): string | undefined;
  getCaseSensitiveMethod(): string;
  /** "" when absent; the name in lower case. */
  getHeader(name: string): string;
  forEach(each: (name: string, value: string) => void): void;
}

/** One listening or adopting app. */
export interface RawApp {
  any(pattern: string, handler: (res: RawResponse, req: RawRequest) => void): RawApp;
  post(pattern: string, handler: (res: RawResponse, req: RawRequest) => void): RawApp;
  filter(handler: (res: RawResponse, change: number) => void): RawApp;
  listen(host: string, port: number, options: number, done: (socket: unknown) => void): RawApp;
  getDescriptor(): unknown;
  addChildAppDescriptor(descriptor: unknown): RawApp;
  removeChildAppDescriptor(descriptor: unknown): RawApp;
  /** Takes over an accepted connection, whose bytes are unread. */
  adoptSocket(fd: number): RawApp;
  close(): RawApp;
}

/** Paths of a PEM chain and its key, both readable until the app is made. Plain data. */
export interface TlsFiles {
  readonly certificate: string;
  readonly key: string;
}
