import { inspect } from 'node:util'
import { type Answer, markedAsReplay } from './answer.ts'
import { deriveKey } from './derive-key.ts'
import type { Begun } from './engine.ts'
import { OptionsError } from './errors.ts'
import type { ResolvedOptions } from './options.ts'
import type { Question } from './question.ts'
import type { Claim } from './store.ts'
import type { PlainResponse } from './stored-response.ts'
import type { Reconciliation, WhenUnknown } from './when-unknown.ts'

/**
 * Asks the app what became of a lost attempt, and makes it so: hold, run again, or store and answer
 * the response that it found the attempt to deserve. Throws what the app's function throws.
 */
export async function reconcile<Tx>(
  find: Extract<WhenUnknown, (...args: never[]) => unknown>,
  options: ResolvedOptions<Tx>,
  claim: Claim,
  held: Extract<Answer, { kind: 'problem' }>,
  retake: () => Promise<Begun<Tx>>,
  question: Question,
): Promise<Begun<Tx>> {
  const { namespace, scope, key } = claim
  const since = held.since ?? new Date(0)
  const found = await find({
    namespace,
    scope,
    key,
    since,
    deriveKey: (label) => deriveKey(claim, label),
  })
  if (found === 'hold') return held
  if (found === 'retake') return retake()

  // Before the key is taken: what cannot be answered must not hold it.
  const response = plainResponse(found)
  const retaken = await retake()
  if (retaken.kind !== 'run') return retaken
  // What was found is what is true of the key, whatever its status would mean for a handler's answer.
  retaken.run.context.keep()
  const verdict = await retaken.run.complete(response)
  return verdict.kind === 'send' ? markedAsReplay(options, response, question) : verdict
}

function plainResponse(found: Exclude<Reconciliation, string>): PlainResponse {
  const { status, headers = {}, body = '' } = found ?? {}
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw new OptionsError(
      `whenUnknown() must return 'retake', 'hold' or { status, headers?, body? }, not ${inspect(found, { depth: 0 })}.`,
    )
  }
  return {
    status,
    headers: Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const),
    body: typeof body === 'string' ? new TextEncoder().encode(body) : body,
  }
}
