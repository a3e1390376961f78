import type { OutgoingHttpHeader } from 'node:http'
import { closesConnection, framingHeaders, type HandlerRun } from '@oncekey/core'
import type { FastifyReply } from 'fastify'
import { hasTrailers } from '../reply/reply-trailers.ts'
import type { Exchange } from './exchange.ts'

/**
 * Removes the handler's framing headers. They may come from an upstream and describe its message;
 * Fastify sets the length of what it sends, and otherwise Node sends chunks. Only
 * `Connection: close` stays. `headers` are the reply's current headers and are updated too: most
 * replies have none of these, and querying the reply for each is expensive.
 */
export function frameAnew(
  { run, before }: Exchange,
  reply: FastifyReply,
  headers: Record<string, OutgoingHttpHeader | undefined>,
): void {
  const isBuffered = (run as HandlerRun).maxResponseBytes > 0
  for (const name of isBuffered ? framingHeaders : STREAM_FRAMING) {
    if (headers[name] === undefined) continue
    const sent = name === 'connection' && willClose(reply) ? 'close' : before[name]
    if (sent === undefined) drop(name)
    else {
      reply.header(name, sent)
      headers[name] = sent
    }
  }
  const { statusCode } = reply
  // Fastify sends trailers in chunks but keeps a content length.
  const isLengthless = statusCode === 204 || statusCode === 304 || hasTrailers(reply)
  if (isLengthless && headers['content-length'] !== undefined) drop('content-length')

  function drop(name: string): void {
    reply.removeHeader(name)
    delete headers[name]
  }
}

/** Whether the connection was to be closed after this reply; HTTP/2 has no such header. */
export function willClose(reply: FastifyReply): boolean {
  const isHttp1 = reply.request.raw.httpVersionMajor === 1
  return isHttp1 && closesConnection(reply.getHeader('connection'))
}

const STREAM_FRAMING: readonly string[] = ['transfer-encoding']
