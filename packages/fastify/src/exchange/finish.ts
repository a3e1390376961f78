import { validateHeaderName, validateHeaderValue } from 'node:http'
import type { HandlerRun, HeaderChange, PlainResponse, RunOutcome } from '@oncekey/core'
import { checkHead, closeSource } from '@oncekey/node'
import type { FastifyReply } from 'fastify'
import { exactBody } from '../reply/answer.ts'
import { collect, type Source } from '../reply/collect.ts'
import { isSource, type Payload, unwrapped } from '../reply/payload.ts'
import { reasonOf } from '../reply/reason-phrase.ts'
import {
  asSentBeside,
  headerChanges,
  headersOf,
  type ReplyHeaders,
  restoreHeaders,
} from '../reply/reply-headers.ts'
import { type Exchange, endExchange } from './exchange.ts'
import { frameAnew } from './framing.ts'
import { resetReply, stopSource } from './outcome.ts'
import { countAsSent, countAsUnsent } from './sent-state.ts'

/**
 * Ends the run with the handler's response and calls `done` with what its outcome says to send. It
 * takes a callback because after a promise resolves, other code runs before Fastify continues.
 */
export function finish(exchange: Exchange, reply: FastifyReply, given: Payload, done: Done): void {
  const payload = unwrapped(given, reply)
  // Fastify removes these headers too, but only after the response was stored.
  if (reply.statusCode === 204 && payload !== null) reply.removeHeader('content-type')
  const after = headersOf(reply)
  frameAnew(exchange, reply, after)
  try {
    checkHead(reply.raw, after)
  } catch (error) {
    // The error's own response could not be sent with these headers either.
    restoreHeaders(reply, exchange.before)
    if (isSource(payload)) closeSource(payload)
    done(error as Error)
    return
  }
  const changes = headerChanges(exchange.before, after)
  const reason = reasonOf(reply, payload)
  if (!changes.every(isSendable) || !isSendable(['x-reason', reason ?? null])) {
    // Fastify will reject this payload and create an error, which then is the response.
    done(null, payload)
    return
  }
  exchange.phase = 'finishing'
  const isHttp1 = reply.request.raw.httpVersionMajor === 1
  const headers = isHttp1 ? asSentBeside(payload, changes) : changes
  const head: Head = { status: reply.statusCode, headers, reason, after }
  if (isSource(payload)) void holdStream(exchange, reply, payload, head, done)
  else void hold(exchange, reply, captureWhole(payload, head.status), head, done)
}

/** Status and headers as of when the response was sent, and the handler's header changes. */
interface Head extends Omit<PlainResponse, 'body'> {
  readonly after: ReplyHeaders
}

async function holdStream(
  exchange: Exchange,
  reply: FastifyReply,
  stream: Source,
  head: Head,
  done: Done,
): Promise<void> {
  let captured: Captured
  try {
    captured = await captureStream(exchange, stream, head.status)
  } catch (error) {
    return streamBroke(exchange, reply, error, done)
  }
  return hold(exchange, reply, captured, head, done)
}

async function hold(
  exchange: Exchange,
  reply: FastifyReply,
  { body, payload }: Captured,
  head: Head,
  done: Done,
): Promise<void> {
  if (body !== undefined) countAsSent(exchange, reply)
  const outcome = await outcomeOn(body, head, exchange)
  endExchange(exchange)
  // Something wrote to the raw response meanwhile.
  if (!countAsUnsent(exchange, reply)) return
  try {
    if (outcome.kind === 'failure') return fail(exchange, reply, outcome.error)
    if (outcome.kind !== 'send') return done(null, replace(exchange, reply, outcome.response))
    // Resets what the handler changed after it sent the response.
    if (reply.statusCode !== head.status) reply.code(head.status)
    restoreHeaders(reply, head.after)
    done(null, payload)
  } catch (error) {
    // The response is stored all the same, and a retry replays it.
    reply.log.error({ err: error }, 'the response was kept and could not be sent')
    reply.raw.destroy(error as Error)
  }
}

/** The bytes to store, `undefined` if they are not collected, and the payload to send. */
interface Captured {
  readonly body: Uint8Array | undefined
  readonly payload: string | Buffer | Source | null
}

function captureWhole(payload: string | Buffer | null, status: number): Captured {
  // Fastify would write a body with 304, for which a server may be set to throw.
  if (payload === null || isBodiless(status)) return { body: NO_BYTES, payload: null }
  const bytes = Buffer.from(payload)
  // Sends a copy of a buffer, because the handler may reuse its own.
  return { body: bytes, payload: typeof payload === 'string' ? payload : bytes }
}

async function captureStream(
  exchange: Exchange,
  stream: Source,
  status: number,
): Promise<Captured> {
  exchange.source = stream
  const { maxResponseBytes, interrupted } = exchange.run as HandlerRun
  if (isBodiless(status)) {
    // Nobody reads it, and an error while it closes would end the process.
    stream.on('error', () => {})
    stopSource(exchange)
    return { body: NO_BYTES, payload: null }
  }
  exchange.collection = collect(stream, maxResponseBytes)
  // A stream that waits forever does not end when it is destroyed, so the interruption ends the
  // wait.
  const givenUp = interrupted.then(() => Promise.reject(new Error('The handler was given up.')))
  const collected = await Promise.race([exchange.collection.collected, givenUp])
  exchange.collection = undefined
  if (collected.kind === 'too-large') return { body: undefined, payload: collected.stream }
  return { body: collected.bytes, payload: collected.bytes }
}

function isBodiless(status: number): boolean {
  return status < 200 || status === 204 || status === 304
}

function outcomeOn(
  body: Uint8Array | undefined,
  { status, headers, reason }: Head,
  { run }: Exchange,
): Promise<RunOutcome> {
  const { complete, passThrough } = run as HandlerRun
  return body === undefined
    ? passThrough({ status, headers })
    : complete({ status, headers, reason, body })
}

/** Sends another answer instead of the handler's, without any of the handler's headers. */
function replace(exchange: Exchange, reply: FastifyReply, response: PlainResponse) {
  stopSource(exchange)
  resetReply(exchange, reply)
  return exactBody(reply, response, exchange.before)
}

/** Everything was undone. The app's error handler responds, and its response is not captured. */
function fail(exchange: Exchange, reply: FastifyReply, error: unknown): void {
  stopSource(exchange)
  resetReply(exchange, reply)
  reply.send(error)
}

/** Nothing has left yet, so the app's error handler produces the response. */
function streamBroke(exchange: Exchange, reply: FastifyReply, error: unknown, done: Done): void {
  exchange.collection = undefined
  // The stream was diverted to the raw response, which handles the error.
  if (exchange.phase === 'raw') return
  if (exchange.interruption !== undefined) {
    endExchange(exchange)
    if (!reply.raw.headersSent) done(null, replace(exchange, reply, exchange.interruption.response))
    return
  }
  exchange.phase = 'open'
  exchange.source = undefined
  reply.send(error instanceof Error ? error : new Error('The stream that was sent broke.'))
}

type Done = (error: Error | null, payload?: unknown) => void

function isSendable([name, value]: HeaderChange): boolean {
  try {
    validateHeaderName(name)
    if (value !== null) validateHeaderValue(name, value)
    return true
  } catch {
    return false
  }
}

const NO_BYTES = new Uint8Array()
