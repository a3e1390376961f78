import { internalsOf } from '@oncekey/node'
import type { FastifyReply } from 'fastify'
import type { Exchange } from './exchange.ts'
import { holdConnection } from './held-connection.ts'

/**
 * While the outcome for a complete response is pending, makes it look sent to its handler:
 * `reply.sent` and `headersSent` are true, and later calls behave as without this plugin.
 */
export function countAsSent(exchange: Exchange, { raw }: FastifyReply): void {
  if (raw.headersSent) return
  const internals = internalsOf(raw)
  internals.markHeadSent(raw)
  internals.markEnded(raw)
  exchange.countsAsSent = true
  holdConnection(raw)
}

/** The outcome has arrived and Fastify should send something. Returns whether it still can. */
export function countAsUnsent(exchange: Exchange, { raw }: FastifyReply): boolean {
  if (exchange.countsAsSent) {
    internalsOf(raw).unmark(raw)
    exchange.countsAsSent = false
  }
  return !raw.headersSent
}
