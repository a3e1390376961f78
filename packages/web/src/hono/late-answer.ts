import type { Context } from 'hono'

// biome-ignore lint/suspicious/noExplicitAny: what Hono's own middleware takes: the context of any app
type AnyContext = Context<any>

/** What of a context is guarded against a handler that answers after it was given up. */
export interface LateAnswers {
  /** The handler was given up, and the response of the context is ours. */
  refuse(): void
}

/**
 * A handler that was given up still runs, and shares the context with the middleware outside, which may
 * still be at work on the answer that is sent in its place. What it did is undone, so none of its own
 * response may become that answer, least of all the cookie of a login. Hono does not say who of
 * the two sets something; from `refuse()` on this is taken from both:
 *
 * - no cookie, by `c.header`, by `c.res.headers` or with another response;
 * - another response only where it is made of the one that is there: of its body, or by somebody
 *   who has read it, as compressors and entity tags do. What `onError` makes of a late error is not.
 *
 * To be called before the handler: it may keep `c.header` for later.
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
  let hono: object = c
  while (!Object.hasOwn(hono, 'res')) hono = Object.getPrototypeOf(hono)
  const own = Object.getOwnPropertyDescriptor(hono, 'res') as Required<PropertyDescriptor>
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
      // Who takes the response away, so that no header of it is kept, puts another one there.
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

/** `body` is what `before` was put there with: a clone has another, as has its original from then on. */
function isMadeOf(next: Response, before: Response, body: Response['body']): boolean {
  if (before.body === null) return next.body === null && next.status === before.status
  return next.body === before.body || before.bodyUsed || before.body.locked || before.body !== body
}

/** The headers of a response that is there, in whoever's hands: what they are added is forgotten. */
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
