import { isUtf8 } from 'node:buffer'
import type { PlainResponse } from '@oncekey/core'
import type { FastifyReply } from 'fastify'
import { putReason } from './reason-phrase.ts'
import { isAscii, type ReplyHeaders } from './reply-headers.ts'

/** Puts status and headers of a replay or a problem on a reply. Headers that were set before stay, unless it changes them. */
export function putAnswer(reply: FastifyReply, answer: PlainResponse): void {
  reply.code(answer.status)
  putReason(reply, answer)
  const lines = new Map<string, string[]>()
  for (const [name, value, how] of answer.headers) {
    if (value === null) reply.removeHeader(name)
    else if (how === 'added') addLine(reply, name, value)
    else lines.set(name, [...(lines.get(name) ?? []), value])
  }
  for (const [name, values] of lines) {
    reply.removeHeader(name)
    reply.header(name, values.length === 1 ? values[0] : values)
  }
}

/** Beside what is set already; an answer is put on a reply before hooks see it, and once more after. */
function addLine(reply: FastifyReply, name: string, value: string): void {
  const there = [reply.getHeader(name) ?? []].flat().map(String)
  if (there.includes(value)) return
  reply.removeHeader(name)
  reply.header(name, [...there, value])
}

/** The body as the first response was when hooks of the app saw it: text as a string. */
export function bodyOf({ headers, body }: PlainResponse): string | Buffer | null {
  if (body.length === 0) return null
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  const [, type] = headers.find(([name]) => name === 'content-type') ?? []
  return type != null && /json|text|xml/.test(type) && isUtf8(bytes) ? bytes.toString() : bytes
}

/**
 * Past whatever hooks made of it on its way here: they made it once already, of the first response.
 * `before`: the headers that were set outside the handler.
 */
export function exactBody(
  reply: FastifyReply,
  answer: PlainResponse,
  before: ReplyHeaders,
): string | Buffer | null {
  for (const name of MADE_OF_THE_BODY) {
    if (answer.headers.some(([own]) => own === name)) continue
    const outside = name === 'content-length' ? undefined : before[name]
    if (outside === undefined) reply.removeHeader(name)
    else reply.header(name, outside)
  }
  putAnswer(reply, answer)
  const body = bodyOf(answer)
  // Node writes the head in the encoding of the body that comes with it. Stored values are bytes.
  return typeof body !== 'string' || hasAsciiHead(answer) ? body : Buffer.from(body)
}

function hasAsciiHead({ headers, reason }: PlainResponse): boolean {
  return headers.every(([, value]) => isAscii(value)) && isAscii(reason ?? null)
}

/**
 * What `reply.send` and hooks of the app add for the body they see: a compressor, @fastify/etag. It is not
 * the one that the first answer was made of: that was a stream, or written past them.
 */
export const MADE_OF_THE_BODY: readonly string[] = [
  'content-type',
  'content-encoding',
  'content-length',
  'transfer-encoding',
  'etag',
  'content-digest',
  'repr-digest',
  'digest',
  'content-md5',
]
