import { framingHeaders, type Run } from '@oncekey/core'
import type { FastifyReply } from 'fastify'
import type { Exchange } from './exchange.ts'
import { hasTrailers } from './reply-trailers.ts'

/**
 * Takes off a reply what the handler said of the message that it is sent as: where it came from an
 * upstream, it is about another one. Fastify tells the length of what it sends, and where that is not
 * known, Node sends chunks.
 */
export function frameAnew({ run, before }: Exchange, reply: FastifyReply): void {
  const isBuffered = (run as Run).maxResponseBytes > 0
  for (const name of isBuffered ? framingHeaders : ['transfer-encoding']) {
    if (!reply.hasHeader(name)) continue
    const outside = before[name]
    if (outside === undefined) reply.removeHeader(name)
    else reply.header(name, outside)
  }
  const { statusCode } = reply
  // Fastify sends trailers in chunks, and leaves a length where it is.
  if (statusCode === 204 || statusCode === 304 || hasTrailers(reply)) {
    reply.removeHeader('content-length')
  }
}
