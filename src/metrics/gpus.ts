/**
 * What NVIDIA's driver says of the machine's GPUs, through its own tool nvidia-smi: NVML's figures without loading a driver's
 * library into the server. The one place that runs the tool. Main thread; a question takes the tool some 30 ms to 2 s,
 * meanwhile nothing waits for it.
 */
import { execFile, type ExecFileException } from "node:child_process";

/** Percent and mebibytes. What the driver does not say (MIG, permissions) is undefined. */
export interface GpuSample {
  /** The driver's number of the GPU, which TorchServe calls DeviceId. */
  readonly index: number;
  readonly utilization: number | undefined;
  readonly memoryUsed: number | undefined;
  readonly memoryTotal: number | undefined;
}

/** The output of one question; `fault` says in one line why it is not all. */
export interface ToolAnswer {
  readonly out: string;
  readonly fault?: string;
  /** There is no such program. */
  readonly absent?: boolean;
}

const askTimeoutMs = 20_000;
const maxAnswerBytes = 1024 * 1024;
export const gpuTool = "nvidia-smi";

/** Never rejects. */
export async function askGpuTool(words: readonly string[], program: string = gpuTool): Promise<ToolAnswer> {
  const options = { timeout: askTimeoutMs, maxBuffer: maxAnswerBytes, killSignal: "SIGKILL" } as const;
  return new Promise((resolve) => {
    execFile(program, words, options, (error, out, complaint) => {
      resolve(error === null ? { out } : failed(error, program, out, complaint));
    });
  });
}

function failed(error: ExecFileException, program: string, out: string, complaint: string): ToolAnswer {
  if (error.code === "ENOENT") return { out: "", absent: true, fault: `there is no ${program}` };
  if (error.killed === true) return { out, fault: `no answer within ${askTimeoutMs / 1000} s` };
  // The tool complains on its standard output.
  const lines = `${complaint}\n${out}`.split("\n").map((line) => line.trim());
  return { out, fault: lines.find((line) => line !== "" && !/^\d+, /.test(line)) ?? error.message };
}

/** The words for a question about these properties, a line for each GPU. */
export function gpuQuery(fields: readonly string[]): readonly string[] {
  return [`--query-gpu=${fields.join(",")}`, "--format=csv,noheader,nounits"];
}

/** Lines that do not have as many cells as there are fields are the tool's words, not a GPU's. */
export function gpuRows<Field extends string>(
  out: string,
  fields: readonly Field[],
): Readonly<Record<Field, string>>[] {
  return out
    .split("\n")
    .map((line) => line.split(", ").map((cell) => cell.trim()))
    .filter((cells) => cells.length === fields.length)
    .map((cells) => Object.fromEntries(fields.map((field, i) => [field, cells[i]])) as Record<Field, string>);
}

/** "[N/A]", "[Not Supported]" and "[Insufficient Permissions]" are undefined. */
export function figure(cell: string | undefined): number | undefined {
  return cell !== undefined && /^\d+(\.\d+)?$/.test(cell) ? Number(cell) : undefined;
}

const sampled = ["index", "utilization.gpu", "memory.used", "memory.total"] as const;

export function gpuSamples(out: string): readonly GpuSample[] {
  return gpuRows(out, sampled).flatMap((row) => {
    const index = figure(row.index);
    if (index === undefined) return [];
    const [utilization, memoryUsed, memoryTotal] = sampled.slice(1).map((field) => figure(row[field]));
    return [{ index, utilization, memoryUsed, memoryTotal }];
  });
}

/**
 * The last answer about the GPUs. A machine without the tool is asked once and no more; while a question hangs (a driver
 * that died holds the tool in the kernel) no second one is asked, and what was known is dropped.
 */
export class GpuWatch {
  current: readonly GpuSample[] = [];
  private readonly ask: () => Promise<ToolAnswer>;
  private readonly changed: (fault: string | undefined) => void;
  private fault: string | undefined;
  private asking: Promise<void> | undefined;
  private seen = false;
  private absent = false;

  /** `changed`: the GPUs do not answer any more, and why; undefined: they do again. */
  constructor(changed: (fault: string | undefined) => void, ask = () => askGpuTool(gpuQuery(sampled))) {
    this.changed = changed;
    this.ask = ask;
  }

  /** Resolves when the answer is in; nobody has to wait for it. */
  look(): Promise<void> {
    if (this.absent) return Promise.resolve();
    if (this.asking === undefined) {
      this.asking = this.ask().then((answer) => {
        this.asking = undefined;
        this.take(answer);
      });
    } else {
      this.current = [];
      this.turn("they have not answered since the last time");
    }
    return this.asking;
  }

  private take({ out, fault, absent }: ToolAnswer): void {
    this.seen ||= absent !== true;
    this.absent = !this.seen;
    this.current = gpuSamples(out);
    if (!this.absent) this.turn(fault);
  }

  private turn(fault: string | undefined): void {
    if ((this.fault === undefined) !== (fault === undefined)) this.changed(fault);
    this.fault = fault;
  }
}
