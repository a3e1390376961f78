import type { HeaderChange, PlainResponse } from '../contracts/stored-response.ts'
import { OptionsError } from '../errors/errors.ts'

/**
 * Stores keep status, headers and body. What else is known about a response is stored as its last
 * headers, under names that an older release running beside this one would simply send.
 */
export interface StoredNotes {
  /** The handler's own reason phrase. */
  readonly reason?: string | undefined
  /** The W3C Trace Context of the request that ran the handler, so that a replay can name it. */
  readonly traceparent?: string | undefined
}

const REASON = 'oncekey-reason-phrase'
const TRACEPARENT = 'oncekey-traceparent'

/**
 * The headers to store, with the notes behind them. Throws if `redact` made a reason phrase that
 * cannot be sent.
 */
export function withNotes(
  headers: readonly HeaderChange[],
  { reason, traceparent }: StoredNotes,
): readonly HeaderChange[] {
  if (!reason && traceparent === undefined) return headers
  if (reason && !SENDABLE.test(reason)) {
    throw new OptionsError('redact() must leave `reason` as it was, change it to text, or drop it.')
  }
  const noted = [...headers]
  if (traceparent !== undefined) noted.push([TRACEPARENT, traceparent])
  if (reason) noted.push([REASON, reason])
  return noted
}

/** RFC 9112 section 4; a character beyond ASCII stands for one byte. */
const SENDABLE = /^[\t\x20-\x7e\x80-\xff]+$/

/** The stored response with the notes taken out of its headers again. */
export function takeNotes(stored: PlainResponse): {
  readonly response: PlainResponse
  readonly traceparent: string | undefined
} {
  let { headers } = stored
  let reason: string | undefined
  let traceparent: string | undefined
  for (let last = headers.at(-1); last !== undefined && isNote(last[0]); last = headers.at(-1)) {
    if (last[0] === REASON) reason = last[1] ?? ''
    else traceparent = last[1] ?? undefined
    headers = headers.slice(0, -1)
  }
  if (headers === stored.headers) return { response: stored, traceparent }
  const response = { ...stored, headers, ...(reason !== undefined && { reason }) }
  return { response, traceparent }
}

/** Whether a handler's header would be mistaken for a note; such a header is not stored. */
export function isNote(name: string): boolean {
  return name === REASON || name === TRACEPARENT
}
