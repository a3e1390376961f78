import type { Attempt, Completion, Store } from '../../src/contracts/store.ts'
import { createEngine } from '../../src/engine/engine.ts'
import type { HandlerRun } from '../../src/engine/handler-run.ts'
import type { EngineOptions } from '../../src/engine/options.ts'
import type { RunOutcome } from '../../src/engine/outcome.ts'
import { post } from '../support/post.ts'
import { storeThat } from '../support/stores.ts'

type Options = Omit<EngineOptions<unknown>, 'store'>

export async function runOver(
  store: Store<unknown>,
  options: Options = {},
  key: string | undefined = 'k-1',
): Promise<HandlerRun> {
  const begun = await createEngine({ store, ...options }).begin(post(key))
  if (begun.kind !== 'run') throw new Error(`expected a run, got ${JSON.stringify(begun)}`)
  return begun.run
}

/** A run whose attempt behaves as scripted, and the calls that the attempt received. */
export async function runUnder(
  attempt: Partial<Attempt>,
  options: Options & { mode?: 'lease' | 'transaction' } = {},
) {
  const { mode = 'transaction', ...rest } = options
  const completions: Completion[] = []
  const { complete = async () => 'stored' as const } = attempt
  const store = storeThat({
    mode,
    attempt: {
      ...attempt,
      complete(completion) {
        completions.push(completion)
        return complete(completion)
      },
    },
  })
  const run = await runOver(store, rest)
  return { run, calls: store.calls, completions }
}

export const codeOf = (outcome: RunOutcome) =>
  outcome.kind === 'problem' ? outcome.code : outcome.kind
