import type { IncomingMessage } from 'node:http'
import { type EngineRequest, resolveScope } from '@oncekey/core'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Exchange } from '../exchange/exchange.ts'
import type { KeptBody } from '../request/kept-body.ts'
import { bodyOf } from '../request/request-body.ts'

/** A Fastify request in the engine's words. */
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
    header: (name) => headerLines(raw, name),
    // Only who waits has to know that the client is gone; a signal costs more than all the rest here.
    signal: engine.options.waitMs > 0 ? goneSignal(reply) : undefined,
    fingerprintInput() {
      const contentType = raw.headers['content-type']
      const parts = exchange.chosenBy?.(raw)
      const seen = { method, target, contentType, ...(parts && { parts }) }
      if (fingerprint === undefined) {
        const body = bodyOf(raw, exchange.body as KeptBody)
        return body instanceof Promise
          ? body.then((body) => ({ ...seen, body }))
          : { ...seen, body }
      }
      const body = { kind: 'chosen', value: fingerprint(request) } as const
      return { ...seen, body }
    },
    rawBody: () => bodyOf(raw, exchange.body as KeptBody),
  }
}

/** `headers` of the raw request: those of Fastify's may have been changed by a schema. */
function headerLines({ headers, rawHeaders }: IncomingMessage, name: string): readonly string[] {
  const value = headers[name]
  if (value === undefined) return []
  if (typeof value !== 'string') return value
  // Node joins repeated lines with a comma; telling them apart is dear, so only where it can matter.
  if (!value.includes(',')) return [value]
  return rawHeaders.filter((_, at) => at % 2 === 1 && rawHeaders[at - 1]?.toLowerCase() === name)
}

function goneSignal({ raw }: FastifyReply): AbortSignal {
  const controller = new AbortController()
  raw.once('close', () => controller.abort())
  return controller.signal
}
