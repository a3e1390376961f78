import type { Claim } from '../contracts/store.ts'
import type { PlainResponse } from '../contracts/stored-response.ts'
import type { Reconciliation, WhenUnknown } from '../contracts/when-unknown.ts'
import { callOption } from '../options/call-option.ts'
import { deriveKey } from '../request/derive-key.ts'
import { checkedResponse } from '../response/checked-response.ts'
import { markedAsReplay } from './answer.ts'
import type { Begun } from './handler-run.ts'
import type { ResolvedOptions } from './options.ts'
import type { Answer } from './outcome.ts'
import type { Question } from './question.ts'

type Find = Extract<WhenUnknown, (...args: never[]) => unknown>
type Held = Extract<Answer, { kind: 'problem' }>

/** Claims the key again for this request. */
type AskAgain<Tx> = (policy: 'retake' | 'hold') => Promise<Begun<Tx>>

/**
 * Asks the app's `whenUnknown` function what became of a lost attempt, and acts on it: hold the
 * key, run the handler again, or store and answer the response that it returns. Of concurrent
 * requests for one key only the first calls the function; the others wait and claim again. Throws
 * what the function throws.
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
  const flights = new Map<string, Promise<unknown>>()

  return async function reconcile(find, claim, held, askAgain, question) {
    const id = JSON.stringify([claim.scope, claim.key])
    const flight = flights.get(id)
    if (flight !== undefined) {
      // If the first call threw, the outcome is unknown to this request too, and it throws the same
      // error.
      await flight
      return askAgain('hold')
    }
    const asked = askAndDo(find, claim, held, askAgain, question)
    flights.set(id, asked)
    try {
      return await asked
    } finally {
      flights.delete(id)
    }
  }

  async function askAndDo(
    find: Find,
    claim: Claim,
    held: Held,
    askAgain: AskAgain<Tx>,
    question: Question,
  ): Promise<Begun<Tx>> {
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
    if (found === 'hold') return held
    const retaken = await askAgain('retake')
    if (found === 'retake' || retaken.kind !== 'run') return retaken
    // Saved here because a run drops its request when it ends, and the answer is made after that.
    const { request } = question
    // The finding is kept whatever its status, because dispositions are for handlers' responses.
    retaken.run.context.keep()
    const outcome = await retaken.run.complete(found)
    if (outcome.kind === 'failure') throw outcome.error
    return outcome.kind === 'send'
      ? markedAsReplay(options, found, { ...question, request })
      : outcome
  }
}

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
