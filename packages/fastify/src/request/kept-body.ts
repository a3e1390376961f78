import { createHash, type Hash } from 'node:crypto'
import { EventEmitter } from 'node:events'
import type { Readable } from 'node:stream'

/** A body as received: its bytes, or, if it is large, a hash. */
export interface KeptBody {
  chunks: Uint8Array[]
  size: number
  hash: Hash | undefined
  readonly stream: BodyStream
  readonly listener: (chunk: Uint8Array | string) => void
}

export type BodyStream = Readable

/**
 * Larger bodies are hashed as they pass, unless more is asked for. The size alone decides between
 * the two forms. Bytes.
 */
const MOST_KEPT_BYTES = 1024 * 1024

/**
 * Observes a body that others read: a content type parser, a pipe, an iterator. The stream flows or
 * waits as if nobody observed it; `stream.on('data')` would start it before its reader is attached.
 * `most` is asked for a large body, of which up to that many bytes are kept, because a signature
 * cannot be checked against a hash.
 */
export function keepBody(stream: BodyStream, most: () => number = () => MOST_KEPT_BYTES): KeptBody {
  const kept: KeptBody = {
    chunks: [],
    size: 0,
    hash: undefined,
    stream,
    listener(chunk) {
      keep(kept, typeof chunk === 'string' ? Buffer.from(chunk, encodingOf(stream)) : chunk, most)
    },
  }
  keepListening(kept)
  return kept
}

/** Starts observing, or resumes after `stopListening`. */
export function keepListening({ stream, listener }: KeptBody): void {
  EventEmitter.prototype.on.call(stream, 'data', listener)
}

/** The stream must not flow while nobody listens, because what passes then would be missed. */
export function stopListening({ stream, listener }: KeptBody): void {
  EventEmitter.prototype.removeListener.call(stream, 'data', listener)
}

/**
 * Whether the whole body was read. This asks the stream, because an end listener costs more than
 * the hash.
 */
export function isWhole({ stream }: KeptBody): boolean {
  return stream.readableEnded
}

/** The input for the body's fingerprint. */
export function keptBytes({ chunks, size, hash }: KeptBody): Uint8Array {
  if (hash !== undefined) return hash.copy().digest()
  return chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks, size)
}

function keep(kept: KeptBody, chunk: Uint8Array, most: () => number): void {
  kept.size += chunk.length
  kept.chunks.push(chunk)
  if (kept.hash === undefined && (kept.size <= MOST_KEPT_BYTES || kept.size <= most())) return
  kept.hash ??= createHash('sha256')
  for (const bytes of kept.chunks) kept.hash.update(bytes)
  kept.chunks = []
}

function encodingOf(stream: BodyStream): BufferEncoding {
  return stream.readableEncoding ?? 'utf8'
}
