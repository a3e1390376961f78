import type { ServerResponse } from 'node:http'

type Method = (...given: unknown[]) => unknown

/**
 * Another answer was sent, and the handler may still be at work: whatever it does from here on is
 * silently nothing. An error would go to Express, which would destroy a connection that by then
 * serves another request.
 */
export function deafen(res: ServerResponse): void {
  const methods = res as unknown as Record<string, Method>
  const silence = (name: string, isDone: () => boolean) => {
    const method = methods[name] as Method
    // Until it is done the caller is a middleware mounted outside that took its time.
    methods[name] = (...given) => (isDone() ? ignore(res, given) : method.apply(res, given))
  }
  for (const name of ['setHeader', 'setHeaders', 'appendHeader', 'removeHeader', 'writeHead']) {
    silence(name, () => res.headersSent)
  }
  for (const name of ['write', 'end', 'flushHeaders', 'destroy']) {
    silence(name, () => res.writableEnded)
  }
  const { statusCode, statusMessage } = res
  Object.defineProperties(res, {
    statusCode: { configurable: true, get: () => statusCode, set: () => {} },
    statusMessage: { configurable: true, get: () => statusMessage, set: () => {} },
  })
  shieldConnection(res)
}

/** Truthy, so that no writer waits for `drain`; callbacks are called. */
function ignore(res: ServerResponse, given: readonly unknown[]): unknown {
  const callback = given.findLast((argument) => typeof argument === 'function')
  if (callback !== undefined) process.nextTick(callback as () => void)
  return res
}

/** What Express's last error handler destroys is `req.socket`. */
function shieldConnection({ req }: ServerResponse): void {
  const { socket } = req
  req.socket = new Proxy(socket, {
    get(target, name) {
      if (name === 'destroy') return () => target
      const value = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
