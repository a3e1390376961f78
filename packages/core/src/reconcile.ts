import { type Answer, markedAsReplay } from './answer.ts'
import { deriveKey } from './derive-key.ts'
import { callOption } from './engine/option-function.ts'
import type { Begun } from './engine.ts'
import type { ResolvedOptions } from './options.ts'
import type { Question } from './question.ts'
import { checkedResponse } from './response/checked-response.ts'
import type { Claim } from './store.ts'
import type { PlainResponse } from './stored-response.ts'
import type { Reconciliation, WhenUnknown } from './when-unknown.ts'

type Find = Extract<WhenUnknown, (...args: never[]) => unknown>
type Held = Extract<Answer, { kind: 'problem' }>

/** Asks what is true of a key once more, as this request. */
type AskAgain<Tx> = (policy: 'retake' | 'hold') => Promise<Begun<Tx>>

/**
 * Asks the app what became of a lost attempt, and makes it so: hold, run again, or store and answer
 * the response that it found the attempt to deserve. Of all who ask for one key at once it is asked for
 * the first, and the others see what came of it. Throws what the app's function throws.
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
      // Throws what the first was thrown, and then it is not known here either.
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
    const outcome = {
      namespace,
      scope,
      key,
      since,
      deriveKey: (label: string) => deriveKey(claim, label),
    }
    // Checked before the key is taken: what cannot be answered must not hold it.
    const found = await callOption(
      'whenUnknown',
      options.handlerTimeoutMs,
      () => find(outcome),
      checkFound,
    )
    if (found === 'hold') return held
    const retaken = await askAgain('retake')
    if (found === 'retake' || retaken.kind !== 'run') return retaken
    // A run lets go of the request once it is over, and this is an answer to it.
    const { request } = question
    // What was found is what is true of the key, whatever its status would mean for a handler's answer.
    retaken.run.context.keep()
    const verdict = await retaken.run.complete(found)
    if (verdict.kind === 'failure') throw verdict.error
    return verdict.kind === 'send'
      ? markedAsReplay(options, found, { ...question, request })
      : verdict
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
