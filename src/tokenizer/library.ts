/**
 * Hugging Face's tokenizers (their Rust code, so that ids are those of Python) behind three calls. It is loaded when the
 * first text model comes. `open` blocks while it reads the file; `encode` works on libuv's pool.
 */

import type { Tokenizer as Library } from "tokenizers";

export interface Cut {
  /** Tokens, special ones included. */
  readonly maxLength: number;
  readonly at: "left" | "right";
}

/** One text as tokens, special ones included, without padding. */
export interface Encoded {
  readonly ids: readonly number[];
  readonly typeIds: readonly number[];
  /** Only made when asked for. */
  readonly pieces: readonly Piece[];
}

export interface Piece {
  /** As the vocabulary has it. */
  readonly token: string;
  /** Was put there by the tokenizer and stands for no text. */
  readonly special: boolean;
  /** In the text, counted in code points as Python counts; `end` is exclusive. */
  readonly start: number;
  readonly end: number;
}

export class Tokenizer {
  private readonly library: Library;

  private constructor(library: Library) {
    this.library = library;
  }

  /** Without `cut` texts come whole, whatever the file says of truncation; padding is never made. */
  static async open(file: string, cut: Cut | undefined): Promise<Tokenizer> {
    const { Tokenizer: Made } = await import("tokenizers");
    const library = Made.fromFile(file);
    library.disablePadding();
    if (cut === undefined) library.disableTruncation();
    else library.setTruncation(cut.maxLength, { direction: cut.at });
    return new Tokenizer(library);
  }

  async encode(text: string, withPieces: boolean): Promise<Encoded> {
    const encoding = await this.library.encode(text);
    const ids = encoding.getIds();
    const typeIds = encoding.getTypeIds();
    if (!withPieces) return { ids, typeIds, pieces: [] };
    const offsets = encoding.getOffsets();
    const special = encoding.getSpecialTokensMask();
    const pieces = ids.map((id, i): Piece => {
      const [start = 0, end = 0] = offsets[i] ?? [];
      return { token: this.library.idToToken(id) ?? "", special: special[i] === 1, start, end };
    });
    return { ids, typeIds, pieces };
  }

  /** Token → id, added tokens included. */
  vocabulary(): Readonly<Record<string, number>> {
    return this.library.getVocab(true);
  }
}
