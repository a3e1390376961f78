export type Reader = ReadableStreamDefaultReader<Uint8Array>

/** The content of a body, or, past `maxBytes`, as much of it as was read. */
export type Collected =
  | { readonly kind: 'whole'; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly kind: 'part'; readonly chunks: readonly Uint8Array[] }

/**
 * Reads to the end, or at most two chunks past `maxBytes`; if `maxBytes` is 0, up to the first
 * byte. Two chunks, because a body that is complete at once is a single chunk of any size, and only
 * the second read shows that it was all.
 */
export async function collect(reader: Reader, maxBytes: number): Promise<Collected> {
  const chunks: Uint8Array<ArrayBuffer>[] = []
  let size = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return { kind: 'whole', bytes: joined(chunks, size) }
    const chunk = copied(value)
    chunks.push(chunk)
    size += chunk.length
    if (size <= maxBytes) continue
    if (maxBytes === 0) return { kind: 'part', chunks }
    const next = await reader.read()
    if (next.done) return { kind: 'whole', bytes: joined(chunks, size) }
    chunks.push(copied(next.value))
    return { kind: 'part', chunks }
  }
}

/**
 * A copy, because a source may reuse its buffer. A `slice` of Node's own buffers does not copy. A
 * string becomes UTF-8, as in @hono/node-server; anything else is refused.
 */
function copied(chunk: unknown): Uint8Array<ArrayBuffer> {
  if (typeof chunk === 'string') return new TextEncoder().encode(chunk)
  // Checked by name, because a test runner's class may come from another realm.
  const name = Object.prototype.toString.call(chunk)
  if (name === '[object Uint8Array]') return new Uint8Array(chunk as Uint8Array)
  throw new TypeError('A stream that is sent must hold bytes or strings.')
}

function joined(chunks: readonly Uint8Array<ArrayBuffer>[], size: number): Uint8Array<ArrayBuffer> {
  // Nearly every body is one chunk, and that is a copy already.
  const [only] = chunks
  if (only !== undefined && chunks.length === 1) return only
  const whole = new Uint8Array(size)
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.length
  }
  return whole
}
