import type { StoreFixture } from '@oncekey/conformance'
import type { Attempt, Claim, Decision } from '@oncekey/core'
import { plainFixture } from './broken-stores/plain-fixture.ts'
import type { PlainTransaction } from './broken-stores/plain-table.ts'

/**
 * A store like an embedded database: a running attempt holds the only session until it ends.
 * Everyone else waits for the session, and a test that looks while it holds the attempt itself
 * waits forever.
 */
export function oneSession(): StoreFixture<PlainTransaction> {
  const { another: _, ...fixture } = plainFixture('transaction')
  const { store } = fixture
  const running = new Set<string>()
  const asking = new Map<string, Promise<unknown>>()
  let session = Promise.resolve()

  async function takeSession(): Promise<() => void> {
    const before = session
    let release = (): void => {}
    session = new Promise((resolve) => {
      release = resolve
    })
    await before
    return release
  }

  async function inSession<Result>(act: () => Result | Promise<Result>): Promise<Result> {
    const release = await takeSession()
    try {
      return await act()
    } finally {
      release()
    }
  }

  function holding(
    attempt: Attempt<PlainTransaction>,
    over: () => void,
  ): Attempt<PlainTransaction> {
    const ending =
      <Arguments extends unknown[], Result>(end: (...given: Arguments) => Promise<Result>) =>
      (...given: Arguments): Promise<Result> =>
        end(...given).finally(over)
    return {
      ...attempt,
      complete: ending(attempt.complete),
      release: ending(attempt.release),
      abandon: ending(attempt.abandon),
    }
  }

  async function begin(claim: Claim): Promise<Decision<PlainTransaction>> {
    const id = JSON.stringify([claim.namespace, claim.scope, claim.key])
    const inProgress = { kind: 'in-progress', retryAfterMs: 1000 } as const
    const until = performance.now() + claim.waitMs
    for (;;) {
      // Claims on a running key are decided without the session, which is how a 409 is possible.
      if (running.has(id) && (performance.now() >= until || claim.signal.aborted)) return inProgress
      if (!running.has(id) && !asking.has(id)) break
      await (asking.get(id) ?? new Promise((resolve) => setTimeout(resolve, 2)))
      if (claim.signal.aborted) return inProgress
    }
    const answer = ask(id, claim)
    asking.set(id, answer)
    return answer.finally(() => asking.delete(id))
  }

  async function ask(id: string, claim: Claim): Promise<Decision<PlainTransaction>> {
    const release = await takeSession()
    const decision = await store.begin({ ...claim, waitMs: 0 })
    if (decision.kind !== 'run') {
      release()
      return decision
    }
    running.add(id)
    let isOver = false
    const over = (): void => {
      if (isOver) return
      isOver = true
      running.delete(id)
      release()
    }
    return { kind: 'run', attempt: holding(decision.attempt, over) }
  }

  return {
    ...fixture,
    store: {
      capabilities: { ...store.capabilities, concurrency: 'one' },
      begin,
      async open(options) {
        const release = await takeSession()
        return holding(await store.open(options), release)
      },
      keys: {
        ...store.keys,
        get: (...given) => inSession(() => store.keys.get(...given)),
        release: (...given) => inSession(() => store.keys.release(...given)),
        answer: (...given) => inSession(() => store.keys.answer(...given)),
        forget: (...given) => inSession(() => store.keys.forget(...given)),
      },
      operations: store.operations,
    },
    written: (id, within) =>
      within === undefined
        ? inSession(() => fixture.written?.(id) ?? false)
        : (fixture.written?.(id, within) ?? false),
    events: () => inSession(() => fixture.events?.() ?? []),
  }
}
