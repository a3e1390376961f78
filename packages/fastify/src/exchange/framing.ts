import type { OutgoingHttpHeader } from 'node:http'
import { framingHeaders, type HandlerRun } from '@oncekey/core'
import type { FastifyReply } from 'fastify'
import { hasTrailers } from '../reply/reply-trailers.ts'
import type { Exchange } from './exchange.ts'

/**
 * Takes off a reply what the handler said of the message that it is sent as: where it came from an
 * upstream, it is about another one. Fastify tells the length of what it sends, and where that is not
 * known, Node sends chunks. `headers` are the reply's as they are now, and are kept in step: most
 * replies have none of these, and asking the reply for each is dear.
 */
export function frameAnew(
  { run, before }: Exchange,
  reply: FastifyReply,
  headers: Record<string, OutgoingHttpHeader | undefined>,
): void {
  const isBuffered = (run as HandlerRun).maxResponseBytes > 0
  for (const name of isBuffered ? framingHeaders : STREAM_FRAMING) {
    if (headers[name] === undefined) continue
    const outside = before[name]
    if (outside === undefined) drop(name)
    else {
      reply.header(name, outside)
      headers[name] = outside
    }
  }
  const { statusCode } = reply
  // Fastify sends trailers in chunks, and leaves a length where it is.
  const isLengthless = statusCode === 204 || statusCode === 304 || hasTrailers(reply)
  if (isLengthless && headers['content-length'] !== undefined) drop('content-length')

  function drop(name: string): void {
    reply.removeHeader(name)
    delete headers[name]
  }
}

const STREAM_FRAMING: readonly string[] = ['transfer-encoding']
