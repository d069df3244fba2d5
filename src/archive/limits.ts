/** What an archive may hold. Every limit has a name that the error message says. */
export interface ArchiveLimits {
  readonly maxEntries: number;
  /** Bytes of one file, unpacked. */
  readonly maxFileBytes: number;
  /** Bytes of all files, unpacked. */
  readonly maxTotalBytes: number;
  /** Unpacked over packed bytes, for files over `ratioFloorBytes`. */
  readonly maxRatio: number;
  readonly ratioFloorBytes: number;
  /** Bytes of one entry's name. */
  readonly maxNameBytes: number;
  /** Folders above a file. */
  readonly maxDepth: number;
  /** False: names that differ by case or Unicode form only are refused, as they would meet on some file systems. */
  readonly distinguishCase: boolean;
}

const MiB = 1024 ** 2;
const GiB = 1024 ** 3;

/** For .mar and .tar.gz archives, which are unpacked. */
export const archiveLimits: ArchiveLimits = {
  maxEntries: 10_000,
  maxFileBytes: 16 * GiB,
  maxTotalBytes: 64 * GiB,
  maxRatio: 200,
  ratioFloorBytes: 10 * MiB,
  maxNameBytes: 512,
  maxDepth: 16,
  distinguishCase: false,
};

/** For .pt and .pt2 files, which libtorch reads in place: one entry per tensor and per source file. */
export const artifactLimits: ArchiveLimits = {
  ...archiveLimits,
  maxEntries: 200_000,
  maxDepth: 64,
  distinguishCase: true,
};

/** MANIFEST.json, model-config.yaml, index_to_name.json. */
export const maxTextBytes = 4 * MiB;
/** A tokenizer.json. */
export const maxTokenizerBytes = 64 * MiB;
/** YAML aliases that one document may use. */
export const maxAliases = 100;
