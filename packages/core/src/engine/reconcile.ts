import type { Claim } from '../contracts/store.ts'
import type { PlainResponse } from '../contracts/stored-response.ts'
import type { Reconciliation, WhenUnknown } from '../contracts/when-unknown.ts'
import { callOption } from '../options/call-option.ts'
import { deriveKey } from '../request/derive-key.ts'
import { checkedResponse } from '../response/checked-response.ts'
import { markedAsReplay, problemAnswer } from './answer.ts'
import type { Begun, HandlerRun } from './handler-run.ts'
import type { ResolvedOptions } from './options.ts'
import type { Answer } from './outcome.ts'
import type { Question } from './question.ts'

type Find = Extract<WhenUnknown, (...args: never[]) => unknown>
type Held = Extract<Answer, { kind: 'problem' }>

/** Claims the key again for this request; with `retakes`, only from the attempt of that name. */
type AskAgain<Tx> = (policy: 'retake' | 'hold', retakes?: string) => Promise<Begun<Tx>>

/** What came of a call of the function. */
interface Asked<Tx> {
  readonly begun: Begun<Tx>
  /** Whether it was said about another attempt than the one that is unknown by now. */
  readonly isOutdated: boolean
}

/**
 * Asks the app's `whenUnknown` function what became of a lost attempt, and acts on it: hold the
 * key, run the handler again, or store and answer the response that it returns. Of concurrent
 * requests for one key only the first calls the function; the others wait and claim again. Throws
 * what the function throws.
 *
 * What the function says is about one attempt, as it was when the function looked. An answer that
 * somebody else has given to the key meanwhile, such as an operator, is the answer, also after
 * `hold`. If another process has taken the key over meanwhile, and the outcome of that attempt is
 * unknown as well, the function is asked again.
 */
export function reconciler<Tx>(
  options: ResolvedOptions<Tx>,
): (
  find: Find,
  claim: Claim,
  held: Held,
  askAgain: AskAgain<Tx>,
  question: Question,
) => Promise<Begun<Tx>> {
  const flights = new Map<string, Promise<Asked<Tx>>>()

  return async function reconcile(find, claim, held, askAgain, question) {
    const id = JSON.stringify([claim.scope, claim.key])
    let unknown = held
    for (let calls = 0; calls < MOST_CALLS; calls++) {
      const flight = flights.get(id)
      if (flight === undefined) {
        const asking = askAndDo(find, claim, unknown, askAgain, question)
        flights.set(id, asking)
        const { begun, isOutdated } = await asking.finally(() => flights.delete(id))
        if (!isOutdated || !isUnknown(begun)) return begun
        unknown = begun
      } else {
        // If the first call threw, the outcome is unknown to this request too, and it throws the
        // same error.
        const { begun: first, isOutdated } = await flight
        const begun = await askAgain('hold')
        if (!isUnknown(begun)) return begun
        const isAsked = !isOutdated && isUnknown(first) && first.attempt === begun.attempt
        if (isAsked) return begun
        unknown = begun
      }
    }
    const detail =
      'Other copies of this request ran meanwhile, and what they did is not known yet. Send the same request again later.'
    return problemAnswer(options, 'in-progress', detail, { retryAfterMs: 1_000 })
  }

  async function askAndDo(
    find: Find,
    claim: Claim,
    held: Held,
    askAgain: AskAgain<Tx>,
    question: Question,
  ): Promise<Asked<Tx>> {
    const { namespace, scope, key } = claim
    const since = held.since ?? new Date(0)
    const unknown = {
      namespace,
      scope,
      key,
      since,
      deriveKey: (label: string) => deriveKey(claim, label),
    }
    // Checked before the key is claimed, so that an invalid result does not hold it.
    const found = await callOption(
      'whenUnknown',
      options.handlerTimeoutMs,
      () => find(unknown),
      checkFound,
    )
    if (found === 'hold') {
      // It may have taken its time, and somebody may have answered or freed the key meanwhile.
      const begun = await askAgain('hold')
      return { begun, isOutdated: isUnknown(begun) && begun.attempt !== held.attempt }
    }
    const retaken = await askAgain('retake', held.attempt)
    if (isUnknown(retaken)) return { begun: retaken, isOutdated: true }
    const isFound = found !== 'retake' && retaken.kind === 'run'
    return {
      begun: isFound ? await answered(retaken.run, found, question) : retaken,
      isOutdated: false,
    }
  }

  /** Stores the response that was found, whatever its status: dispositions are for handlers. */
  async function answered(
    run: HandlerRun<Tx>,
    found: PlainResponse,
    question: Question,
  ): Promise<Begun<Tx>> {
    // Saved here because a run drops its request when it ends, and the answer is made after that.
    const { request } = question
    run.context.keep()
    const outcome = await run.complete(found)
    if (outcome.kind === 'failure') throw outcome.error
    return outcome.kind === 'send'
      ? markedAsReplay(options, found, { ...question, request })
      : outcome
  }
}

/** Whether nobody knows what the last attempt of the key did. */
export function isUnknown<Tx>(begun: Begun<Tx>): begun is Held {
  return begun.kind === 'problem' && begun.code === 'outcome-unknown'
}

/**
 * How often a request calls the function, or waits for a call of it, before the client is told to
 * come back: each time another process has run the handler meanwhile.
 */
const MOST_CALLS = 3

function checkFound(found: unknown): 'hold' | 'retake' | PlainResponse {
  if (found === 'hold' || found === 'retake') return found
  const { status, headers = {}, body = '' } = (found ?? {}) as Exclude<Reconciliation, string>
  const response = {
    status,
    headers: Object.entries(headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]),
    body: typeof body === 'string' ? new TextEncoder().encode(body) : body,
  }
  return checkedResponse(
    'whenUnknown',
    response,
    "'retake', 'hold' or { status, headers?, body? }",
    found,
  )
}
