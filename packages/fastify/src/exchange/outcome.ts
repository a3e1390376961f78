import type { Answer, HandlerRun } from '@oncekey/core'
import { isPromise } from '@oncekey/core/options'
import { closeSource } from '@oncekey/node'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { restoreHeaders } from '../reply/reply-headers.ts'
import { restoreTrailers } from '../reply/reply-trailers.ts'
import { isSent } from '../reply/sends.ts'
import { type Exchange, endExchange } from './exchange.ts'
import { willClose } from './framing.ts'
import { holdRaw } from './raw-response.ts'

/**
 * Handles the ends of a run that produce no payload: the engine gives the handler up, or a handler
 * returns nothing because its client has gone.
 */
export function watchOutcome(
  exchange: Exchange,
  run: HandlerRun,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  run.onInterrupted((answer) => interrupt(exchange, reply, answer))
  reply.raw.on('close', () => {
    if (exchange.phase === 'open') void closed(exchange, run, request, reply)
  })
}

/**
 * Bypasses the hooks, which the handler may be using at this moment. A hijacked reply ignores
 * whatever the handler still sends, and logs it.
 */
function interrupt(exchange: Exchange, reply: FastifyReply, answer: Answer): void {
  exchange.interruption = answer
  if (exchange.phase === 'finishing') stopSource(exchange)
  if (exchange.phase === 'open') {
    // Something wrote through Node methods saved earlier. The connection is cut, because the
    // response it announced was undone.
    if (reply.raw.headersSent) {
      endExchange(exchange)
      reply.raw.destroy()
      return
    }
    reply.hijack()
    holdRaw(exchange, reply)
  }
  if (exchange.phase === 'raw') exchange.held?.replace(answer.response)
}

/** Stops the stream; its remaining data is not needed. */
export function stopSource(exchange: Exchange): void {
  const { source } = exchange
  exchange.source = undefined
  if (source !== undefined) closeSource(source)
}

/**
 * Removes the handler's status and headers from the reply. A connection that was to be closed after
 * it still is.
 */
export function resetReply(exchange: Exchange, reply: FastifyReply): void {
  const closes = willClose(reply)
  restoreHeaders(reply, exchange.before)
  if (closes) reply.header('connection', 'close')
  restoreTrailers(reply, exchange.trailersBefore)
  // HTTP/2 has no reason phrase, and Node warns when it is set.
  if (reply.request.raw.httpVersionMajor < 2) reply.raw.statusMessage = ''
}

/** The client has gone. The handler keeps running and its response is stored. */
async function closed(
  exchange: Exchange,
  run: HandlerRun,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  if (reply.raw.headersSent) {
    endExchange(exchange)
    request.log.warn(
      `${request.method} ${request.originalUrl} was answered by methods of its raw response that were kept from before the handler, so nothing of it was kept`,
    )
    await run.abandon()
    return
  }
  await sendReturned(exchange, reply)
}

/**
 * Sends nothing for an async handler that returns nothing, as Fastify does unless the client has
 * gone. A hijacked reply ends through whoever hijacked it, or by the timeout.
 */
export async function sendReturned(exchange: Exchange, reply: FastifyReply): Promise<void> {
  if (isSent(reply) || !isPromise(exchange.returned)) return
  const returned = await Promise.resolve(exchange.returned).catch(() => FAILED)
  if (returned === undefined && exchange.phase === 'open' && !isSent(reply)) reply.send()
}

const FAILED = Symbol('the handler threw, which Fastify answers')
