import type { IncomingMessage, OutgoingHttpHeaders, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/**
 * The only file that touches undocumented fields and methods of Node. Node, Express and most
 * middleware read them to tell how far a response is. Setting them makes `headersSent`,
 * `writableEnded` and the errors of late `setHeader` and `write` calls behave as if the bytes had
 * left, also for code that reads the fields directly (`on-headers`, sessions).
 */
export interface Internals {
  /** Marks the head as sent. */
  markHeadSent(res: ServerResponse): void
  /** Marks the response as ended. */
  markEnded(res: ServerResponse): void
  /** Marks nothing as sent. */
  unmark(res: ServerResponse): void
  /** Discards the trailers given to `addTrailers`. */
  dropTrailers(res: ServerResponse): void
  /**
   * Has the rest of the request's body discarded once the response was sent, if nobody reads it by
   * then. Node does so for a body that nobody has looked at; behind one that somebody has, the next
   * request of the connection would never be reached.
   */
  leaveBody(res: ServerResponse): void
}

/** The internals of HTTP/1, or of the compatibility layer of `node:http2`. */
export function internalsOf(res: ServerResponse): Internals {
  return isHttp2(res) ? http2 : http1
}

/** Decided by the request, because importing `node:http2` is slow. */
export function isHttp2(res: ServerResponse): boolean {
  return res.req?.httpVersionMajor >= 2
}

/** Whether the client has disconnected. */
export function isGone(res: ServerResponse): boolean {
  if (!isHttp2(res)) return res.destroyed
  const { closed, destroyed } = streamOf(res)
  return closed || destroyed
}

/**
 * Whether the whole request has arrived, read or not. `readableEnded` would also require it to be
 * read.
 */
export function hasEnded(req: IncomingMessage): boolean {
  return (req as unknown as { _readableState: { ended: boolean } })._readableState.ended
}

/**
 * Sends `100 Continue` to a client that waits for it before it sends its body. Node sends it itself
 * unless the app listens to `checkContinue`.
 */
export function askForBody(req: IncomingMessage, res: ServerResponse): void {
  const internal = res as unknown as { _sent100?: boolean }
  if (req.headers.expect === undefined || internal._sent100 || isHttp2(res)) return
  if (/100-continue/i.test(req.headers.expect)) res.writeContinue()
}

/** The server that accepted an HTTP/1 connection; `undefined` for mocks. */
export function serverOf(socket: Socket): Server | undefined {
  return (socket as Socket & { server?: Server }).server
}

/** The HTTP/1 response that a connection carries now, by which Node tells whether it is idle. */
export function responseOn(socket: Socket): ServerResponse | undefined {
  return (socket as Socket & { _httpMessage?: ServerResponse | null })._httpMessage ?? undefined
}

/** The members used of a `node:http2` stream. */
export interface Http2Stream {
  readonly closed: boolean
  readonly destroyed: boolean
  readonly writableEnded: boolean
  readonly writableFinished: boolean
  readonly headersSent: boolean
  readonly session: { readonly destroyed: boolean } | undefined
  destroy(error?: Error): unknown
  close(code?: number, callback?: () => void): void
  respond(headers?: OutgoingHttpHeaders, options?: { readonly endStream?: boolean }): void
  respondWithFile(...given: unknown[]): void
  respondWithFD(...given: unknown[]): void
  write(...given: unknown[]): boolean
  end(...given: unknown[]): unknown
  on(event: 'pipe' | 'unpipe', listener: (source: unknown) => void): unknown
  off(event: 'pipe' | 'unpipe', listener: (source: unknown) => void): unknown
  emit(event: 'drain'): boolean
}

/** The stream of a response over HTTP/2. */
export function streamOf(res: ServerResponse): Http2Stream {
  return (res as unknown as { stream: Http2Stream }).stream
}

/**
 * Whether the HTTP/2 session was made with `strictSingleValueFields: false` (Node 24.15 and later).
 */
export function takesSeveralValues(res: ServerResponse): boolean {
  const session = streamOf(res).session ?? {}
  const option = Object.getOwnPropertySymbols(session).find(
    ({ description }) => description === 'strictSingleValueFields',
  )
  return option !== undefined && Reflect.get(session, option) === false
}

/** Where Node's `write`, `end` and `flushHeaders` pass on framed bytes. */
export type Send = (data: string | Uint8Array, encoding?: unknown, callback?: unknown) => boolean

/**
 * Intercepts the bytes that Node's own methods pass on. A logger, timeout or transport may have
 * saved those methods before the response was held. Returns a function that removes the
 * interception, or `undefined` where there is no such place (HTTP/2, mocks).
 */
export function interceptSends(res: ServerResponse, send: Send): (() => void) | undefined {
  const internal = res as unknown as { _send: Send | undefined }
  const { _send } = internal
  if (_send === undefined || isHttp2(res)) return undefined
  internal._send = send
  return () => {
    internal._send = _send
  }
}

/**
 * Whether a callback is the one by which Node's `end` learns that everything was sent; Node 24
 * passes it with the last bytes.
 */
export function isFinish(callback: unknown): boolean {
  return typeof callback === 'function' && callback.name === 'bound onFinish'
}

/**
 * Removes a header without a trace. Node remembers removed headers and then omits its own defaults:
 * chunked encoding, length, connection, date.
 */
export function unsetHeader(res: ServerResponse, name: string): void {
  const { sendDate } = res
  if (isHttp2(res)) {
    res.removeHeader(name)
  } else {
    const fields = res as unknown as Removed
    const { _removedTE, _removedContLen, _removedConnection } = fields
    res.removeHeader(name)
    Object.assign(fields, { _removedTE, _removedContLen, _removedConnection })
  }
  if (sendDate !== undefined) res.sendDate = sendDate
}

interface Removed {
  _removedTE: boolean
  _removedContLen: boolean
  _removedConnection: boolean
}

interface Fields {
  _header: string | null
  _trailer: string
}

function sentWhileHeld(): boolean {
  return true
}

const http1: Internals = {
  markHeadSent(res) {
    ;(res as unknown as Fields)._header = 'held back'
    // Bun does not compute it from the field.
    if (res.headersSent || Object.hasOwn(res, 'headersSent')) return
    Object.defineProperty(res, 'headersSent', { configurable: true, get: sentWhileHeld })
  },
  markEnded(res) {
    res.finished = true
  },
  unmark(res) {
    ;(res as unknown as Fields)._header = null
    res.finished = false
    const own = Object.getOwnPropertyDescriptor(res, 'headersSent')
    if (own?.get === sentWhileHeld) Reflect.deleteProperty(res, 'headersSent')
  },
  dropTrailers(res) {
    ;(res as unknown as Fields)._trailer = ''
  },
  leaveBody({ req }) {
    // A mock may have no request.
    if (req !== undefined) (req as unknown as { _consuming: boolean })._consuming = false
  },
}

/**
 * Over HTTP/2 these states are getters that read the stream's state, so own properties shadow them.
 */
const http2: Internals = {
  markHeadSent(res) {
    stands(res, 'headersSent', true)
    for (const name of HEADER_SETTERS) stands(res, name, throwHeadersSent)
  },
  markEnded(res) {
    stands(res, 'writableEnded', true)
    stands(res, 'finished', true)
  },
  unmark(res) {
    for (const name of ['headersSent', 'writableEnded', 'finished', ...HEADER_SETTERS]) {
      Reflect.deleteProperty(res, name)
    }
  },
  dropTrailers(res) {
    for (const kind of Object.getOwnPropertySymbols(res)) {
      if (kind.description !== 'trailers') continue
      const trailers = Reflect.get(res, kind) as object
      for (const name of Object.keys(trailers)) Reflect.deleteProperty(trailers, name)
    }
  },
  leaveBody(res) {
    res.once('finish', () => res.req.resume())
  },
}

const HEADER_SETTERS = ['setHeader', 'setHeaders', 'appendHeader', 'removeHeader']

function stands(res: ServerResponse, name: string, value: unknown): void {
  Object.defineProperty(res, name, { configurable: true, writable: true, value })
}

function throwHeadersSent(): never {
  throw Object.assign(new Error('Response has already been initiated.'), {
    code: 'ERR_HTTP2_HEADERS_SENT',
  })
}
