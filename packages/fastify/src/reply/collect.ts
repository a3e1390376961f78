import { finished, PassThrough, Writable } from 'node:stream'
import { closeSource } from '@oncekey/node'

/**
 * The content of a stream, or, past `maxBytes`, a stream of all of it. If its source breaks, that
 * stream gives everything read until then before it breaks, too.
 */
export type Collected =
  | { readonly kind: 'whole'; readonly bytes: Buffer }
  | { readonly kind: 'too-large'; readonly stream: PassThrough }

/** A stream being read to its end. */
export interface Collection {
  /** Rejects when the stream breaks. */
  readonly collected: Promise<Collected>
  /** Writes the data read so far and all further data to `target`; `collected` stays pending. */
  divert(target: Writable): void
}

/**
 * Any stream that Fastify sends, including those older than `stream.Readable`: they have events and
 * `pipe`.
 */
export type Source = NodeJS.ReadableStream

/**
 * Reads a stream to its end, or up to one chunk past `maxBytes`. It pipes the stream, which is all
 * that Fastify requires: many npm streams have no iterator, and some do not flow unless piped.
 */
export function collect(source: Source, maxBytes: number): Collection {
  const chunks: Uint8Array[] = []
  let size = 0
  let target: Writable | undefined
  let whole: PassThrough | undefined
  let resolve: (collected: Collected) => void
  let reject: (error: unknown) => void
  const collected = new Promise<Collected>((...functions) => {
    ;[resolve, reject] = functions
  })

  const sink = new Writable({
    objectMode: true,
    write(chunk: unknown, _encoding, done) {
      if (typeof chunk !== 'string' && !(chunk instanceof Uint8Array)) {
        done(new TypeError('A stream that is sent must hold strings or bytes.'))
        return
      }
      // A copy, because a source may reuse its buffer.
      const bytes = Buffer.from(chunk as Uint8Array)
      if (target !== undefined) return forward(target, bytes, done)
      chunks.push(bytes)
      size += bytes.length
      if (size > maxBytes) {
        // Reads nothing ahead, so that a write is over when everything before it was read.
        whole = new PassThrough({ readableHighWaterMark: 0 })
        // If the stream is not sent, nobody else handles the error of its stopped source.
        whole.on('error', () => {})
        divert(whole)
        resolve({ kind: 'too-large', stream: whole })
      }
      done()
    },
    final(done) {
      if (target === undefined) resolve({ kind: 'whole', bytes: Buffer.concat(chunks, size) })
      else if (!target.writableEnded) target.end()
      done()
    },
  })

  function divert(to: Writable): void {
    target = to
    for (const chunk of chunks.splice(0)) to.write(chunk)
    to.once('close', () => {
      if (!sink.writableEnded) closeSource(source)
    })
  }

  function fail(error: unknown): void {
    if (target === undefined) reject(error)
    else if (target === whole) breakAfterRead(whole, error as Error)
    else if (!target.destroyed) target.destroy(error as Error)
  }

  sink.on('error', (error) => {
    closeSource(source)
    fail(error)
  })
  sink.on('close', () => {
    if (!sink.writableFinished) fail(new Error('The stream that was sent closed before its end.'))
  })
  // Throws for objects that only resemble a stream, as Fastify's own check does.
  finished(source, { readable: true, writable: false }, (error) => {
    if (error != null) fail(error)
  })
  source.pipe(sink)
  return { collected, divert }
}

/**
 * Breaks a stream once everything it holds was read. By then the response may be on record; if the
 * stream broke before its first byte was sent, Fastify's error handler would answer instead.
 */
function breakAfterRead(stream: PassThrough, error: Error): void {
  // A source that fails after its end has left nothing out.
  if (stream.writableEnded || stream.destroyed) return
  stream.write('', () => stream.destroy(error))
}

function forward(target: Writable, bytes: Uint8Array, done: () => void): void {
  if (target.writableEnded || target.destroyed) done()
  else target.write(bytes, () => done())
}
