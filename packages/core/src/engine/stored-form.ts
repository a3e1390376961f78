import type { Fingerprint } from '../contracts/fingerprint.ts'
import type { HeaderChange, PlainResponse, StoredResponse } from '../contracts/stored-response.ts'
import { afterHandler, callOption } from '../options/call-option.ts'
import { isPromise } from '../options/check-option.ts'
import { seal, sealKeyOf } from '../request/seal.ts'
import { checkedResponse } from '../response/checked-response.ts'
import { isReplayed } from '../response/header-rules.ts'
import { withNotes } from '../response/stored-notes.ts'
import { codingOf, uncoded } from '../response/uncoded.ts'
import { reportFailure } from './answer.ts'
import type { Running } from './handler-run.ts'
import type { Question } from './question.ts'

/**
 * Makes the form in which the store keeps a response: without headers that must not be replayed,
 * then redacted, then sealed. A response whose body is not kept is never replayed: `redact`, which
 * may not know what to do without a body, is not called for it, and only the status is kept.
 *
 * The seal is bound to the fingerprint that the record will have. That is the one of the first
 * attempt, which may have been made with another seal key, or without one, than this request's own:
 * an attempt that took a key over asks the store for it.
 */
export function storedForm<Tx>(
  running: Running<Tx>,
  response: PlainResponse,
  body: Uint8Array | null,
): StoredResponse | Promise<StoredResponse> {
  const { options, question } = running
  const { redact } = options
  if (redact !== undefined && body === null)
    return sealed(running, { status: response.status }, [], null)
  const headers = replayedHeaders(options, question, response)
  if (redact === undefined) return sealed(running, response, headers, body)
  const replayed = { ...response, headers }
  const kept = afterHandler('redact', () =>
    callOption(
      'redact',
      options.handlerTimeoutMs,
      () => redact(ownCopy(replayed)),
      (returned) =>
        checkedResponse(
          'redact',
          returned,
          'the response to store, `{ ...response, body }`',
          returned,
        ),
    ),
  )
  const form = (kept: PlainResponse) => sealed(running, kept, kept.headers, kept.body)
  return isPromise(kept) ? kept.then(form) : form(kept)
}

/**
 * Copies a response before a function of the app gets it. The function may modify the copy; the
 * original is what is sent and kept.
 */
export function ownCopy(response: PlainResponse): PlainResponse {
  return {
    ...response,
    headers: response.headers.map((line): HeaderChange => [...line]),
    body: new Uint8Array(response.body),
  }
}

function replayedHeaders<Tx>(
  { replayHeader }: Running<Tx>['options'],
  { request }: Question,
  { headers }: PlainResponse,
): PlainResponse['headers'] {
  return headers.filter(([name]) => isReplayed(name.toLowerCase(), replayHeader, request?.method))
}

function sealed<Tx>(
  { number, options, question }: Running<Tx>,
  { status, reason }: Pick<PlainResponse, 'status' | 'reason'>,
  replayed: PlainResponse['headers'],
  body: Uint8Array | null,
): StoredResponse | Promise<StoredResponse> {
  const { facts, fingerprints, seal: keys, traceparent } = question
  const headers = withNotes(replayed, { reason, traceparent })
  const form: StoredResponse = { status, headers, body, seal: null }
  const { namespace, scope, key } = facts
  if (keys === undefined || key === undefined) return form
  const owner = { namespace, scope, key }
  const boundTo = (fingerprint: Fingerprint) => seal(form, keys, { ...owner, fingerprint })
  const isFirst = number === 1 || options.store.capabilities.mode !== 'lease'
  if (isFirst) return boundTo(fingerprints[0])
  return options.store.keys.get(owner).then(
    (found) => boundTo(found?.fingerprint ?? fingerprints[0]),
    (error) => {
      reportFailure(question, 'complete', error)
      // A retry tries all of its fingerprints, so it opens what is bound to another one, as long as
      // it is sealed: a record of a fingerprint of a key must be.
      const ofKey = fingerprints.find((fingerprint) => sealKeyOf(fingerprint) !== undefined)
      return boundTo(keys.current === null && ofKey !== undefined ? ofKey : fingerprints[0])
    },
  )
}

export async function withoutCoding(
  response: PlainResponse,
  maxBytes: number,
): Promise<PlainResponse | 'too-large'> {
  const coding = codingOf(response)
  if (coding === undefined) return response
  return (await uncoded(response, coding, maxBytes)) ?? response
}
