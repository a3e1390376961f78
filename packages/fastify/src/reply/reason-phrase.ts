import { STATUS_CODES } from 'node:http'
import type { PlainResponse } from '@oncekey/core'
import type { FastifyReply } from 'fastify'

/**
 * The reason phrase, if the handler set one through `reply.raw`, as the bytes that are sent: with a
 * string body Node encodes the head as UTF-8. HTTP/2 has no reason phrase, and Node warns when it
 * is read.
 */
export function reasonOf(
  { raw, request, statusCode }: FastifyReply,
  payload: unknown,
): string | undefined {
  const reason = request.raw.httpVersionMajor < 2 ? raw.statusMessage : ''
  if (!reason || reason === STATUS_CODES[statusCode]) return undefined
  return typeof payload === 'string' ? Buffer.from(reason).toString('latin1') : reason
}

/** Sets the reason phrase of a reply. */
export function putReason({ raw, request }: FastifyReply, { reason }: PlainResponse): void {
  if (reason !== undefined && request.raw.httpVersionMajor < 2) raw.statusMessage = reason
}
