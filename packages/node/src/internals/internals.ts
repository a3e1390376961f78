import type { IncomingMessage, ServerResponse } from 'node:http'

/**
 * Every field and method of Node's own that its documentation does not promise is touched in this
 * file. Node, Express and most middleware tell by them how far a response is; setting them makes
 * `headersSent`, `writableEnded`, and the errors of late `setHeader` and `write` calls what they
 * would be had the bytes left, for those who ask and for those who look (`on-headers`, sessions).
 */
export interface Internals {
  /** From here on the head counts as sent. */
  markHeadSent(res: ServerResponse): void
  /** From here on the response counts as ended. */
  markEnded(res: ServerResponse): void
  /** Nothing was sent after all. */
  unmark(res: ServerResponse): void
  /** Forgets what `addTrailers` was given. */
  dropTrailers(res: ServerResponse): void
}

/** Those of HTTP/1, or those of the compatibility layer of `node:http2`. */
export function internalsOf(res: ServerResponse): Internals {
  return isHttp2(res) ? http2 : http1
}

/** Told by the request, because an import of `node:http2` is slow to load. */
export function isHttp2(res: ServerResponse): boolean {
  return res.req?.httpVersionMajor >= 2
}

/** Whether the client of a response is gone. */
export function isGone(res: ServerResponse): boolean {
  if (!isHttp2(res)) return res.destroyed
  const { closed, destroyed } = streamOf(res)
  return closed || destroyed
}

/** Whether all of a request has come, read or not. `readableEnded` says that it was read, too. */
export function hasEnded(req: IncomingMessage): boolean {
  return (req as unknown as { _readableState: { ended: boolean } })._readableState.ended
}

/**
 * Sends `100 Continue` to a client that waits for it before it sends its body. Node has sent it unless
 * the app listens to `checkContinue`.
 */
export function askForBody(req: IncomingMessage, res: ServerResponse): void {
  const internal = res as unknown as { _sent100?: boolean }
  if (req.headers.expect === undefined || internal._sent100 || isHttp2(res)) return
  if (/100-continue/i.test(req.headers.expect)) res.writeContinue()
}

/** What is used of a stream of `node:http2`. */
export interface Http2Stream {
  readonly closed: boolean
  readonly destroyed: boolean
  readonly writableEnded: boolean
  readonly writableFinished: boolean
  readonly session: { readonly destroyed: boolean } | undefined
  destroy(error?: Error): unknown
  close(code?: number, callback?: () => void): void
}

/** The stream of a response over HTTP/2. */
export function streamOf(res: ServerResponse): Http2Stream {
  return (res as unknown as { stream: Http2Stream }).stream
}

/** Where `write`, `end` and `flushHeaders` of Node pass bytes on, each with the framing of its response. */
export type Send = (data: string | Uint8Array, encoding?: unknown, callback?: unknown) => boolean

/**
 * Puts `send` in the way of what Node's own methods pass on. Somebody may have kept those methods
 * from before the response was held: a logger, a timeout, a transport. Returns what takes it away
 * again, or `undefined` where there is no such place (HTTP/2, mocks).
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

/** Whether a callback is the one by which `end` of Node tells that all has left; Node 24 gives it with the last bytes. */
export function isFinish(callback: unknown): boolean {
  return typeof callback === 'function' && callback.name === 'bound onFinish'
}

/**
 * Removes a header as if it had never been set. Node remembers which of these were removed, and then
 * leaves out what it would have said itself: the chunks, the length, the connection, the date.
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

const http1: Internals = {
  markHeadSent(res) {
    ;(res as unknown as Fields)._header = 'held back'
  },
  markEnded(res) {
    res.finished = true
  },
  unmark(res) {
    ;(res as unknown as Fields)._header = null
    res.finished = false
  },
  dropTrailers(res) {
    ;(res as unknown as Fields)._trailer = ''
  },
}

/** There they are getters of the stream's state, so own properties stand before them. */
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
