import { expect, onTestFinished, test, vi } from 'vitest'
import { attemptDelivery } from '../../src/delivery/attempt-delivery.ts'
import { databaseClock } from '../../src/delivery/database-clock.ts'
import type { ResolvedOptions } from '../../src/options/options.ts'
import type { ClaimedDelivery } from '../../src/statements/claims.ts'

// A bug: the clock by which the time since the claim was measured stands still while the host is
// suspended, so that deliveries were signed with a time that receivers refuse.
test.each([-60_000, 60_000])('a host whose clock jumped by %s ms signs nothing', async (byMs) => {
  const clock = databaseClock(Date.now())
  expect(Math.abs(Date.now() - Number(clock()))).toBeLessThan(1_000)
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + byMs })
  onTestFinished(() => void vi.useRealTimers())
  expect(clock()).toBeUndefined()
  // Without options or a secret nothing can be signed.
  const verdict = await attemptDelivery({ number: 1 } as ClaimedDelivery, {} as ResolvedOptions, {
    signal: new AbortController().signal,
    clock,
  })
  expect(verdict).toMatchObject({ state: 'retry', error: 'clock-jumped', blame: 'ours' })
})
