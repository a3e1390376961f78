import { slotOf } from '@oncekey/core'
import { consumer, createRelay } from '@oncekey/outbox'
import { waitFor } from '@oncekey/test-servers'
import { expect, test } from 'vitest'
import { gate, logOf, quick, turns } from './quick-relay.ts'

// A bug: a renewal that was answered while the last writes of a stop were under way released all
// slots of the relay. The writes were lost, and the starts that they take back stayed counted.
test('a renewal that is answered during the last writes of a stop takes no slot from them', async () => {
  const { log, emit } = logOf()
  const [renewed, written] = [gate(), gate()]
  let isOn = false
  let renewals = 0
  let settles = 0
  const releases: Promise<void>[] = []
  const lost: number[] = []
  const slow: typeof log = {
    ...log,
    async lease(request) {
      const lease = await log.lease(request)
      if (isOn) {
        renewals += 1
        await renewed.opened
      }
      return lease
    },
    async settle(request) {
      if (isOn) {
        settles += 1
        await written.opened
      }
      const settled = await log.settle(request)
      lost.push(...settled.lost)
      return settled
    },
    async release(request) {
      const releasing = log.release(request)
      releases.push(releasing)
      await releasing
    },
  }
  let calls = 0
  const name = 'a'
  const running = createRelay({
    ...quick,
    log: slow,
    consumers: [
      consumer({
        name,
        backoff: () => 0,
        handle() {
          calls += 1
          if (calls === 1) throw new Error('not yet')
          isOn = true
          return new Promise(() => {})
        },
      }),
    ],
  })
  await emit('one')
  running.start()
  await waitFor(() => renewals > 0, { what: 'a renewal during the second attempt' })
  const stopping = running.stop({ timeoutMs: 0 })
  await waitFor(() => settles > 0, { what: 'the last write' })
  renewed.open()
  await turns()
  await Promise.all(releases)
  const next = { consumer: name, relay: 'next', leaseMs: 60_000, holding: [] }
  const free = (await log.lease(next)).taken
  expect(free.map(({ slot }) => slot)).not.toContain(slotOf('one'))
  written.open()
  await stopping
  await turns()
  expect(lost).toEqual([])
  const taken = [...free, ...(await log.lease({ ...next, holding: free })).taken]
  expect(taken.filter(({ crashes }) => crashes === 0)).toHaveLength(64)
  // The attempt that failed. That of the stop is taken back, and this look counts its own.
  const due = await log.takeDue({ consumer: name, slots: taken, except: [], limit: 1 })
  expect(due.deliveries).toMatchObject([{ attempts: 1, starts: 2 }])
})
