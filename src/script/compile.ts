/**
 * A handler's file with what it imports from its model's folder → one JavaScript module. Only what lies in the folder,
 * Node's own modules and `sconce` can be imported. The only importer of esbuild. Main thread.
 */
import { existsSync, realpathSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type BuildFailure, type Plugin } from "esbuild";
import { ServerError } from "../errors.js";

/** Bytes of the module with its source map. */
export const maxCompiledBytes = 32 * 1024 * 1024;
const shownErrors = 3;

/** CommonJS packages in the folder ask for Node's modules by `require`. */
const banner =
  'import { createRequire as sconceRequire } from "node:module"; const require = sconceRequire(import.meta.url);';

/** `shown` is what messages call the model. Rejects with ServerError invalid_model: file, line and what is wrong. */
export async function compileHandler(folder: string, file: string, shown: string): Promise<string> {
  try {
    const { outputFiles } = await build({
      entryPoints: [join(folder, file)],
      absWorkingDir: folder,
      bundle: true,
      write: false,
      platform: "node",
      format: "esm",
      target: `node${process.versions.node}`,
      sourcemap: "inline",
      logLevel: "silent",
      tsconfigRaw: "{}",
      banner: { js: banner },
      plugins: [inside(realpathSync(folder))],
    });
    const code = outputFiles[0]?.text ?? "";
    if (code.length <= maxCompiledBytes) return code;
    throw refused(shown, `${file} and what it imports become ${code.length} bytes; the limit is ${maxCompiledBytes}`);
  } catch (error) {
    if (error instanceof ServerError) throw error;
    throw refused(shown, errorWords(error), error);
  }
}

function refused(shown: string, what: string, cause?: unknown): ServerError {
  return new ServerError("invalid_model", `${shown}: the handler does not compile: ${what}`, { cause });
}

function errorWords(error: unknown): string {
  const { errors } = error as Partial<BuildFailure>;
  if (!Array.isArray(errors)) return error instanceof Error ? error.message : String(error);
  return errors
    .slice(0, shownErrors)
    .map(({ text, location }) => (location ? `${location.file}:${location.line}: ${text}` : text))
    .join("; ");
}

/** The file that `sconce` means in a handler: it imports nothing itself. */
function definitions(): string {
  const built = fileURLToPath(new URL("../handlers/define.js", import.meta.url));
  return existsSync(built) ? built : built.replace(/\.js$/, ".ts");
}

function inside(root: string): Plugin {
  return {
    name: "inside",
    setup(bundler) {
      bundler.onResolve({ filter: /^sconce$/ }, () => ({ path: definitions() }));
      bundler.onResolve({ filter: /.*/ }, async ({ path, kind, pluginData, ...from }) => {
        if (kind === "entry-point" || pluginData === looked) return undefined;
        const found = await bundler.resolve(path, { ...from, kind, pluginData: looked });
        if (found.errors.length > 0 || found.external || found.path === "") return found;
        const away = relative(root, realpathSync(found.path));
        if (away !== ".." && !away.startsWith(`..${sep}`)) return found;
        return { errors: [{ text: `${JSON.stringify(path)} lies outside the model's folder` }] };
      });
    },
  };
}

/** Marks what the plug-in itself asked for. */
const looked = Symbol("looked");
