import type { Answer, PlainResponse, Run, Verdict } from '@oncekey/core'
import { type Collected, collect, type Reader } from './collect.ts'
import { decoded, isKnownCoding } from './content-coding.ts'
import { headerChanges } from './header-changes.ts'
import { isBodiless, responseOf } from './response-of.ts'

/** Asks the run for its verdict on the handler's response, and makes what is sent. */
export async function captureResponse(
  run: Run,
  response: Response | undefined,
  before: Headers,
): Promise<Response> {
  if (!isSendable(response)) {
    await run.abandon()
    throw new TypeError(
      'The handler must return a Response of its own making, with a body that nobody has read: the same Response cannot be sent twice.',
    )
  }
  const reader = isBodiless(response.status) ? undefined : response.body?.getReader()
  let collected: Collected | Answer
  try {
    const whole = reader === undefined ? EMPTY : collect(reader, run.maxResponseBytes)
    collected = await Promise.race([whole, run.interrupted])
  } catch (error) {
    await run.abandon()
    throw error
  }
  if (collected.kind === 'problem' || collected.kind === 'replay') {
    reader?.cancel().catch(() => {})
    return responseOf(collected.response, before)
  }
  const verdict = await verdictOn(run, response, collected, before)
  if (verdict.kind === 'send') return sent(response, collected, reader)
  reader?.cancel().catch(() => {})
  return responseOf(verdict.response, before)
}

const EMPTY: Collected = { kind: 'whole', bytes: new Uint8Array() }

function isSendable(response: unknown): response is Response {
  const { status, bodyUsed, body, headers } = (response ?? {}) as Partial<Response>
  if (typeof status !== 'number' || status < 200 || headers === undefined) return false
  return bodyUsed === false && body?.locked !== true
}

async function verdictOn(
  run: Run,
  { status, headers }: Response,
  collected: Collected,
  before: Headers,
): Promise<Verdict> {
  const changes = headerChanges(before, headers).filter(([name]) => name !== 'content-length')
  const head = { status, headers: changes }
  if (collected.kind === 'part') return run.passThrough(head)
  const coding = changes.find(([name]) => name === 'content-encoding')?.[1]
  if (coding == null || collected.bytes.length === 0 || !isKnownCoding(coding)) {
    return run.complete({ ...head, body: collected.bytes })
  }
  const body = await decoded(coding, collected.bytes, run.maxResponseBytes)
  if (body === undefined) return run.passThrough(head)
  return run.complete({ ...uncoded(head), body })
}

function uncoded(head: Omit<PlainResponse, 'body'>): Omit<PlainResponse, 'body'> {
  return { ...head, headers: head.headers.filter(([name]) => name !== 'content-encoding') }
}

function sent(response: Response, collected: Collected, reader: Reader | undefined): Response {
  const { status, statusText, headers } = response
  if (reader === undefined) return new Response(null, { status, statusText, headers })
  const body = collected.kind === 'whole' ? collected.bytes : all(collected.chunks, reader)
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
    cancel: (reason) => reader.cancel(reason),
  })
}
