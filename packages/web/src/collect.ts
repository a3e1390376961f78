export type Reader = ReadableStreamDefaultReader<Uint8Array>

/** What a body held, or, past `maxBytes`, as much of it as was read. */
export type Collected =
  | { readonly kind: 'whole'; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly kind: 'part'; readonly chunks: readonly Uint8Array[] }

/**
 * Reads to the end, at most two chunks past `maxBytes`, and nothing where that is 0. Two, because a
 * body that was there at once is one chunk however large, and the second read says that it was all.
 */
export async function collect(reader: Reader, maxBytes: number): Promise<Collected> {
  const chunks: Uint8Array[] = []
  let size = 0
  if (maxBytes === 0) return { kind: 'part', chunks }
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return { kind: 'whole', bytes: joined(chunks, size) }
    // A copy: a source may use its buffer again.
    chunks.push(value.slice())
    size += value.length
    if (size <= maxBytes) continue
    const next = await reader.read()
    if (next.done) return { kind: 'whole', bytes: joined(chunks, size) }
    chunks.push(next.value.slice())
    return { kind: 'part', chunks }
  }
}

function joined(chunks: readonly Uint8Array[], size: number): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(size)
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.length
  }
  return whole
}
