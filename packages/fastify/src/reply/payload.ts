import { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import type { FastifyReply } from 'fastify'
import type { Source } from './collect.ts'

/** What reaches `onSend` after serialization. */
export type Payload = string | Buffer | Source | ReadableStream | Response | null | undefined

/** Whether Fastify would send this payload. */
export function isPayload(payload: unknown): payload is Payload {
  if (payload == null || typeof payload === 'string' || Buffer.isBuffer(payload)) return true
  if (isResponse(payload)) return !payload.bodyUsed && !payload.body?.locked
  return isWebStream(payload) ? !payload.locked : isSource(payload)
}

/**
 * Unwraps a payload: moves the parts of a `Response` to the reply, and converts a web stream to a
 * Node stream.
 */
export function unwrapped(payload: Payload, reply: FastifyReply): string | Buffer | Source | null {
  if (payload == null || typeof payload === 'string' || Buffer.isBuffer(payload)) {
    return payload ?? null
  }
  if (isResponse(payload)) {
    reply.code(payload.status)
    for (const [name, value] of payload.headers) reply.header(name, value)
    return unwrapped(payload.body as ReadableStream | null, reply)
  }
  return isWebStream(payload) ? Readable.fromWeb(payload) : payload
}

function isResponse(payload: unknown): payload is Response {
  return Object.prototype.toString.call(payload) === '[object Response]'
}

function isWebStream(payload: unknown): payload is ReadableStream {
  return typeof (payload as ReadableStream).getReader === 'function'
}

/** Whether a payload is a stream, including streams older than `stream.Readable`. */
export function isSource(payload: unknown): payload is Source {
  return typeof (payload as Source | null | undefined)?.pipe === 'function'
}
