import type { ServerResponse } from 'node:http'
import { isGone, isHttp2, streamOf } from '../internals/internals.ts'
import type { NativeMethods } from './capture.ts'
import { emitDrain } from './drain.ts'
import { facade } from './facade.ts'

type Method = (...given: unknown[]) => unknown

/**
 * Makes a response ignore everything, because another answer was sent while the handler may still
 * run. Throwing instead would make the framework destroy a connection that may already serve
 * another request.
 *
 * A write returns `false`, and `drain` follows in a later turn of the event loop. So a writer that
 * heeds them gets to its end and gives back what it holds, and one without an end, which only
 * `false` stops, does not keep every other request waiting.
 */
export function deafen(res: ServerResponse): void {
  const methods = res as unknown as Record<string, Method | undefined>
  const drainLater = drainingLater(res)
  const silence = (name: string, isDone: () => boolean) => {
    const method = methods[name]
    if (method === undefined) return
    // Until the answer is written, calls come from a slow middleware mounted outside and are passed
    // on.
    methods[name] = (...given) => (isDone() ? ignore(given, res) : method.apply(res, given))
  }
  const drop: Method = (...given) => {
    drainLater()
    return ignore(given, false)
  }
  for (const name of ['setHeader', 'setHeaders', 'appendHeader', 'removeHeader', 'writeHead']) {
    silence(name, () => res.headersSent)
  }
  for (const name of ['end', 'flushHeaders', 'destroy']) silence(name, () => res.writableEnded)
  const { write } = methods
  methods.write = (...given) =>
    res.writableEnded || isGone(res) ? drop(...given) : write?.apply(res, given)
  fix(res, 'statusCode')
  if (isHttp2(res)) shieldStream(res, drop)
  else shieldConnection(res)
  // What a slow middleware outside was given until then, it has dropped.
  res.once('close', drainLater)
}

/** The methods of a response that ignores everything, and that nobody waits for. */
export const deafMethods: NativeMethods = {
  write: (...given: unknown[]) => ignore(given, false),
  end: ignored,
  writeHead: ignored,
  flushHeaders: ignored,
  destroy: ignored,
} as never

function ignored(this: ServerResponse, ...given: unknown[]): unknown {
  return ignore(given, this)
}

function ignore(given: readonly unknown[], returned: unknown): unknown {
  const callback = given.findLast((argument) => typeof argument === 'function')
  if (callback !== undefined) process.nextTick(callback as () => void)
  return returned
}

/** Emits `drain` once in the next turn of the event loop, however often it is called until then. */
function drainingLater(res: ServerResponse): () => void {
  let isDue = false
  return () => {
    if (isDue) return
    isDue = true
    setImmediate(() => {
      isDue = false
      emitDrain(res)
    })
  }
}

/** Ignores later writes to the property. */
function fix(res: ServerResponse, name: 'statusCode' | 'statusMessage'): void {
  const value = res[name]
  Object.defineProperty(res, name, { configurable: true, get: () => value, set: () => {} })
}

/**
 * Makes the connection ignore calls too, because Express's default error handler destroys
 * `req.socket`.
 */
function shieldConnection(res: ServerResponse): void {
  fix(res, 'statusMessage')
  const { req } = res
  if (!req?.socket) return
  const { socket } = req
  req.socket = facade(socket, { destroy: () => socket })
}

/** Over HTTP/2 only the stream needs shielding; it carries nothing but this response. */
function shieldStream(res: ServerResponse, drop: Method): void {
  const stream = streamOf(res)
  const { destroy, respond, write, end } = stream
  stream.respond = (...given) => {
    if (!stream.headersSent) respond.apply(stream, given)
  }
  stream.write = (...given) =>
    stream.writableEnded ? (drop(...given) as boolean) : write.apply(stream, given)
  stream.end = (...given) => (stream.writableEnded ? stream : end.apply(stream, given))
  stream.destroy = (error) => {
    const isHandlers = error === undefined && !stream.closed && stream.session?.destroyed === false
    return isHandlers && !stream.writableFinished ? stream : destroy.call(stream, error)
  }
}
