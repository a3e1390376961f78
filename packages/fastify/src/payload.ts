import { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import type { FastifyReply } from 'fastify'

/** What reaches `onSend` once everything was serialized. */
export type Payload = string | Buffer | Readable | ReadableStream | Response | null | undefined

/** Whether it is one that Fastify would send. */
export function isPayload(payload: unknown): payload is Payload {
  if (payload == null || typeof payload === 'string' || Buffer.isBuffer(payload)) return true
  if (isResponse(payload)) return !payload.bodyUsed
  return isWebStream(payload) ? !payload.locked : isStream(payload)
}

/** Without its wrappings: the parts of a `Response` on the reply, a web stream as one of Node's. */
export function unwrapped(
  payload: Payload,
  reply: FastifyReply,
): string | Buffer | Readable | null {
  if (payload == null || typeof payload === 'string' || Buffer.isBuffer(payload)) {
    return payload ?? null
  }
  if (isResponse(payload)) {
    reply.code(payload.status)
    for (const [name, value] of payload.headers) reply.header(name, value)
    return unwrapped(payload.body as ReadableStream | null, reply)
  }
  if (isWebStream(payload)) return Readable.fromWeb(payload)
  return Symbol.asyncIterator in payload ? payload : new Readable().wrap(payload)
}

function isResponse(payload: unknown): payload is Response {
  return Object.prototype.toString.call(payload) === '[object Response]'
}

function isWebStream(payload: unknown): payload is ReadableStream {
  return typeof (payload as ReadableStream).getReader === 'function'
}

function isStream(payload: unknown): payload is Readable {
  return typeof (payload as Readable).pipe === 'function'
}
