import type { Claim, Decision } from '../contracts/store.ts'
import type { HeaderChange, PlainResponse } from '../contracts/stored-response.ts'
import { OncekeyError, type ProblemCode } from '../errors/errors.ts'
import { messageOf } from '../errors/message-of.ts'
import { isKeyed } from '../request/fingerprint.ts'
import { factsOf } from '../request/route.ts'
import { unseal } from '../request/seal.ts'
import { isProblemCode, problem } from '../response/problem.ts'
import { replayVariant } from '../response/replay-variant.ts'
import { takeNotes } from '../response/stored-notes.ts'
import { type ErrorMessage, tell, warnOfFailure } from '../telemetry/channels.ts'
import type { ResolvedOptions } from './options.ts'
import type { Answer } from './outcome.ts'
import type { Question } from './question.ts'

/** Makes the answer for a problem. */
export function problemAnswer(
  { docsUrl, problemStatus }: Pick<ResolvedOptions<never>, 'docsUrl' | 'problemStatus'>,
  code: ProblemCode,
  detail: string,
  more: { readonly retryAfterMs?: number; readonly isFinal?: boolean } = {},
): Extract<Answer, { kind: 'problem' }> {
  const response = problem(code, detail, { docsUrl, problemStatus, ...more })
  return { kind: 'problem', code, detail, response }
}

/**
 * Unseals the stored response, puts it into a coding that the client accepts, and marks it as a
 * replay.
 */
export function replayAnswer<Tx>(
  options: ResolvedOptions<Tx>,
  claim: Claim,
  decision: Extract<Decision, { kind: 'replay' }>,
  question: Question,
): Promise<Answer> {
  const { namespace, scope, key } = claim
  const stored = unseal(decision.response, question.seal, {
    namespace,
    scope,
    key,
    fingerprints: [decision.fingerprint, ...claim.fingerprints],
    wasSealed: isKeyed(decision.fingerprint),
  })
  if (stored.body === null)
    throw new TypeError('a store must answer result-gone for a response without a body')
  const { status, headers, body } = stored
  const { response, traceparent } = takeNotes({ status, headers, body })
  if (question.watched !== undefined) question.watched.context.origin = traceparent
  return markedAsReplay(options, response, question)
}

/** Marks a response as a replay, in a coding that this client accepts. */
export async function markedAsReplay<Tx>(
  { maxResponseBytes, replayedHeaders }: ResolvedOptions<Tx>,
  response: PlainResponse,
  { request }: Question,
): Promise<Extract<Answer, { kind: 'replay' }>> {
  const variant = await replayVariant(response, request, maxResponseBytes)
  const marks = replayedHeaders.map((name): HeaderChange => [name, 'true'])
  // The handler may have passed on the mark of another server: `true, true` would be none.
  const isMark = (name: string) =>
    replayedHeaders.some((mark) => mark.toLowerCase() === name.toLowerCase())
  const headers = [...variant.headers.filter(([name]) => !isMark(name)), ...marks]
  return { kind: 'replay', response: { ...variant, headers } }
}

/**
 * Makes the answer for an error of the store. Misuse (`store-not-migrated`, …) is rethrown to the
 * app's error handler. Every other error is an answer, because a request must never run without its
 * claim.
 */
export function storeFailure<Tx>(
  options: ResolvedOptions<Tx>,
  question: Question,
  during: 'begin' | 'complete',
  error: unknown,
): Answer {
  reportFailure(question, during, error)
  const code = error instanceof OncekeyError ? error.code : undefined
  const answer = (told: ProblemCode, detail: string): Answer => {
    const isAskable = told !== 'commit-failed' || question.facts.key !== undefined
    const made = isAskable
      ? problemAnswer(options, told, detail)
      : problemAnswer(options, told, WITHOUT_KEY, { isFinal: true })
    return { ...made, cause: error }
  }
  if (isProblemCode(code)) return answer(code, DETAILS[code] ?? (error as Error).message)
  if (during === 'complete') return answer('commit-failed', DETAILS['commit-failed'])
  if (code !== undefined) throw error
  return answer('store-unavailable', DETAILS['store-unavailable'])
}

/**
 * Publishes a failure on `oncekey:error`. A process without a subscriber gets a warning instead,
 * once a minute per kind of error.
 */
export function reportFailure(
  question: Question,
  during: ErrorMessage['during'],
  error: unknown,
): void {
  if (tell('oncekey:error', () => ({ ...factsOf(question), during, error }))) return
  const text = messageOf(error)
  const code = error instanceof OncekeyError ? error.code : 'store-unavailable'
  warnOfFailure(
    `${during}:${code}`,
    `${code} during ${during} (${factsOf(question).route}): ${text.replace(/\.$/, '')}. Said once a minute; subscribe to the diagnostics channel "oncekey:error" for all.`,
  )
}

/** No retry can ask what became of it, and each would do it again. */
const WITHOUT_KEY =
  'The request came without a key, so sending it again would not ask for its outcome but do it again. ' +
  'Look whether it took effect first.'

const DETAILS = {
  'store-busy':
    'More requests are running than this server takes at once. Send the same request again later.',
  'store-unavailable':
    'The store that remembers requests cannot be reached, so the request was not run. Send it again later.',
  'commit-failed':
    'Send the same request again with the same key: the answer will tell whether it took effect.',
  'transaction-aborted': 'A statement of the request failed, so nothing of it was kept.',
  'transaction-ended':
    'The transaction ended before the response did, so the response could not be kept with it.',
} satisfies Partial<Record<ProblemCode, string>> as Partial<Record<ProblemCode, string>> &
  Record<'commit-failed' | 'store-unavailable', string>
