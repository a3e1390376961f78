import type { Claim } from '@oncekey/core'
import { expect, test } from 'vitest'
import { concurrencyLimit } from '../../src/sql/concurrency-limit.ts'
import type { StoreState } from '../../src/store/attempt/store-state.ts'
import { waitElsewhere } from '../../src/store/transaction/wait-elsewhere.ts'

// A bug: the time was read twice, and if it ended in between, the wait was sent with 0, which to
// the server is no limit: the request waited until its connection was given up, and got 503.
test('a wait whose time ends as it begins is never sent without a limit', async () => {
  const sent: number[] = []
  const store = {
    elsewhere: new Map(),
    maxWaiters: 1,
    waiters: concurrencyLimit(1),
    attempts: concurrencyLimit(1),
    acquireTimeoutMs: 1_000,
    statements: {
      waitForEnd(_: Claim, __: string, waitMs: number) {
        sent.push(waitMs)
        return { name: 'wait_for_end', text: '', values: [] }
      },
    },
    client: { query: async () => [{ reply: '{"state":"in-progress"}' }] },
  } as unknown as StoreState<unknown>
  const left = [50, 50, 1]
  const patience = { leftMs: () => left.shift() ?? 0, outlasts: async () => false }
  const claim = { signal: new AbortController().signal } as Claim
  const key = { id: 'k', lock: '1' } as Parameters<typeof waitElsewhere>[2]
  expect(await waitElsewhere(store, claim, key, patience)).toEqual({ kind: 'in-progress' })
  expect(sent).toEqual([1])
})
