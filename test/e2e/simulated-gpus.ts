/**
 * A copy of this package whose CUDA library is the simulator (native/sim/library): the only way to start a server on it,
 * because the engine knows one name, libsconce_cuda.so, in one folder.
 */
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Server, ServerProcess, type StartOptions, repository } from "./server.js";

/** Built with the C++ tests. */
const library = `${repository}build/addon/native/sim/library/libsconce_sim.so`;
export const hasSimulator = existsSync(library);

export class SimulatedGpus {
  readonly root = mkdtempSync(join(tmpdir(), "sconce-gpus-"));
  readonly store = join(this.root, "store");
  private readonly faultsFile = join(this.root, "faults");

  constructor() {
    const release = join(this.root, "build", "Release");
    mkdirSync(release, { recursive: true });
    mkdirSync(this.store);
    cpSync(`${repository}dist`, join(this.root, "dist"), { recursive: true });
    copyFileSync(`${repository}package.json`, join(this.root, "package.json"));
    for (const name of ["node_modules", "proto"]) symlinkSync(`${repository}${name}`, join(this.root, name));
    const built = `${repository}build/Release/`;
    for (const name of ["sconce.node", "sconce-probe", "sconce-build.json"])
      symlinkSync(built + name, join(release, name));
    const { libtorch, version } = JSON.parse(readFileSync(`${built}sconce-build.json`, "utf8")) as Record<
      string,
      string
    >;
    copyFileSync(library, join(release, "libsconce_cuda.so"));
    const record = { libtorch, version, needs: "lib/libtorch_cpu.so" };
    writeFileSync(join(release, "sconce-cuda.json"), JSON.stringify(record));
    this.faults();
  }

  /** From now on, of every server: "rows 1 4", "lost 0", "broken 1". */
  faults(...lines: readonly string[]): void {
    writeFileSync(this.faultsFile, lines.map((line) => `${line}\n`).join(""));
  }

  /** A model of the store. */
  model(name: string, artifact: string, yaml: object): string {
    copyFileSync(artifact, join(this.store, `${name}.pt`));
    writeFileSync(join(this.store, `${name}.yaml`), JSON.stringify(yaml));
    return join(this.store, `${name}.pt`);
  }

  start(args: readonly string[], options: StartOptions = {}): Promise<Server> {
    return Server.start(["--model-store", this.store, ...args], this.with(options));
  }

  process(args: readonly string[], options: StartOptions = {}): ServerProcess {
    return new ServerProcess(["--model-store", this.store, ...args], this.with(options));
  }

  private with(options: StartOptions): StartOptions {
    const env = { SIMULATED_GPUS: "2", SIMULATED_GPU_FAULTS: this.faultsFile, ...options.env };
    return { ...options, env, entry: join(this.root, "dist", "main.js") };
  }
}
