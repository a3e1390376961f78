import type { Claim, Decision } from '../contracts/store.ts'
import type { HeaderChange, PlainResponse } from '../contracts/stored-response.ts'
import { OncekeyError, type ProblemCode } from '../errors/errors.ts'
import { messageOf } from '../errors/message-of.ts'
import { factsOf } from '../request/route.ts'
import { sealKeyOf, unseal } from '../request/seal.ts'
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
    wasSealed: sealKeyOf(decision.fingerprint) !== undefined,
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
 *
 * `complete`: the handler has run. Whatever kept the store from taking the response, what the
 * handler did elsewhere is done, so the client is never told that nothing ran.
 */
export function storeFailure<Tx>(
  options: ResolvedOptions<Tx>,
  question: Question,
  during: 'begin' | 'complete',
  error: unknown,
): Answer {
  reportFailure(question, during, error)
  const code = error instanceof OncekeyError ? error.code : undefined
  if (during === 'complete') {
    const told = isProblemCode(code) && !NOT_RUN.has(code) ? code : 'commit-failed'
    const detail = DETAILS[told] ?? (error as Error).message
    const [what, again] = told === 'commit-failed' ? ['', detail] : [detail, '']
    return { ...problemAfterRun(options, question, told, what, again), cause: error }
  }
  if (isProblemCode(code)) {
    const detail = DETAILS[code] ?? (error as Error).message
    return { ...problemAnswer(options, code, detail), cause: error }
  }
  if (code !== undefined) throw error
  const detail = DETAILS['store-unavailable']
  return { ...problemAnswer(options, 'store-unavailable', detail), cause: error }
}

/**
 * Makes the answer of a request whose handler failed because no connection was free for its
 * transaction.
 */
export function busyAnswer<Tx>(
  options: ResolvedOptions<Tx>,
  question: Question,
  error: OncekeyError,
): Answer {
  reportFailure(question, 'complete', error)
  return { ...problemAfterRun(options, question, 'store-busy', TOO_MANY, LATER), cause: error }
}

/**
 * Makes the answer for a problem of a request whose handler has begun: what is true of it, and what
 * the client may do. Only the key lets a retry find out what the first request did, and have other
 * services recognise its calls. A request without one is never told to be sent again.
 */
export function problemAfterRun<Tx>(
  options: ResolvedOptions<Tx>,
  { facts }: Question,
  code: ProblemCode,
  what: string,
  again: string,
): Extract<Answer, { kind: 'problem' }> {
  const isFinal = facts.key === undefined
  return problemAnswer(options, code, `${what} ${isFinal ? WITHOUT_KEY : again}`.trim(), {
    isFinal,
  })
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

const TOO_MANY = 'More requests are running than this server takes at once.'
const LATER = 'Send the same request again later.'

/** These say that the handler did not run. */
const NOT_RUN: ReadonlySet<ProblemCode> = new Set(['store-busy', 'store-unavailable'])

const DETAILS = {
  'store-busy': `${TOO_MANY} ${LATER}`,
  'store-unavailable':
    'The store that remembers requests cannot be reached, so the request was not run. Send it again later.',
  'commit-failed':
    'Send the same request again with the same key: the answer will tell whether it took effect.',
  'transaction-aborted': 'A statement of the request failed, so nothing of it was kept.',
  'transaction-ended':
    'The transaction ended before the response did, so the response could not be kept with it.',
} satisfies Partial<Record<ProblemCode, string>> as Partial<Record<ProblemCode, string>> &
  Record<'commit-failed' | 'store-unavailable', string>
