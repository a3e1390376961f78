import { warnOnce } from '@oncekey/core'
import type { Context } from 'hono'
import { isMadeOf, ownResponse } from './late-answer.ts'

// biome-ignore lint/suspicious/noExplicitAny: what Hono's own middleware takes: the context of any app
type AnyContext = Context<any>

/**
 * Keeps middleware outside from making a success of a request that was undone or never ran. It may
 * not know: one that answers with what a handler left in `c.set` would tell the client of an order
 * that is not in the database. Refused is a response below 400 that is not derived from the current
 * one, from its body or by code that has read it. Another error is allowed, and so is an envelope
 * of status 200 around the problem.
 */
export function refuseSuccess(c: AnyContext): void {
  const own = ownResponse(c)
  const current = (): Response => own.get.call(c)
  let { body } = current()
  let isCleared = false
  Object.defineProperty(c, 'res', {
    configurable: true,
    get: current,
    set(next: Response | undefined) {
      // Setting the response to undefined, to drop its headers, is followed by setting another one.
      if (next === undefined) {
        isCleared = true
        return
      }
      if (next.status < 400 && !isMadeOf(next, current(), body)) {
        warnOnce('success-refused', SUCCESS_REFUSED)
        return
      }
      if (isCleared) own.set.call(c, undefined)
      isCleared = false
      own.set.call(c, next)
      body = current().body
    },
  })
}

/** Does so from the next response on, which is what `app.onError` makes of the error. */
export function refuseSuccessAfterError(c: AnyContext): void {
  const own = ownResponse(c)
  Object.defineProperty(c, 'res', {
    configurable: true,
    get: () => own.get.call(c),
    set(next: Response | undefined) {
      own.set.call(c, next)
      if (next === undefined) return
      Reflect.deleteProperty(c, 'res')
      refuseSuccess(c)
    },
  })
}

const SUCCESS_REFUSED =
  'A middleware outside of idempotency() set c.res to a success, although the request had failed: it was undone, or its handler never ran. Its response was not sent. Let handlers return their response. To map a problem to another answer, read its body first (await c.res.json()), or use problemStatus. Said once.'
