import type { Answer, Run } from '@oncekey/core'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { exactBody } from './answer.ts'
import { closeSource } from './collect.ts'
import type { Exchange } from './exchange.ts'
import { restoreHeaders } from './reply-headers.ts'
import { restoreTrailers } from './reply-trailers.ts'

/**
 * The ends of a run that no payload tells of: the engine gave the handler up; the response was
 * written past Fastify; a handler answered nothing to a client that had gone.
 */
export function watchOutcome(
  exchange: Exchange,
  run: Run,
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
  if (exchange.phase === 'settling') stopSource(exchange)
  if (exchange.phase !== 'open') return
  exchange.phase = 'over'
  // The handler is writing it past Fastify: cut off, because what it says was undone.
  if (reply.sent || reply.raw.headersSent) return void reply.raw.destroy()

  reply.hijack()
  resetReply(exchange, reply)
  const body = exactBody(reply, answer.response, exchange.before) ?? ''
  reply.raw.writeHead(answer.response.status, {
    ...(reply.getHeaders() as Record<string, string>),
    'content-length': Buffer.byteLength(body),
  })
  reply.raw.end(body)
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

async function closed(
  exchange: Exchange,
  run: Run,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  if (reply.sent || reply.raw.headersSent) {
    exchange.phase = 'over'
    request.log.warn(
      `${request.method} ${request.originalUrl} was answered through reply.raw or after reply.hijack(), so nothing of it was kept`,
    )
    await run.abandon()
    return
  }
  // The handler goes on, and its response is kept. Fastify sends what it returns, but not `undefined`.
  const returned = await Promise.resolve(exchange.returned).catch(() => FAILED)
  if (isPromise(exchange.returned) && returned === undefined && exchange.phase === 'open')
    reply.send()
}

const FAILED = Symbol('the handler threw, which Fastify answers')

function isPromise(value: unknown): boolean {
  return typeof (value as Promise<unknown> | undefined)?.then === 'function'
}
