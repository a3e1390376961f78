import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { memoryLog, memoryStore } from '@oncekey/core'
import { deadLetterAlerts } from '@oncekey/outbox'
import { waitFor } from '@oncekey/test-servers'
import { expect, test } from 'vitest'

// A bug: a check that was under way at the stop went on after the next start, beside the new loop,
// and the next stop ended only one of the two.
test('alerts that were stopped in the middle of a check and started again check in one loop', async () => {
  const { deadLetters } = memoryLog(memoryStore())
  const open: (() => void)[] = []
  let checks = 0
  const alerts = deadLetterAlerts({
    everyMs: 1,
    source: {
      ...deadLetters,
      async stats() {
        checks += 1
        await new Promise<void>((resolve) => open.push(resolve))
        return deadLetters.stats()
      },
    },
  })
  const end = () => {
    for (const resolve of open.splice(0)) resolve()
  }
  alerts.start()
  alerts.stop()
  alerts.start()
  expect(checks).toBe(2)
  end()
  await waitFor(() => checks >= 3, { what: 'the next check' })
  // Each further check of one loop is the only one that is open. A second loop would open its own.
  for (let next = 4; next < 10; next += 1) {
    end()
    await waitFor(() => checks >= next, { what: `check ${next}` })
    expect([checks, open.length]).toEqual([next, 1])
  }
  alerts.stop()
  end()
})

// Bugs: a check that outlasted the stop still paged, and reported the pool that was ended by then.
test.each(['alerts', 'fails'])('a check that %s after the stop says nothing', async (how) => {
  const { deadLetters } = memoryLog(memoryStore())
  let answer = (): void => {}
  let asked = false
  const said: unknown[] = []
  const heard = (message: unknown): void => void said.push(message)
  const alerts = deadLetterAlerts({
    maxAgeMs: 1,
    onAlert: heard,
    source: {
      ...deadLetters,
      async stats() {
        asked = true
        await new Promise<void>((resolve) => {
          answer = resolve
        })
        if (how === 'fails') throw new Error('Cannot use a pool after calling end on the pool')
        return { ...(await deadLetters.stats()), oldestAgeMs: 60_000 }
      },
    },
  })
  subscribe('oncekey:relay-error', heard)
  try {
    alerts.start()
    await waitFor(() => asked, { what: 'the check' })
    alerts.stop()
    answer()
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve))
    expect(said).toEqual([])
  } finally {
    unsubscribe('oncekey:relay-error', heard)
  }
})

// A bug: one consumer whose lag could not be read kept all alerts from being sent.
test('a lag that cannot be read is told, and hides neither dead letters nor other consumers', async () => {
  const { deadLetters } = memoryLog(memoryStore())
  const told: unknown[] = []
  const heard = (message: unknown): void => void told.push(message)
  subscribe('oncekey:relay-error', heard)
  try {
    const alerts = deadLetterAlerts({
      maxDepth: 0,
      maxLagMs: 1,
      onAlert: () => {},
      source: {
        ...deadLetters,
        stats: async () => ({ ...(await deadLetters.stats()), depth: 3 }),
      },
      lag: {
        consumers: ['unreadable', 'behind'],
        log: {
          async lag(consumer) {
            if (consumer === 'unreadable') throw new Error('canceling statement due to timeout')
            return { known: true, events: 5, oldestMs: 60_000, horizon: null }
          },
        },
      },
    })
    const sent = await alerts.check()
    expect(sent.map(({ kind, about }) => [kind, about])).toEqual([
      ['depth', undefined],
      ['lag', 'behind'],
    ])
    expect(told).toMatchObject([{ relay: 'alerts', consumer: 'unreadable', during: 'alert' }])
  } finally {
    unsubscribe('oncekey:relay-error', heard)
  }
})
