import { internalsOf } from '@oncekey/node'
import type { FastifyReply } from 'fastify'
import type { Exchange } from './exchange.ts'

/**
 * While the verdict on a whole response is out it was sent, as far as its handler can see: `reply.sent`
 * and `headersSent` are true, and what is sent or set after it is what it would be without this plugin.
 */
export function countAsSent(exchange: Exchange, { raw }: FastifyReply): void {
  if (raw.headersSent) return
  const internals = internalsOf(raw)
  internals.markHeadSent(raw)
  internals.markEnded(raw)
  exchange.countsAsSent = true
}

/** The verdict is in, and Fastify is to send something. Whether it still can. */
export function countAsUnsent(exchange: Exchange, { raw }: FastifyReply): boolean {
  if (exchange.countsAsSent) {
    internalsOf(raw).unmark(raw)
    exchange.countsAsSent = false
  }
  return !raw.headersSent
}
