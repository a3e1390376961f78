import { untilAborted } from './time-limit.ts'

/**
 * Reads a stream to its end. If it has more than `limit` bytes, cancels the rest and returns
 * undefined. Rejects with the stream's error or the signal's reason, and with a `TypeError`, as
 * fetch does, if the stream holds anything but bytes.
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
      if (!isBytes(value)) throw new TypeError('A stream that is a body must hold Uint8Arrays.')
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

/** Recognized by its name, because the value may come from another realm. */
function isBytes(value: unknown): boolean {
  return Object.prototype.toString.call(value) === '[object Uint8Array]'
}

// Not awaited: cancelling one branch of a tee resolves only when the other is cancelled too.
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
