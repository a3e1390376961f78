import { createHash, type Hash } from 'node:crypto'
import { EventEmitter } from 'node:events'
import type { Readable } from 'node:stream'

/** A body as it came: its bytes, or, where they are many, what is enough to tell it from another. */
export interface KeptBody {
  chunks: Uint8Array[]
  size: number
  hash: Hash | undefined
  readonly stream: BodyStream
  readonly listener: (chunk: Uint8Array | string) => void
}

export type BodyStream = Readable

/** Longer bodies are hashed as they pass. Which form a body gets depends on its size alone. */
const MOST_KEPT_BYTES = 1024 * 1024

/**
 * Listens to a body that others read: a content type parser, a pipe, an iterator. It goes on flowing,
 * or waiting, as if nobody had listened: `stream.on('data')` would start it before its reader is there.
 * `whole` keeps all of its bytes, however many: what was signed cannot be told by a hash.
 */
export function keepBody(stream: BodyStream, { whole }: { readonly whole: boolean }): KeptBody {
  const most = whole ? Number.POSITIVE_INFINITY : MOST_KEPT_BYTES
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

/** Starts listening, or goes on after `stopListening`. */
export function keepListening({ stream, listener }: KeptBody): void {
  EventEmitter.prototype.on.call(stream, 'data', listener)
}

/** Nothing may flow meanwhile: it would be missing. */
export function stopListening({ stream, listener }: KeptBody): void {
  EventEmitter.prototype.removeListener.call(stream, 'data', listener)
}

/** Whether all of it was read. Asked of the stream: a listener for its end is dearer than the hash. */
export function isWhole({ stream }: KeptBody): boolean {
  return stream.readableEnded
}

/** What the body's fingerprint is made of. */
export function keptBytes({ chunks, size, hash }: KeptBody): Uint8Array {
  if (hash !== undefined) return hash.copy().digest()
  return chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks, size)
}

function keep(kept: KeptBody, chunk: Uint8Array, most: number): void {
  kept.size += chunk.length
  kept.chunks.push(chunk)
  if (kept.hash === undefined && kept.size <= most) return
  kept.hash ??= createHash('sha256')
  for (const bytes of kept.chunks) kept.hash.update(bytes)
  kept.chunks = []
}

function encodingOf(stream: BodyStream): BufferEncoding {
  return stream.readableEncoding ?? 'utf8'
}
