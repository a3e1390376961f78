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
    const chunk = copied(value)
    chunks.push(chunk)
    size += chunk.length
    if (size <= maxBytes) continue
    const next = await reader.read()
    if (next.done) return { kind: 'whole', bytes: joined(chunks, size) }
    chunks.push(copied(next.value))
    return { kind: 'part', chunks }
  }
}

/**
 * A copy, because a source may use its buffer again. Not by `slice`: that of Node's own class of bytes
 * returns the same memory. A string is sent as UTF-8, as @hono/node-server does; anything else could
 * only be sent as something else.
 */
function copied(chunk: unknown): Uint8Array<ArrayBuffer> {
  if (typeof chunk === 'string') return new TextEncoder().encode(chunk)
  // By its name: a test runner's class may be of another realm.
  const name = Object.prototype.toString.call(chunk)
  if (name === '[object Uint8Array]') return new Uint8Array(chunk as Uint8Array)
  throw new TypeError('A stream that is sent must hold bytes or strings.')
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
