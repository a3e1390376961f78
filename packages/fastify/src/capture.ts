import type { FastifyReply, FastifyRequest } from 'fastify'
import { exactBody } from './answer.ts'
import { type Exchange, exchangeOf } from './exchange.ts'
import { isPayload } from './payload.ts'
import { settle } from './settle.ts'

/**
 * `onSend`: holds a response back until the run says that it is on record.
 *
 * While the verdict is out, Fastify takes the reply for unsent, and sends again: what a handler
 * returns after it sent, an error it throws then. Such a payload is dropped here, by never calling
 * `done`: the first one was the response, as it is without this plugin.
 */
export function capture(
  request: FastifyRequest,
  reply: FastifyReply,
  payload: unknown,
  done: (error?: Error | null, payload?: unknown) => void,
): Promise<unknown> | undefined {
  const exchange = exchangeOf(request)
  const phase = exchange?.phase
  if (phase === 'answered' && exchange?.answer !== undefined) {
    exchange.phase = 'over'
    done(null, exactBody(reply, exchange.answer))
  } else if (phase === 'open' && !reply.raw.headersSent && isPayload(payload)) {
    return settle(exchange as Exchange, reply, payload, done)
  } else if (phase === 'settling') {
    if (payload !== undefined) reply.log.warn(SENT_TWICE)
  } else if (phase !== 'over' || !reply.raw.headersSent) {
    // Not covered, or an error of a later hook, or one for Fastify to find in what was sent.
    done()
  }
  return undefined
}

const SENT_TWICE = 'the reply was sent already; what was sent or thrown after it is ignored'
