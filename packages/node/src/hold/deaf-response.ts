import type { ServerResponse } from 'node:http'
import { isHttp2, streamOf } from '../internals/internals.ts'
import { facade } from './facade.ts'

type Method = (...given: unknown[]) => unknown

/**
 * Another answer was sent, and the handler may still be at work: whatever it does from here on is
 * silently nothing. An error would go to the framework, which would destroy a connection that by then
 * serves another request.
 */
export function deafen(res: ServerResponse): void {
  const methods = res as unknown as Record<string, Method | undefined>
  const silence = (name: string, isDone: () => boolean) => {
    const method = methods[name]
    if (method === undefined) return
    // Until it is done the caller is a middleware mounted outside that took its time.
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

/** Truthy, so that no writer waits for `drain`; callbacks are called. */
function ignore(res: ServerResponse, given: readonly unknown[]): unknown {
  const callback = given.findLast((argument) => typeof argument === 'function')
  if (callback !== undefined) process.nextTick(callback as () => void)
  return res
}

/** What is written to the property from here on is forgotten. */
function fix(res: ServerResponse, name: 'statusCode' | 'statusMessage'): void {
  const value = res[name]
  Object.defineProperty(res, name, { configurable: true, get: () => value, set: () => {} })
}

/** What Express's last error handler destroys is `req.socket`. */
function shieldConnection(res: ServerResponse): void {
  fix(res, 'statusMessage')
  const { req } = res
  if (!req?.socket) return
  const { socket } = req
  req.socket = facade(socket, { destroy: () => socket })
}

/** Over HTTP/2 that is the stream, and nothing but this response is on it. */
function shieldStream(res: ServerResponse): void {
  const stream = streamOf(res)
  const { destroy } = stream
  stream.destroy = (error) => {
    const isHandlers = error === undefined && !stream.closed && stream.session?.destroyed === false
    return isHandlers && !stream.writableFinished ? stream : destroy.call(stream, error)
  }
}
