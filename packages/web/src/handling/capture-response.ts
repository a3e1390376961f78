import type { Answer, HandlerRun, RunOutcome } from '@oncekey/core'
import { type Collected, collect, type Reader } from '../request/collect.ts'
import { cancelled } from './cancelled.ts'
import { frameAnew } from './framing.ts'
import { headerChanges } from './header-changes.ts'
import { isBodiless, responseOf } from './response-of.ts'

/** The parts of a request that its response depends on, and the headers set outside the handler. */
export interface Exchange {
  readonly method: string
  readonly before: Headers
  /**
   * The content type that the server adds to a body without a content type; it is stored with the
   * response.
   */
  readonly impliedType?: string | undefined
  /** Called if a problem is sent: the handler did not run, or what it did was undone. */
  readonly problem?: (() => void) | undefined
}

/** Ends the run with the handler's response, and builds what its outcome says to send. */
export async function captureResponse(
  run: HandlerRun,
  response: Response | undefined,
  exchange: Exchange,
): Promise<Response> {
  try {
    return await captured(run, response, exchange)
  } catch (error) {
    // Whatever was thrown, the key must not stay claimed. Once the run has an outcome, this has no
    // effect.
    await run.abandon()
    throw error
  }
}

async function captured(
  run: HandlerRun,
  response: Response | undefined,
  exchange: Exchange,
): Promise<Response> {
  const head = headOf(response)
  if (head === undefined || !isUnread(response)) {
    throw new TypeError(
      'The handler must return a Response of its own making, with a body that nobody has read: the same Response cannot be sent twice.',
    )
  }
  const reader = isBodiless(head.status) ? undefined : response.body?.getReader()
  let collected: Collected | Answer
  try {
    const whole = reader === undefined ? EMPTY : collect(reader, run.maxResponseBytes)
    collected = await Promise.race([whole, run.interrupted])
  } catch (error) {
    giveUp(reader)
    throw error
  }
  if (collected.kind === 'problem' || collected.kind === 'replay') {
    giveUp(reader)
    return instead(collected, exchange)
  }
  const outcome = await outcomeOn(run, head, collected, exchange)
  if (outcome.kind === 'send') return sent(head, collected, reader, exchange)
  giveUp(reader)
  if (outcome.kind === 'failure') throw outcome.error
  return instead(outcome, exchange)
}

/** Builds the answer that is sent instead of a response of the handler. */
export function instead({ kind, response }: Answer, { before, problem }: Exchange): Response {
  if (kind === 'problem') problem?.()
  return responseOf(response, before)
}

/** Not awaited, because a hanging source may never confirm. */
function giveUp(reader: Reader | undefined): void {
  if (reader !== undefined) cancelled(reader).catch(() => {})
}

/** A copy of status and headers. */
type Head = Pick<Response, 'status' | 'statusText' | 'headers'>

const EMPTY: Collected = { kind: 'whole', bytes: new Uint8Array() }

/**
 * Copies status and headers as soon as the handler returns, so that what is sent equals what is
 * stored, whatever the handler does later; `undefined` if the value is no response. Throws what
 * reading the response throws, because a response of @hono/node-server is made only when it is
 * first read. The headers are read first, because version 1 makes the response without the changes
 * that were made to its headers until then.
 */
function headOf(response: unknown): Head | undefined {
  const { headers: own, status } = (response ?? {}) as Partial<Response>
  if (own === undefined || typeof status !== 'number' || status < 200) return undefined
  const headers = new Headers(own)
  return { status, statusText: (response as Response).statusText, headers }
}

function isUnread(response: unknown): response is Response {
  const { bodyUsed, body } = response as Response
  return bodyUsed === false && body?.locked !== true
}

function outcomeOn(
  run: HandlerRun,
  { status, statusText, headers }: Head,
  collected: Collected,
  { before, impliedType }: Exchange,
): Promise<RunOutcome> {
  const changes = headerChanges(before, headers)
  const isEmpty = collected.kind === 'whole' && collected.bytes.length === 0
  if (impliedType !== undefined && !isEmpty && !headers.has('content-type')) {
    changes.push(['content-type', impliedType])
  }
  const head = { status, headers: changes }
  if (collected.kind === 'part') return run.passThrough(head)
  return run.complete({ ...head, body: collected.bytes, ...(statusText && { reason: statusText }) })
}

function sent(
  { status, statusText, headers }: Head,
  collected: Collected,
  reader: Reader | undefined,
  { method, before }: Exchange,
): Response {
  const isWhole = collected.kind === 'whole'
  // A response that is passed through while it is written is framed by the runtime.
  if (isWhole) frameAnew(headers, before, method)
  if (reader === undefined || (isWhole && collected.bytes.length === 0)) {
    return new Response(null, { status, statusText, headers })
  }
  const body = isWhole ? collected.bytes : all(collected.chunks, reader)
  return new Response(body, { status, statusText, headers })
}

function all(chunks: readonly Uint8Array[], reader: Reader): ReadableStream<Uint8Array> {
  const waiting = [...chunks]
  return new ReadableStream({
    async pull(controller) {
      const chunk = waiting.shift() ?? (await reader.read()).value
      if (chunk === undefined) controller.close()
      else controller.enqueue(chunk)
    },
    cancel: (reason) => cancelled(reader, reason),
  })
}
