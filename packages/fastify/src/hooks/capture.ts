import { closeSource } from '@oncekey/node'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { exchangeOf, leaveBody } from '../exchange/exchange.ts'
import { finish } from '../exchange/finish.ts'
import { exactBody } from '../reply/answer.ts'
import { isPayload, isSource } from '../reply/payload.ts'

type Done = (error?: Error | null, payload?: unknown) => void

/**
 * The last `onSend` hook of a covered route. It holds a response back until the run says that it is
 * on record. As the last hook it sees what the client would get, and the hooks before it are
 * unaffected.
 *
 * While a stream is collected, Fastify considers the reply unsent and sends again, for example what
 * a handler returns or throws after it sent. Such a payload is dropped by never calling `done`: as
 * in plain Fastify, the first one is the response.
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
  } else if (phase === 'unclaimed') {
    // A hook has answered before the claim. The rest of the upload may still be coming.
    leaveBody(exchange)
    done()
  } else if (phase === 'answered' && exchange.answer !== undefined) {
    exchange.phase = 'over'
    // A stream that a hook such as a compressor made is closed, because nobody will read it.
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
    // The request is not covered, or Fastify will reject the payload.
    done()
  }
}

/**
 * Captures the response of a covered request whose handler calls `reply.callNotFound()`. Fastify
 * then runs the hooks of the app's 404 handler, this one among them, and not those of the route.
 * For any other request this hook does nothing.
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

/**
 * Node would send a 1xx status as the whole response, and the client of every replay would wait for
 * the final one.
 */
function informational(status: number): RangeError {
  return new RangeError(
    `${status} cannot be the answer to a covered request. Send hints with reply.raw.writeEarlyHints(), then answer with 200 to 599.`,
  )
}

const SENT_TWICE = 'the reply was sent already; what was sent or thrown after it is ignored'
