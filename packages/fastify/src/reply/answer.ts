import { isUtf8 } from 'node:buffer'
import type { PlainResponse } from '@oncekey/core'
import { sendableLines } from '@oncekey/node'
import type { FastifyReply } from 'fastify'
import { putReason } from './reason-phrase.ts'
import { isAscii, type ReplyHeaders } from './reply-headers.ts'

/**
 * Sets status and headers of a replay or a problem on a reply. Headers set before stay, unless the
 * answer replaces them.
 */
export function putAnswer(reply: FastifyReply, answer: PlainResponse): void {
  reply.code(answer.status)
  putReason(reply, answer)
  const lines = new Map<string, string[]>()
  for (const [name, value, how] of answer.headers) {
    if (value === null) reply.removeHeader(name)
    else if (how === 'added') addLine(reply, name, value)
    else lines.set(name, [...(lines.get(name) ?? []), value])
  }
  for (const [name, recorded] of lines) {
    dropHeader(reply, name)
    const values = sendableLines(reply.raw, name, recorded)
    if (values.length > 0) reply.header(name, values.length === 1 ? values[0] : values)
  }
}

/**
 * Fastify's own removal makes the reply's headers a slow object, even if there is no such header.
 */
function dropHeader(reply: FastifyReply, name: string): void {
  if (reply.hasHeader(name)) reply.removeHeader(name)
}

/**
 * Appends to the lines that are already set. A line that is already there is not repeated, because
 * an answer is set once before the hooks run and once after.
 */
function addLine(reply: FastifyReply, name: string, value: string): void {
  const there = [reply.getHeader(name) ?? []].flat().map(String)
  if (there.includes(value)) return
  reply.removeHeader(name)
  reply.header(name, [...there, value])
}

/** The body as the app's hooks saw it in the first response: text as a string. */
export function bodyOf({ headers, body }: PlainResponse): string | Buffer | null {
  if (body.length === 0) return null
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  const [, type] = headers.find(([name]) => name === 'content-type') ?? []
  return type != null && /json|text|xml/.test(type) && isUtf8(bytes) ? bytes.toString() : bytes
}

/**
 * Restores the stored body after hooks have processed a replay, because they already processed the
 * first response. `before` has the headers set outside the handler.
 */
export function exactBody(
  reply: FastifyReply,
  answer: PlainResponse,
  before: ReplyHeaders,
): string | Buffer | null {
  for (const name of MADE_OF_THE_BODY) {
    if (answer.headers.some(([own]) => own === name)) continue
    const outside = name === 'content-length' ? undefined : before[name]
    if (outside === undefined) dropHeader(reply, name)
    else reply.header(name, outside)
  }
  putAnswer(reply, answer)
  const body = bodyOf(answer)
  // A server may be set to throw for a body that is not sent.
  if (body !== null && reply.request.method === 'HEAD') {
    if (!reply.hasHeader('content-length')) reply.header('content-length', answer.body.length)
    return null
  }
  // With a string body Node encodes the head as UTF-8 too, but stored header values are bytes.
  return typeof body !== 'string' || hasAsciiHead(answer) ? body : Buffer.from(body)
}

function hasAsciiHead({ headers, reason }: PlainResponse): boolean {
  return headers.every(([, value]) => isAscii(value)) && isAscii(reason ?? null)
}

/**
 * Headers that `reply.send` and the app's hooks derive from the body they see, such as a compressor
 * or @fastify/etag. A replay's body is not the one the first response had, which was a stream or
 * bypassed them.
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
