import type { IncomingMessage } from 'node:http'
import type { RequestBody } from '@oncekey/core'
import type { NodeRequest } from './read-request.ts'

const rawBodies = new WeakMap<IncomingMessage, Uint8Array>()

/**
 * For `express.json({ verify: keepRawBody })`: the fingerprint is then made of the bytes that came,
 * so that even integers over 2^53 and bodies that a parser would change tell requests apart.
 */
export function keepRawBody(req: IncomingMessage, _res: unknown, bytes: Uint8Array): void {
  rawBodies.set(req, bytes)
}

/** The body as far as it can be seen after the app's parsers ran. */
export function bodyOf(req: NodeRequest): RequestBody {
  if (!hasBody(req)) return { kind: 'none' }
  const bytes = rawBodies.get(req)
  if (bytes !== undefined) return { kind: 'bytes', bytes }
  const { body } = req
  if (body instanceof Uint8Array) return { kind: 'bytes', bytes: body }
  if (typeof body === 'string') return { kind: 'bytes', bytes: new TextEncoder().encode(body) }
  if (body !== undefined && (!isEmptyObject(body) || wasParsed(req))) {
    return { kind: 'parsed', value: body }
  }
  return {
    kind: 'unseen',
    hint: 'Mount express.json() (or the parser for its content type) before idempotency(), or say what counts with `fingerprint: (req) => …`.',
  }
}

/** RFC 9112 section 6.3: a request has a body if it says how long it is, or that it is chunked. */
function hasBody(req: IncomingMessage): boolean {
  if (req.headers['transfer-encoding'] !== undefined) return true
  const length = req.headers['content-length']
  return length !== undefined && length !== '0'
}

/** Express 4's parsers leave an empty object also where they did not parse, and so did not read. */
function wasParsed(req: IncomingMessage): boolean {
  const type = req.headers['content-type'] ?? ''
  return req.readableDidRead && /json|x-www-form-urlencoded/i.test(type)
}

function isEmptyObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0
}
