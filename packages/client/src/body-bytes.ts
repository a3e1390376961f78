import { untilAborted } from './time-limit.ts'

/**
 * Reads a stream to its end. Undefined if there is more in it than `limit` bytes: the rest of it is
 * cancelled then. Rejects with the stream's error, or with the signal's reason.
 */
export async function readUpTo(
  stream: ReadableStream<Uint8Array>,
  limit: number,
  signal: AbortSignal,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const reader = stream.getReader()
  const chunks: Uint8Array[] = []
  let size = 0
  try {
    for (;;) {
      const { done, value } = await untilAborted(signal, reader.read())
      if (done) return joined(chunks, size)
      chunks.push(value)
      size += value.byteLength
      if (size > limit) {
        giveUp(reader)
        return undefined
      }
    }
  } catch (error) {
    giveUp(reader, error)
    throw error
  }
}

// Not awaited: of two branches of a tee, the first one's cancellation ends only with the second's.
function giveUp(reader: ReadableStreamDefaultReader<Uint8Array>, reason?: unknown): void {
  reader.cancel(reason).catch(() => {})
}

function joined(chunks: readonly Uint8Array[], size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size)
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.byteLength
  }
  return bytes
}
