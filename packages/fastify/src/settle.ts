import { validateHeaderName, validateHeaderValue } from 'node:http'
import type { Readable } from 'node:stream'
import type { HeaderChange, PlainResponse, Run, Verdict } from '@oncekey/core'
import type { FastifyReply } from 'fastify'
import { exactBody } from './answer.ts'
import { collect } from './collect.ts'
import { decoded } from './content-coding.ts'
import type { Exchange } from './exchange.ts'
import { resetReply } from './outcome.ts'
import { type Payload, unwrapped } from './payload.ts'
import { headerChanges, headersOf, type ReplyHeaders, restoreHeaders } from './reply-headers.ts'

/**
 * Asks the run for its verdict on the handler's response, and resolves with what is sent. Does not
 * reject: Fastify would take the error through `onSend` once more.
 */
export function settle(
  exchange: Exchange,
  reply: FastifyReply,
  given: Payload,
  done: (error: null, payload: unknown) => void,
): Promise<unknown> | undefined {
  const payload = unwrapped(given, reply)
  // As Fastify will, which is after they were kept.
  if (reply.statusCode === 204 && payload !== null) reply.removeHeader('content-type')
  const after = headersOf(reply)
  const headers = headerChanges(exchange.before, after)
  if (!headers.every(isSendable)) {
    // Fastify will find out and make an error of it; that error is the response then.
    done(null, payload)
    return undefined
  }
  exchange.phase = 'settling'
  const head: Head = { status: reply.statusCode, headers, after }
  return isStream(payload)
    ? holdStream(exchange, reply, payload, head)
    : hold(exchange, reply, captureWhole(payload, head.status), head)
}

/** Status and headers as they were when the response was sent, and what of the headers is the handler's. */
interface Head extends Omit<PlainResponse, 'body'> {
  readonly after: ReplyHeaders
}

async function holdStream(
  exchange: Exchange,
  reply: FastifyReply,
  stream: Readable,
  head: Head,
): Promise<unknown> {
  let captured: Captured
  try {
    captured = await captureStream(exchange, stream, head.status)
  } catch (error) {
    return streamBroke(exchange, reply, error)
  }
  return hold(exchange, reply, captured, head)
}

function hold(
  exchange: Exchange,
  reply: FastifyReply,
  { body, payload }: Captured,
  head: Head,
): Promise<unknown> {
  return verdictOn(body, head, exchange).then((verdict) => {
    exchange.phase = 'over'
    // Someone wrote past Fastify meanwhile.
    if (reply.raw.headersSent) return noPayload()
    if (verdict.kind !== 'send') return replace(exchange, reply, verdict.response)
    // As they were when it was sent, whatever the handler did since.
    if (reply.statusCode !== head.status) reply.code(head.status)
    restoreHeaders(reply, head.after)
    return payload
  })
}

/** The bytes to keep, `undefined` where they are not collected, and what is sent of them. */
interface Captured {
  readonly body: Uint8Array | undefined
  readonly payload: string | Buffer | Readable | null
}

function captureWhole(payload: string | Buffer | null, status: number): Captured {
  if (payload === null || isBodiless(status)) return { body: NO_BYTES, payload }
  const bytes = Buffer.from(payload)
  // Of a buffer the copy is sent, because the handler may use its own again.
  return { body: bytes, payload: typeof payload === 'string' ? payload : bytes }
}

async function captureStream(
  exchange: Exchange,
  stream: Readable,
  status: number,
): Promise<Captured> {
  exchange.source = stream
  const { maxResponseBytes, interrupted } = exchange.run as Run
  if (isBodiless(status)) return { body: NO_BYTES, payload: stream }
  if (maxResponseBytes === 0) return { body: undefined, payload: stream }
  // A stream that waits for what never comes does not end by being destroyed either.
  const givenUp = interrupted.then(() => Promise.reject(new Error('The handler was given up.')))
  const collected = await Promise.race([collect(stream, maxResponseBytes), givenUp])
  if (collected.kind === 'too-large') return { body: undefined, payload: collected.stream }
  return { body: collected.bytes, payload: collected.bytes }
}

function isBodiless(status: number): boolean {
  return status < 200 || status === 204 || status === 304
}

/** Past a compressor the plain bytes are kept: the client of a replay may accept another coding. */
function verdictOn(
  body: Uint8Array | undefined,
  { status, headers, after }: Head,
  { run, before }: Exchange,
): Promise<Verdict> {
  const { complete, passThrough, maxResponseBytes } = run as Run
  if (body === undefined) return passThrough({ status, headers })
  const coding = after['content-encoding']
  if (typeof coding !== 'string' || coding === before['content-encoding'] || body === NO_BYTES) {
    return complete({ status, headers, body })
  }
  try {
    const plain = decoded(coding, body, maxResponseBytes)
    if (plain === undefined) return complete({ status, headers, body })
    const others = headers.filter(([name]) => name !== 'content-encoding')
    return complete({ status, headers: others, body: plain })
  } catch {
    // Larger than maxResponseBytes before it was compressed, or not what its header says: not kept.
    return passThrough({ status, headers })
  }
}

/** Sends another answer in place of the handler's, and none of the handler's headers with it. */
function replace(exchange: Exchange, reply: FastifyReply, response: PlainResponse) {
  exchange.source?.destroy()
  resetReply(exchange, reply)
  return exactBody(reply, response)
}

/** Nothing has left yet, so the app's error handler answers, and that is the response. */
function streamBroke(exchange: Exchange, reply: FastifyReply, error: unknown): unknown {
  if (exchange.interruption !== undefined) {
    exchange.phase = 'over'
    return replace(exchange, reply, exchange.interruption.response)
  }
  exchange.phase = 'open'
  exchange.source = undefined
  reply.send(error instanceof Error ? error : new Error('The stream that was sent broke.'))
  return noPayload()
}

/** A payload that never comes ends this way to the client, and nothing waits for it. */
function noPayload(): Promise<never> {
  return new Promise(() => {})
}

function isSendable([name, value]: HeaderChange): boolean {
  try {
    validateHeaderName(name)
    if (value !== null) validateHeaderValue(name, value)
    return true
  } catch {
    return false
  }
}

function isStream(payload: Captured['payload']): payload is Readable {
  return payload !== null && typeof payload === 'object' && !Buffer.isBuffer(payload)
}

const NO_BYTES = new Uint8Array()
