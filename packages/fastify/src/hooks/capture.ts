import type { FastifyReply, FastifyRequest } from 'fastify'
import { exchangeOf } from '../exchange/exchange.ts'
import { finish } from '../exchange/finish.ts'
import { exactBody } from '../reply/answer.ts'
import { closeSource } from '../reply/collect.ts'
import { isPayload, isSource } from '../reply/payload.ts'

type Done = (error?: Error | null, payload?: unknown) => void

/**
 * The last `onSend` of a covered route: holds a response back until the run says that it is on
 * record. Being the last, it sees what the client is to get, and every other hook sees what it would
 * see without this plugin.
 *
 * While a stream is collected, Fastify takes the reply for unsent, and sends again: what a handler
 * returns after it sent, an error it throws then. Such a payload is dropped here, by never calling
 * `done`: the first one was the response, as it is without this plugin.
 */
export function capture(
  request: FastifyRequest,
  reply: FastifyReply,
  payload: unknown,
  done: Done,
): void {
  const exchange = exchangeOf(request)
  const phase = exchange?.phase
  if (exchange === null) {
    done()
  } else if (phase === 'answered' && exchange.answer !== undefined) {
    exchange.phase = 'over'
    // What hooks made of it, such as a compressor, is not read.
    if (isSource(payload)) closeSource(payload)
    done(null, exactBody(reply, exchange.answer, exchange.before))
  } else if (phase === 'open' && reply.statusCode < 200) {
    const error = informational(reply.statusCode)
    reply.code(500)
    done(error)
  } else if (phase === 'open' && !reply.raw.headersSent && isPayload(payload)) {
    finish(exchange, reply, payload, done)
  } else if (phase === 'finishing') {
    if (payload !== undefined) reply.log.warn(SENT_TWICE)
  } else if (phase !== 'over' || !reply.raw.headersSent) {
    // Not covered, or one for Fastify to find an error in.
    done()
  }
}

/**
 * `callNotFound()` goes on under the hooks of the app's 404 handler, where a route's own are not
 * among them. Nowhere else does this one do anything.
 */
export function captureNotFound(
  request: FastifyRequest,
  reply: FastifyReply,
  payload: unknown,
  done: Done,
): void {
  if (exchangeOf(request) !== null && request.is404) capture(request, reply, payload, done)
  else done()
}

/** Node would send it and no other, and the client, and every replay, would wait for the one to come. */
function informational(status: number): RangeError {
  return new RangeError(
    `${status} cannot be the answer to a covered request. Send hints with reply.raw.writeEarlyHints(), then answer with 200 to 599.`,
  )
}

const SENT_TWICE = 'the reply was sent already; what was sent or thrown after it is ignored'
