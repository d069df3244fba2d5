/** Help texts, made from the option table and the command table. Pure. */
import { optionTable, type OptionGroup, type OptionRow } from "../config/options.js";
import { placeholder, showValue } from "../config/values.js";
import { archiveHelp, publishHelp } from "./archive-help.js";
import type { CommandHelp } from "./command-help.js";
import { clientFlagHelp } from "./client.js";
import { exitCodeHelp } from "./exit-codes.js";
import { handlerHelp } from "./handler-help.js";
import { statusHelp } from "./status-help.js";
import { paint, wrap } from "./terminal.js";
import { tokenHelp } from "./token.js";

export const commandTable: readonly CommandHelp[] = [
  {
    name: "serve",
    usage: "[MODEL | NAME=MODEL]… [options]",
    summary: "Serves models. MODEL is a .pt, .pt2 or .mar file, or a folder.",
    flags: [],
    examples: [
      "sconce serve digits.mar",
      "sconce serve iris=models/v3.pt --port 9000",
      "sconce serve --model-store store --models all",
    ],
  },
  {
    name: "predict",
    usage: "NAME[/VERSION] FILE|- [options]",
    summary: "Sends a file (or standard input) to a running server and prints the answer.",
    flags: [
      [
        "--url URL",
        "The server. Default: http://127.0.0.1:8080, or the SCONCE_HOST and SCONCE_PORT (else PORT) that are set.",
      ],
      ["--content-type TYPE", "Default: by the file's ending, else left to the server."],
      ["--accept TYPE", "The form of the answer. Default: the server's."],
      ["--timeout TIME", "How long to wait for the answer. Default: 120 s."],
      ...clientFlagHelp,
    ],
    examples: ["sconce predict digits examples/digits/7.png", "echo '[5.1, 3.5, 1.4, 0.2]' | sconce predict iris -"],
  },
  archiveHelp,
  handlerHelp,
  publishHelp,
  tokenHelp,
  {
    name: "migrate",
    usage: "check DIR [--json] [--no-probe] [--python PROGRAM]",
    summary: "Says of a TorchServe deployment what works here, what needs Python, and what will not work.",
    flags: [
      ["--json", "The report as JSON on standard output."],
      ["--no-probe", "Reads the archives without loading a model file in a process of its own."],
      [
        "--python PROGRAM",
        "The Python that would run handlers written in Python. Default: SCONCE_PYTHON, else python3.",
      ],
    ],
    examples: ["sconce migrate check /home/model-server"],
  },
  {
    name: "models",
    usage:
      "list | describe NAME | register FILE | scale NAME N | default NAME/VERSION | unregister NAME | rollback NAME | log-level NAME LEVEL",
    summary: "Lists and changes the models of a running server. NAME may be NAME/VERSION.",
    flags: [
      ["--url URL", "The management port. Default: http://127.0.0.1:8081, or SCONCE_MANAGEMENT_HOST and …_PORT."],
      ...clientFlagHelp,
      ["--timeout TIME", "How long to wait for an answer. Default: 120 s."],
      ["--json", "The server's answer as JSON on standard output."],
      ["--name, --handler, --workers N", "register: instead of the archive's own; 1 worker unless given."],
      ["--batch-size N, --max-batch-delay MS", "register: how requests are batched."],
      ["--response-timeout SECONDS", "register: after which a request gets 504."],
      ["--force", "default: also where clients of the present default version could not go on."],
      ["--max N", "scale: the most workers, when that is more."],
      ["--no-wait", "register, scale: returns at once; the work goes on."],
    ],
    examples: [
      "sconce models list",
      "sconce models register digits.mar --workers 2",
      "sconce models default digits/2.0",
      "sconce models scale digits 4",
      "sconce models log-level digits debug",
    ],
  },
  {
    name: "config",
    usage: "show [options of serve] [--json] | migrate FILE [--output FILE] | schema",
    summary: "Prints what a server would run with and where each value comes from; turns config.properties into YAML.",
    flags: [
      ["--json", "show: one JSON object on standard output."],
      ["--output FILE", "migrate: a new file instead of standard output."],
    ],
    examples: [
      "sconce config show --port 9000",
      "sconce config migrate config.properties --output sconce.yaml",
      "sconce config schema > sconce.schema.json",
    ],
  },
  {
    name: "doctor",
    usage: "[--json]",
    summary: "Says what was found on this machine, what is wrong and how to put it right.",
    flags: [["--json", "One JSON object on standard output."]],
    examples: ["sconce doctor"],
  },
  ...statusHelp,
  {
    name: "version",
    usage: "[--json]",
    summary: "Prints the versions of sconce, Node.js and libtorch.",
    flags: [["--json", "One JSON object on standard output."]],
    examples: [],
  },
  {
    name: "help",
    usage: "[COMMAND]",
    summary: "Prints this, or a command's options.",
    flags: [],
    examples: [],
  },
];

