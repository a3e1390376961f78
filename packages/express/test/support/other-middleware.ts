import type { ServerResponse } from 'node:http'
import type { RequestHandler, Response } from 'express'

/** Works like `on-headers`, which sessions, cookies and response timers use. */
function onHead(res: ServerResponse, listener: () => void): void {
  const { writeHead } = res
  let isFired = false
  res.writeHead = function (this: ServerResponse, ...given: never[]) {
    if (!isFired) {
      isFired = true
      listener()
    }
    return writeHead.apply(this, given as never)
  } as never
}

let visits = 0

/** Sets a cookie when the head is written, and holds `end` back until the session is saved. */
export const session: RequestHandler = (_, res, next) => {
  onHead(res, () => {
    visits += 1
    res.append('Set-Cookie', `visit=${visits}`)
  })
  const { write, end } = res
  let isEnded = false
  res.end = function (this: Response, chunk?: unknown, encoding?: unknown) {
    if (isEnded) return false
    isEnded = true
    // express-session reads this field.
    if ((res as unknown as { _header: unknown })._header === null) res.writeHead(res.statusCode)
    if (chunk) write.call(res, chunk, encoding as never)
    setTimeout(() => end.call(res, undefined, 'utf8'), 5)
    return true
  } as never
  next()
}

/** The other common way to wait in `end`: restore it, then call it on the response. */
export const slowEnd: RequestHandler = (_, res, next) => {
  const { end } = res
  res.end = ((...given: unknown[]) => {
    res.end = end
    setTimeout(() => res.end(...(given as [])), 5)
    return res
  }) as never
  next()
}

export const responseTime: RequestHandler = (_, res, next) => {
  const startedAt = performance.now()
  onHead(res, () => void res.setHeader('X-Response-Time', `${performance.now() - startedAt}ms`))
  next()
}
