import type { ServerResponse } from 'node:http'
import { isHttp2, streamOf } from '../internals/internals.ts'
import { facade } from './facade.ts'

type Method = (...given: unknown[]) => unknown

/**
 * Makes a response ignore everything, because another answer was sent while the handler may still
 * run. Throwing instead would make the framework destroy a connection that may already serve
 * another request.
 */
export function deafen(res: ServerResponse): void {
  const methods = res as unknown as Record<string, Method | undefined>
  const silence = (name: string, isDone: () => boolean) => {
    const method = methods[name]
    if (method === undefined) return
    // Until the answer is written, calls come from a slow middleware mounted outside and are passed
    // on.
    methods[name] = (...given) => (isDone() ? ignore(res, given) : method.apply(res, given))
  }
  for (const name of ['setHeader', 'setHeaders', 'appendHeader', 'removeHeader', 'writeHead']) {
    silence(name, () => res.headersSent)
  }
  for (const name of ['write', 'end', 'flushHeaders', 'destroy']) {
    silence(name, () => res.writableEnded)
  }
  fix(res, 'statusCode')
  if (isHttp2(res)) shieldStream(res)
  else shieldConnection(res)
}

/** Returns true, so that no writer waits for `drain`, and calls callbacks. */
function ignore(res: ServerResponse, given: readonly unknown[]): unknown {
  const callback = given.findLast((argument) => typeof argument === 'function')
  if (callback !== undefined) process.nextTick(callback as () => void)
  return res
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
function shieldStream(res: ServerResponse): void {
  const stream = streamOf(res)
  const { destroy, respond, write, end } = stream
  stream.respond = (...given) => {
    if (!stream.headersSent) respond.apply(stream, given)
  }
  stream.write = (...given) => (stream.writableEnded ? true : write.apply(stream, given))
  stream.end = (...given) => (stream.writableEnded ? stream : end.apply(stream, given))
  stream.destroy = (error) => {
    const isHandlers = error === undefined && !stream.closed && stream.session?.destroyed === false
    return isHandlers && !stream.writableFinished ? stream : destroy.call(stream, error)
  }
}
