import { Readable } from 'node:stream'

/** What a stream held, or, past `maxBytes`, a stream of all of it. */
export type Collected =
  | { readonly kind: 'whole'; readonly bytes: Buffer }
  | { readonly kind: 'too-large'; readonly stream: Readable }

/** Reads a stream to its end, at most a chunk past `maxBytes`. Rejects when it breaks. */
export async function collect(source: Readable, maxBytes: number): Promise<Collected> {
  const chunks: Uint8Array[] = []
  const iterator = source[Symbol.asyncIterator]()
  let size = 0
  for (;;) {
    const { value, done } = await iterator.next()
    if (done) return { kind: 'whole', bytes: Buffer.concat(chunks, size) }
    const bytes = bytesOf(value)
    chunks.push(bytes)
    size += bytes.length
    if (size > maxBytes) {
      return {
        kind: 'too-large',
        stream: Readable.from(all(chunks, iterator), { objectMode: false }),
      }
    }
  }
}

async function* all(chunks: Uint8Array[], rest: AsyncIterator<unknown>) {
  try {
    yield* chunks
    for (;;) {
      const { value, done } = await rest.next()
      if (done) return
      yield bytesOf(value)
    }
  } finally {
    await rest.return?.()
  }
}

/** A copy: a source may use its buffer again. */
function bytesOf(chunk: unknown): Uint8Array {
  if (typeof chunk === 'string' || chunk instanceof Uint8Array) return Buffer.from(chunk)
  throw new TypeError('A stream that is sent must hold strings or bytes.')
}
