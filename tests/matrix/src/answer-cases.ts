import type { ServerResponse } from 'node:http'
import { pipeline, Readable } from 'node:stream'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'

/** An answer of a handler, described once for all adapters. */
export interface AnswerCase {
  readonly name: string
  readonly method?: 'POST' | 'HEAD'
  /** Sends it through the framework. */
  readonly reply?: CaseReply
  /** Writes it to Node's own response, around the framework. */
  readonly raw?: (res: ServerResponse) => void
}

export interface CaseReply {
  readonly status?: number
  readonly headers?: readonly (readonly [name: string, value: string])[]
  readonly body?: Buffer
  /** The body in the pieces in which it is sent, instead of `body`. */
  readonly pieces?: readonly Buffer[]
}

const TEXT = JSON.stringify({ text: 'grüße, 北京 '.repeat(20) })
const json = [['content-type', 'application/json']] as const
const bytes = [['content-type', 'application/octet-stream']] as const
const coded = (coding: string) => [...json, ['content-encoding', coding]] as const
const every = Buffer.from(Array.from({ length: 256 }, (_, value) => value))

const bodies: readonly AnswerCase[] = [
  { name: 'no body with 200', reply: { status: 200 } },
  { name: 'no body with 204', reply: { status: 204 } },
  { name: 'JSON', reply: { status: 201, headers: json, body: Buffer.from(TEXT) } },
  { name: 'every byte', reply: { headers: bytes, body: every } },
  { name: 'a megabyte', reply: { headers: bytes, body: Buffer.alloc(1_000_000, every) } },
  { name: 'a stream in pieces', reply: { headers: json, pieces: piecesOf(Buffer.from(TEXT), 7) } },
  { name: 'a stream of single bytes', reply: { headers: bytes, pieces: piecesOf(every, 1) } },
  { name: 'a stream of nothing', reply: { headers: bytes, pieces: [] } },
  { name: 'a redirect', reply: { status: 303, headers: [['location', '/orders/1?a=%20']] } },
  { name: 'a refusal', reply: { status: 422, headers: json, body: Buffer.from('{"no":1}') } },
]

const codings: readonly AnswerCase[] = [
  { name: 'gzip', reply: { headers: coded('gzip'), body: gzipSync(TEXT) } },
  { name: 'br', reply: { headers: coded('br'), body: brotliCompressSync(TEXT) } },
  { name: 'deflate', reply: { headers: coded('deflate'), body: deflateSync(TEXT) } },
  { name: 'two codings', reply: { headers: coded('gzip, br'), body: Buffer.from('?') } },
  { name: 'a coding of its own', reply: { headers: coded('x-own'), body: Buffer.from('own') } },
  { name: 'gzip that is none', reply: { headers: coded('gzip'), body: Buffer.from(TEXT) } },
  { name: 'gzip of nothing', reply: { headers: coded('gzip') } },
  {
    name: 'gzip, streamed',
    reply: { headers: coded('gzip'), pieces: piecesOf(gzipSync(TEXT), 9) },
  },
]

const framing: readonly AnswerCase[] = [
  {
    name: 'Transfer-Encoding of the handler',
    reply: { headers: [...json, ['transfer-encoding', 'chunked']], body: Buffer.from(TEXT) },
  },
  {
    name: 'Connection and Keep-Alive of the handler',
    reply: { headers: [...json, ['keep-alive', 'timeout=77']], body: Buffer.from(TEXT) },
  },
  {
    name: 'a header on two lines',
    reply: {
      headers: [['link', '</a>; rel=next'], ['link', '</b>; rel="last, of all"'], ...json],
      body: Buffer.from('{}'),
    },
  },
  {
    name: '304 with a validator',
    reply: { status: 304, headers: [['etag', '"v1"']] },
  },
]

const raw: readonly AnswerCase[] = [
  {
    name: 'writeHead and end',
    raw: (res) => void res.writeHead(201, { 'content-type': 'application/json' }).end(TEXT),
  },
  {
    name: 'writeHead with a list and a reason',
    raw: (res) =>
      void res.writeHead(202, 'Queued', ['Content-Type', 'text/plain', 'X-A', '1']).end('queued'),
  },
  {
    name: 'several writes',
    raw(res) {
      res.statusCode = 201
      res.setHeader('content-type', 'text/plain')
      res.write('one ')
      res.write(Buffer.from('two '), () => res.end('three'))
    },
  },
  {
    name: 'flushed headers, then a pipe',
    raw(res) {
      res.setHeader('content-type', 'application/octet-stream')
      res.flushHeaders()
      pipeline(Readable.from(piecesOf(every, 50)), res, () => {})
    },
  },
  {
    name: 'a list appended to',
    raw(res) {
      res.setHeader('x-lines', ['a=1'])
      res.appendHeader('x-lines', 'b=2')
      res.setHeader('content-type', 'text/plain')
      res.end('lines')
    },
  },
  {
    name: 'latin1 and hex',
    raw(res) {
      res.setHeader('content-type', 'application/octet-stream')
      res.write('é', 'latin1')
      res.end('00ff', 'hex')
    },
  },
  {
    name: 'an informational answer before the final one',
    raw(res) {
      res.writeEarlyHints({ link: '</a.css>; rel=preload' })
      res.writeHead(201, { 'content-type': 'text/plain' }).end('created')
    },
  },
]

/** Bodies, codings, framing, and what is written around the framework: 29 answers. */
export const answerCases: readonly AnswerCase[] = [...bodies, ...codings, ...framing, ...raw]

function piecesOf(whole: Buffer, size: number): readonly Buffer[] {
  const pieces: Buffer[] = []
  for (let at = 0; at < whole.length; at += size) pieces.push(whole.subarray(at, at + size))
  return pieces
}
