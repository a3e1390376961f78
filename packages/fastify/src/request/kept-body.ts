import { createHash, type Hash } from 'node:crypto'
import { EventEmitter } from 'node:events'
import type { Readable } from 'node:stream'

/**
 * A body as received. Its size alone decides what is compared of it, its bytes or a digest, so that
 * a retry matches on a server that keeps more or less of it.
 */
export interface KeptBody {
  /** The bytes, for as long as all of them are kept. */
  chunks: Uint8Array[]
  size: number
  /** Whether the bytes are not kept any more, because there were more than `most`. */
  isOverLimit: boolean
  /** Taken of the bytes as they pass, once there are more than are compared as they are. */
  digest: Hash | undefined
  /** Set by {@link forgetBody}. */
  isLeft: boolean
  readonly stream: BodyStream
  readonly listener: (chunk: Uint8Array | string) => void
}

export type BodyStream = Readable

/** Of a larger body a digest is compared. Never an option: it is part of the fingerprint. Bytes. */
const MOST_COMPARED_BYTES = 1024 * 1024

/**
 * Observes a body that others read: a content type parser, a pipe, an iterator. The stream flows or
 * waits as if nobody observed it; `stream.on('data')` would start it before its reader is attached.
 * The bytes are kept up to 1 MiB; `most` is asked for a larger body, of which up to that many bytes
 * are kept, because a signature cannot be checked against a digest.
 */
export function keepBody(stream: BodyStream, most: () => number = () => 0): KeptBody {
  const kept: KeptBody = {
    chunks: [],
    size: 0,
    isOverLimit: false,
    digest: undefined,
    isLeft: false,
    stream,
    listener(chunk) {
      keep(kept, typeof chunk === 'string' ? Buffer.from(chunk, encodingOf(stream)) : chunk, most)
    },
  }
  keepListening(kept)
  return kept
}

/** Starts observing, or resumes after `stopListening`, unless the body was left meanwhile. */
export function keepListening({ isLeft, stream, listener }: KeptBody): void {
  if (!isLeft) EventEmitter.prototype.on.call(stream, 'data', listener)
}

/** The stream must not flow while nobody listens, because what passes then would be missed. */
export function stopListening({ stream, listener }: KeptBody): void {
  EventEmitter.prototype.removeListener.call(stream, 'data', listener)
}

/**
 * Stops observing for good and lets go of what was kept. Whoever still waits for the body's first
 * byte, which may come much later, does not make the handler's upload be kept again.
 */
export function forgetBody(kept: KeptBody): void {
  kept.isLeft = true
  stopListening(kept)
  kept.chunks = []
  kept.digest = undefined
}

/**
 * Whether the whole body was read. This asks the stream, because an end listener costs more than
 * the digest.
 */
export function isWhole({ stream }: KeptBody): boolean {
  return stream.readableEnded
}

/** What is compared of a body: its bytes, or the digest of a large one. */
export function comparedBytes(kept: KeptBody): Uint8Array {
  return kept.digest === undefined ? receivedBytes(kept) : kept.digest.copy().digest()
}

/** All bytes of a body that is not over its limit. */
export function receivedBytes({ chunks, size }: KeptBody): Uint8Array {
  return chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks, size)
}

function keep(kept: KeptBody, chunk: Uint8Array, most: () => number): void {
  // A listener that is removed while a chunk is handed out still gets that chunk.
  if (kept.isLeft) return
  kept.size += chunk.length
  if (!kept.isOverLimit) kept.chunks.push(chunk)
  if (kept.size <= MOST_COMPARED_BYTES) return
  if (kept.digest !== undefined) kept.digest.update(chunk)
  else {
    kept.digest = createHash('sha256')
    for (const bytes of kept.chunks) kept.digest.update(bytes)
  }
  if (kept.isOverLimit || kept.size <= most()) return
  kept.isOverLimit = true
  kept.chunks = []
}

function encodingOf(stream: BodyStream): BufferEncoding {
  return stream.readableEncoding ?? 'utf8'
}
