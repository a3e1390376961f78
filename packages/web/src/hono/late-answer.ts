import type { Context } from 'hono'

// biome-ignore lint/suspicious/noExplicitAny: what Hono's own middleware takes: the context of any app
type AnyContext = Context<any>

/**
 * The parts of a context that are guarded against a handler that responds after it was given up.
 */
export interface LateAnswers {
  /** Called when the handler was given up and the context's response is ours. */
  refuse(): void
}

/**
 * Guards the response that replaces a handler that was given up. The handler still runs and shares
 * the context with the middleware outside, which may still be working on the replacement. What the
 * handler did is undone, so nothing of its response may get into the replacement, least of all a
 * login cookie. Hono does not say which of the two sets something, so from `refuse()` on both are
 * restricted:
 *
 * - no cookie, whether by `c.header`, `c.res.headers` or another response;
 * - another response only if it is derived from the current one: from its body, or by code that has
 *   read it, as compressors and entity tags do. A response that `onError` makes of a late error is
 *   not derived from it.
 *
 * Call it before the handler, which may save `c.header` for later.
 */
export function guardLateAnswers(c: AnyContext): LateAnswers {
  const { header } = c
  let isRefusing = false
  c.header = (name, value, options) => {
    if (isRefusing && isCookie(name)) return
    header(name, value, options)
  }
  return {
    refuse() {
      isRefusing = true
      refuseOtherResponses(c)
    },
  }
}

function refuseOtherResponses(c: AnyContext): void {
  const own = ownResponse(c)
  const current = (): Response => own.get.call(c)
  const cookies = current().headers.getSetCookie()
  let { body } = current()
  let isCleared = false

  Object.defineProperty(c, 'res', {
    configurable: true,
    get() {
      const response = current()
      takeNoCookies(response.headers)
      return response
    },
    set(next: Response | undefined) {
      // Setting the response to undefined, to drop its headers, is followed by setting another one.
      if (next === undefined) {
        isCleared = true
        return
      }
      if (!isMadeOf(next, current(), body)) return
      if (isCleared) own.set.call(c, undefined)
      isCleared = false
      const response = new Response(next.body, next)
      response.headers.delete('set-cookie')
      for (const cookie of cookies) response.headers.append('set-cookie', cookie)
      own.set.call(c, response)
      body = current().body
    },
  })
}

/** The accessor of `c.res`: Hono's own, or one that has replaced it. */
export function ownResponse(c: AnyContext): Required<PropertyDescriptor> {
  let hono: object = c
  while (!Object.hasOwn(hono, 'res')) hono = Object.getPrototypeOf(hono)
  return Object.getOwnPropertyDescriptor(hono, 'res') as Required<PropertyDescriptor>
}

/**
 * Whether `next` is derived from `before`. `body` is the body that `before` was set with: cloning
 * gives both the clone and the original new bodies.
 */
export function isMadeOf(next: Response, before: Response, body: Response['body']): boolean {
  if (before.body === null) return next.body === null && next.status === before.status
  return next.body === before.body || before.bodyUsed || before.body.locked || before.body !== body
}

/** Makes a response's headers ignore cookies, whoever holds the response. */
function takeNoCookies(headers: Headers): void {
  if (Object.hasOwn(headers, 'append')) return
  const { append, set } = headers
  Object.assign(headers, {
    append(name: string, value: string) {
      if (!isCookie(name)) append.call(headers, name, value)
    },
    set(name: string, value: string) {
      if (!isCookie(name)) set.call(headers, name, value)
    },
  })
}

function isCookie(name: string): boolean {
  return name.toLowerCase() === 'set-cookie'
}
