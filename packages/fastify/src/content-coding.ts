import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib'

const DECODERS: Readonly<Record<string, typeof gunzipSync>> = {
  gzip: gunzipSync,
  'x-gzip': gunzipSync,
  deflate: inflateSync,
  br: brotliDecompressSync,
}

/**
 * The bytes before content coding, at most `maxBytes` of them, or `undefined` where they cannot be had.
 * Kept instead of what a compressor made, because the client of a replay may accept other codings
 * than the first one.
 */
export function decoded(
  coding: string,
  bytes: Uint8Array,
  maxBytes: number,
): Uint8Array | 'too-large' | undefined {
  try {
    return DECODERS[coding.toLowerCase()]?.(bytes, { maxOutputLength: maxBytes })
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE'
      ? 'too-large'
      : undefined
  }
}