export const commandNames: readonly string[] = commandTable.map((each) => each.name);

const groupTitles: Readonly<Record<OptionGroup, string>> = {
  models: "Models",
  listeners: "Listeners",
  authorization: "Authorization",
  requests: "Requests",
  limits: "Limits",
  security: "HTTPS and other origins",
  shutdown: "Start and end",
  loading: "Loading",
  python: "Python handlers",
  handlers: "Handlers in TypeScript",
  hosting: "Hosting services",
  logging: "Logs and metrics",
};

export interface HelpStyle {
  readonly color: boolean;
  readonly width: number;
}

const title = (style: HelpStyle, text: string): string => paint(style.color, "bold", text);

/** `sconce help`. */
export function overview(style: HelpStyle): string {
  const widest = Math.max(...commandNames.map((name) => name.length));
  const commands = commandTable.map((each) => `  ${each.name.padEnd(widest)}  ${each.summary}`);
  const codes = exitCodeHelp.map(([code, meaning]) => `  ${code}  ${meaning}`);
  const parts = [
    "sconce serves PyTorch models over HTTP.",
    `${title(style, "Usage:")} sconce COMMAND …`,
    [title(style, "Commands"), ...commands].join("\n"),
    [title(style, "Exit codes"), ...codes].join("\n"),
    "sconce help COMMAND has a command's options.",
  ];
  return `${parts.join("\n\n")}\n`;
}

/** `sconce help COMMAND`. */
export function commandHelp(command: CommandHelp, style: HelpStyle): string {
  const parts = [`${title(style, "Usage:")} sconce ${command.name} ${command.usage}`, command.summary];
  if (command.flags.length > 0) parts.push(rows(command.flags, style).join("\n"));
  if (command.name === "serve") parts.push(...serveOptions(style));
  if (command.examples.length > 0) {
    parts.push([title(style, "Examples"), ...command.examples.map((each) => `  ${each}`)].join("\n"));
  }
  return `${parts.join("\n\n")}\n`;
}

function serveOptions(style: HelpStyle): string[] {
  const groups = Object.entries(groupTitles).map(([group, words]) => {
    const table = optionTable.filter((row) => row.group === group);
    return [
      title(style, words),
      ...rows(
        table.map((row) => [flagWords(row), optionWords(row)]),
        style,
      ),
    ].join("\n");
  });
  const precedence =
    "Every option can also be an environment variable (SCONCE_MAX_REQUEST_SIZE) or a key of the --config file (maxRequestSize). A flag wins over the environment, that over the file. A boolean is switched off with --no-….";
  return [...groups, wrap(precedence, style.width).join("\n")];
}

function flagWords(row: OptionRow): string {
  return `--${row.flag} ${row.placeholder ?? placeholder(row.kind)}`.trim();
}

function optionWords(row: OptionRow): string {
  const value = row.auto ?? (row.fallback === undefined ? undefined : showValue(row.kind, row.fallback));
  const said = row.kind.type === "boolean" || value === undefined || value === "" ? "" : ` Default: ${value}.`;
  return `${row.help}${said}`;
}

const flagColumn = 34;

function rows(table: readonly (readonly [string, string])[], style: HelpStyle): string[] {
  return table.flatMap(([flag, help]) => {
    const lines = wrap(help, Math.max(30, style.width - flagColumn));
    const first = `  ${flag}`;
    const fits = first.length < flagColumn;
    const indent = " ".repeat(flagColumn);
    const body = lines.map((line, i) => (i === 0 && fits ? `${first.padEnd(flagColumn)}${line}` : `${indent}${line}`));
    return fits ? body : [first, ...body];
  });
}
