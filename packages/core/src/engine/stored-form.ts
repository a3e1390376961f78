import type { HeaderChange, PlainResponse, StoredResponse } from '../contracts/stored-response.ts'
import { afterHandler, callOption } from '../options/call-option.ts'
import { isPromise } from '../options/check-option.ts'
import { seal } from '../request/seal.ts'
import { checkedResponse } from '../response/checked-response.ts'
import { isReplayed } from '../response/header-rules.ts'
import { withNotes } from '../response/stored-notes.ts'
import { codingOf, uncoded } from '../response/uncoded.ts'
import type { Running } from './handler-run.ts'
import type { Question } from './question.ts'

/**
 * Makes the form in which the store keeps a response: without headers that must not be replayed,
 * then redacted, then sealed.
 */
export function storedForm<Tx>(
  { options, question }: Running<Tx>,
  response: PlainResponse,
  body: Uint8Array | null,
): StoredResponse | Promise<StoredResponse> {
  const { redact } = options
  const headers = replayedHeaders(options, question, response)
  if (redact === undefined) return sealed(question, response, headers, body)
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
  const form = (kept: PlainResponse) =>
    sealed(question, kept, kept.headers, body === null ? null : kept.body)
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

function sealed(
  { facts, fingerprints, seal: keys, traceparent }: Question,
  { status, reason }: PlainResponse,
  replayed: PlainResponse['headers'],
  body: Uint8Array | null,
): StoredResponse {
  const headers = withNotes(replayed, { reason, traceparent })
  const form: StoredResponse = { status, headers, body, seal: null }
  if (keys === undefined || facts.key === undefined) return form
  return seal(form, keys, { ...facts, key: facts.key, fingerprint: fingerprints[0] })
}

export async function withoutCoding(
  response: PlainResponse,
  maxBytes: number,
): Promise<PlainResponse | 'too-large'> {
  const coding = codingOf(response)
  if (coding === undefined) return response
  return (await uncoded(response, coding, maxBytes)) ?? response
}
