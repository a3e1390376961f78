import { collect } from './collect.ts'

const FORMATS: Readonly<Record<string, 'gzip' | 'deflate'>> = {
  gzip: 'gzip',
  'x-gzip': 'gzip',
  deflate: 'deflate',
}

/** Whether {@link decoded} can undo it: what the fetch runtimes share. */
export function isKnownCoding(coding: string): boolean {
  return coding.toLowerCase() in FORMATS
}

/**
 * The bytes before content coding; `undefined` if there are more than `maxBytes`, or it is not what
 * it says. Kept instead of what a compressor made, because the client of a replay may accept other
 * codings than the first one.
 */
export async function decoded(
  coding: string,
  bytes: Uint8Array<ArrayBuffer>,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const format = FORMATS[coding.toLowerCase()] as 'gzip' | 'deflate'
  const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream(format))
  const reader = plain.getReader()
  const collected = await collect(reader, maxBytes).catch(() => undefined)
  if (collected?.kind === 'whole') return collected.bytes
  reader.cancel().catch(() => {})
  return undefined
}
