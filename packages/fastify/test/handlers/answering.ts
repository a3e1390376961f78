import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FastifyReply, RouteHandlerMethod, RouteShorthandOptions } from 'fastify'

/** A handler that responds in one of the ways Fastify supports. */
export interface Answering {
  readonly handler: RouteHandlerMethod
  readonly route?: RouteShorthandOptions
  /** The client gets no complete response. */
  readonly breaks?: true
  /** Needs a plugin or a feature that only Fastify 5 has. */
  readonly only5?: true
  /** Node and Fastify refuse to send the head, and leave parts of it behind. */
  readonly refused?: true
}

export const folder = mkdtempSync(join(tmpdir(), 'oncekey-fastify-'))
writeFileSync(join(folder, 'file.txt'), 'a file\n')

/** What a handler sees of its own reply. */
export const seen: unknown[] = []

export const look = ({ sent, raw }: FastifyReply) => {
  const { headersSent, writableEnded } = raw
  seen.push({ sent, headersSent, writableEnded })
}

export const later = () => new Promise((resolve) => setTimeout(resolve, 5))
export const soon = () => new Promise((resolve) => setImmediate(resolve))
export const bytes = Buffer.from([0, 255, 254, 10, 128])

export const fails = async () => {
  throw Object.assign(new Error('a hook'), { statusCode: 400 })
}

export const sending = (payload: () => unknown): RouteHandlerMethod =>
  async function sending(_request, reply) {
    return reply.type('text/plain').send(payload())
  }

export type Table = Record<string, RouteHandlerMethod | Answering>
