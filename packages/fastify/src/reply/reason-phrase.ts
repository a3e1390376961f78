import { STATUS_CODES } from 'node:http'
import type { PlainResponse } from '@oncekey/core'
import type { FastifyReply } from 'fastify'

/**
 * The reason phrase, where the handler gave one of its own through `reply.raw`. As the bytes that
 * leave: beside a string Node writes the head as UTF-8. HTTP/2 has no such thing, and Node warns who
 * touches it.
 */
export function reasonOf(
  { raw, request, statusCode }: FastifyReply,
  payload: unknown,
): Pick<PlainResponse, 'reason'> {
  const reason = request.raw.httpVersionMajor < 2 ? raw.statusMessage : ''
  if (!reason || reason === STATUS_CODES[statusCode]) return {}
  return { reason: typeof payload === 'string' ? Buffer.from(reason).toString('latin1') : reason }
}

/** Puts it on a reply. */
export function putReason({ raw, request }: FastifyReply, { reason }: PlainResponse): void {
  if (reason !== undefined && request.raw.httpVersionMajor < 2) raw.statusMessage = reason
}
