import type { IncomingMessage } from 'node:http'
import {
  type EngineRequest,
  type FingerprintInput,
  type RequestBody,
  resolveScope,
} from '@oncekey/core'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Exchange } from './exchange.ts'
import { isWhole, type KeptBody, keptBytes } from './kept-body.ts'

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
    header: (name) => headerLines(raw, name),
    // Only who waits has to know that the client is gone; a signal costs more than all the rest here.
    signal: engine.options.waitMs > 0 ? goneSignal(reply) : undefined,
    fingerprintInput() {
      const contentType = raw.headers['content-type']
      if (fingerprint === undefined) {
        return { method, target, contentType, body: bodyOf(raw, exchange.body) }
      }
      return chosen({ method, target, contentType }, fingerprint(request))
    },
  }
}

async function chosen(
  input: Omit<FingerprintInput, 'body'>,
  value: unknown,
): Promise<FingerprintInput> {
  return { ...input, body: { kind: 'chosen', value: await value } }
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

function bodyOf(raw: IncomingMessage, kept: KeptBody | undefined): RequestBody {
  if (kept !== undefined && isWhole(kept)) return { kind: 'bytes', bytes: keptBytes(kept) }
  if (!hasBody(raw) && !kept?.size) return { kind: 'none' }
  return {
    kind: 'unseen',
    hint: 'The parser of its content type had not read it when the handler was to run; say what counts with `fingerprint: (request) => …`.',
  }
}

/** RFC 9112 section 6.3: a request has a body if it says how long it is, or that it is chunked. */
function hasBody({ headers }: IncomingMessage): boolean {
  if (headers['transfer-encoding'] !== undefined) return true
  const length = headers['content-length']
  return length !== undefined && length !== '0'
}
