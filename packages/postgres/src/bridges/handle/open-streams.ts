/**
 * The members by which a driver's object is closed. A cursor has `close`, a stream has `destroy`; a
 * `pg` Query has neither, because it ends by itself.
 */
interface Closable {
  close?(done: () => void): unknown
  destroy?(): unknown
  on?(event: 'error', listener: () => void): unknown
  /** Present if the stream can be written to: a COPY into the server. */
  write?: unknown
  /** Present on a QueryStream. */
  cursor?: unknown
  removeAllListeners?(event: 'readable'): unknown
  resume?(): unknown
}

/**
 * Closes a stream; has no effect on one that has ended. A COPY into the server is made to fail, and
 * its transaction fails with it: what remained to be written was never part of the response. A COPY
 * out of the server cannot be stopped without losing the transaction, so it is read to its end and
 * discarded.
 */
export function closeStream(stream: Closable): void {
  if (typeof stream.destroy !== 'function') return void stream.close?.(() => {})
  // The handler has already responded, and an 'error' event without a listener would end the
  // process.
  stream.on?.('error', () => {})
  if (stream.write !== undefined || stream.cursor !== undefined) return void stream.destroy()
  stream.removeAllListeners?.('readable')
  stream.resume?.()
}

/** pg's Query, Cursor and QueryStream receive their results instead of returning them. */
export function isSubmittable(argument: unknown): argument is Closable {
  return typeof (argument as { submit?: unknown } | undefined)?.submit === 'function'
}

/** The members of node:stream that postgres.js uses. */
export interface CopyStream {
  write?: unknown
  destroy(): unknown
  on(event: 'error', listener: () => void): unknown
  push(chunk: unknown): boolean
  _read(): void
}

/**
 * Closes a COPY. A COPY into the server is made to fail, and its transaction fails with it. A COPY
 * out of the server cannot be stopped, so it is read to its end and discarded: if nobody read it,
 * the socket would wait forever, and postgres.js would accept no other statement.
 */
export function closeableCopy(stream: CopyStream): () => Promise<void> | void {
  const push = stream.push
  let isOver = false
  let done = (): void => {}
  const ended = new Promise<void>((resolve) => {
    done = resolve
  })
  if (stream.write === undefined) {
    stream.push = (chunk) => {
      if (chunk === null) done()
      return isOver || push.call(stream, chunk)
    }
  }
  return () => {
    isOver = true
    // The handler has already responded, and an 'error' event without a listener would end the
    // process.
    stream.on('error', () => {})
    if (stream.write !== undefined) return void stream.destroy()
    stream._read()
    return ended
  }
}
