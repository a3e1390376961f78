import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib'

const DECODERS: Readonly<Record<string, typeof gunzipSync>> = {
  gzip: gunzipSync,
  'x-gzip': gunzipSync,
  deflate: inflateSync,
  br: brotliDecompressSync,
}

/**
 * The bytes before content coding, at most `maxBytes` of them (throws past that), or `undefined` for
 * a coding we do not know. Kept instead of what a compressor made, because the client of a replay
 * may accept other codings than the first one.
 */
export function decoded(
  coding: string,
  bytes: Uint8Array,
  maxBytes: number,
): Uint8Array | undefined {
  return DECODERS[coding.toLowerCase()]?.(bytes, { maxOutputLength: maxBytes })
}
