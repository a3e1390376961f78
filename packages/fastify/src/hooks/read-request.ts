import { type EngineRequest, type RequestBody, resolveScope } from '@oncekey/core'
import { arrivedOf, goneSignal, headerLines, isUnread } from '@oncekey/node'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Exchange } from '../exchange/exchange.ts'
import { comparedBody, receivedBody } from '../request/request-body.ts'

/** Converts a Fastify request for the engine. */
export function readRequest(
  exchange: Exchange,
  request: FastifyRequest,
  reply: FastifyReply,
): EngineRequest {
  const { engine, scope, fingerprint } = exchange.coverage
  const { method, originalUrl: target, raw } = request
  return {
    method,
    target,
    scope: resolveScope(scope, request),
    native: request,
    route: () => request.routeOptions.url,
    // Of the raw request, because a schema may have changed Fastify's headers.
    header: (name) => headerLines(raw, name),
    // Without a `fingerprint` the body was compared, so it has come as a whole.
    arrived: fingerprint && (() => arrivedOf(raw)),
    // Only a waiting request needs the signal, which costs more than everything else here.
    signal: engine.options.waitMs > 0 ? goneSignal(reply.raw) : undefined,
    fingerprintInput() {
      const contentType = raw.headers['content-type']
      const parts = exchange.chosenBy?.(raw)
      const withBody = (body: RequestBody) => ({ method, target, contentType, parts, body })
      if (fingerprint !== undefined) {
        const value = fingerprint(request)
        return withBody({ kind: 'chosen', value, isUnread: () => nobodyRead(exchange, reply) })
      }
      const body = comparedBody(raw, reply.raw, exchange.body)
      return body instanceof Promise ? body.then(withBody) : withBody(body)
    },
    rawBody: () => receivedBody(raw, reply.raw, exchange.body),
  }
}

/** Whether there is a body of which nobody has read anything. */
async function nobodyRead({ body: kept }: Exchange, reply: FastifyReply): Promise<boolean> {
  const { raw } = reply.request
  if (kept === undefined) return isUnread(raw, reply.raw)
  return kept.size === 0 && (await comparedBody(raw, reply.raw, kept)).kind === 'unseen'
}
