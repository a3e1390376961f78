import type { Answer, HandlerRun } from '@oncekey/core'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { closeSource } from '../reply/collect.ts'
import { restoreHeaders } from '../reply/reply-headers.ts'
import { restoreTrailers } from '../reply/reply-trailers.ts'
import type { Exchange } from './exchange.ts'
import { holdRaw } from './raw-response.ts'

/**
 * The ends of a run that no payload tells of: the engine gave the handler up; a handler answered
 * nothing to a client that had gone.
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
 * Written past the hooks, which the handler may be using at this moment: a hijacked reply ignores
 * whatever it still sends, and says so in the log.
 */
function interrupt(exchange: Exchange, reply: FastifyReply, answer: Answer): void {
  exchange.interruption = answer
  if (exchange.phase === 'finishing') stopSource(exchange)
  if (exchange.phase === 'open') {
    // Written by something that kept Node's methods from before: cut off, because what it says was undone.
    if (reply.raw.headersSent) {
      exchange.phase = 'over'
      reply.raw.destroy()
      return
    }
    reply.hijack()
    holdRaw(exchange, reply)
  }
  if (exchange.phase === 'raw') exchange.held?.replace(answer.response)
}

/** What its stream still holds is worth nothing. */
export function stopSource(exchange: Exchange): void {
  const { source } = exchange
  exchange.source = undefined
  if (source !== undefined) closeSource(source)
}

/** Nothing of the handler's response stays on the reply. */
export function resetReply(exchange: Exchange, reply: FastifyReply): void {
  restoreHeaders(reply, exchange.before)
  restoreTrailers(reply, exchange.trailersBefore)
  // HTTP/2 has no such thing, and Node warns who touches it.
  if (reply.request.raw.httpVersionMajor < 2) reply.raw.statusMessage = ''
}

/**
 * The handler goes on, and its response is kept. Fastify does not send `undefined` to a client that
 * has gone, so that is done here. What was hijacked is answered by whoever did it, or in time.
 */
async function closed(
  exchange: Exchange,
  run: HandlerRun,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  if (reply.raw.headersSent) {
    exchange.phase = 'over'
    request.log.warn(
      `${request.method} ${request.originalUrl} was answered by methods of its raw response that were kept from before the handler, so nothing of it was kept`,
    )
    await run.abandon()
    return
  }
  if (reply.sent || !isPromise(exchange.returned)) return
  const returned = await Promise.resolve(exchange.returned).catch(() => FAILED)
  if (returned === undefined && exchange.phase === 'open' && !reply.sent) reply.send()
}

const FAILED = Symbol('the handler threw, which Fastify answers')

function isPromise(value: unknown): boolean {
  return typeof (value as Promise<unknown> | undefined)?.then === 'function'
}
