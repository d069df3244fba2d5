/**
 * What to run when something native is missing or does not fit: whole commands, right from any folder, in a clone and where
 * npm installed the package. Pure.
 */
import { fileURLToPath } from "node:url";

const script = (name: string): string => `bash ${fileURLToPath(new URL(`../../scripts/${name}`, import.meta.url))}`;

/** Finds libtorch (LIBTORCH names one) or fetches it, and builds the engine and the probe. */
export const buildEngine = script("install-engine");
/** Builds the CUDA library against LIBTORCH, or a CUDA build that it fetches. */
export const buildCuda = script("build-cuda");
