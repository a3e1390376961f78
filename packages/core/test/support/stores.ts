import type { Attempt, Claim, Decision, Store } from '../../src/contracts/store.ts'
import { memoryStore } from '../../src/memory/memory-store.ts'

/**
 * A scripted store, for behaviour that no sound store shows. It answers `run` with an attempt that
 * ends as requested, and records its calls.
 */
export function storeThat(
  behaviour: {
    readonly mode?: 'transaction' | 'lease'
    /** The answers to successive claims; the last one repeats. */
    readonly begin?: ReadonlyArray<(claim: Claim) => Decision | Promise<Decision>>
    readonly open?: () => Promise<Attempt>
    readonly attempt?: Partial<Attempt>
  } = {},
): Store & { readonly claims: Claim[]; readonly calls: string[]; readonly attempt: Attempt } {
  const { mode = 'transaction', begin = [] } = behaviour
  const claims: Claim[] = []
  const calls: string[] = []
  const attempt = attemptThat(calls, behaviour.attempt)
  // Keys that the engine never asks for.
  const { keys, operations } = memoryStore({ mode })
  return {
    claims,
    calls,
    attempt,
    capabilities: { name: 'misbehaving', mode, transactions: true, concurrency: 'many' },
    async begin(claim) {
      claims.push(claim)
      const answer = begin[Math.min(claims.length, begin.length) - 1]
      return answer === undefined ? { kind: 'run', attempt } : answer(claim)
    },
    open: behaviour.open ?? (async () => attempt),
    keys,
    operations,
  }
}

/** An attempt whose methods succeed unless overridden; `calls` receives their names. */
export function attemptThat(calls: string[] = [], behaviour: Partial<Attempt> = {}): Attempt {
  const { number = 1, askedAt } = behaviour
  const called = <Verb extends keyof Attempt>(verb: Verb, answer: Attempt[Verb]): Attempt[Verb] => {
    const act = (behaviour[verb] ?? answer) as (...args: unknown[]) => unknown
    return ((...args: unknown[]) => {
      calls.push(verb)
      return act(...args)
    }) as Attempt[Verb]
  }
  return {
    number,
    ...(askedAt !== undefined && { askedAt }),
    transaction: called('transaction', async () => 'tx'),
    complete: called('complete', async () => 'stored'),
    release: called('release', async () => {}),
    abandon: called('abandon', async () => {}),
    renew: called('renew', async () => 'held'),
  }
}
