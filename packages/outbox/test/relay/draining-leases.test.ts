import { slotOf } from '@oncekey/core'
import { consumer, createRelay } from '@oncekey/outbox'
import { waitFor } from '@oncekey/test-servers'
import { expect, test } from 'vitest'
import { logOf, quick } from './quick-relay.ts'

// A bug: the loop that renews the leases ended with stop() if nothing was under way at that moment,
// though deliveries that were being claimed began after it.
test('leases are renewed for an attempt that begins while the relay stops', async () => {
  const { emit, log } = logOf()
  let answer = (): void => {}
  let isClaimed = false
  let renewals = 0
  const slow: typeof log = {
    ...log,
    async lease(request) {
      const lease = await log.lease(request)
      if (request.waiting) renewals += 1
      return lease
    },
    async takeDue(request) {
      const due = await log.takeDue(request)
      if (due.deliveries.length === 0) return due
      await new Promise<void>((resolve) => {
        answer = resolve
        isClaimed = true
      })
      return due
    },
  }
  let end: (() => void) | undefined
  const relay = createRelay({
    ...quick,
    log: slow,
    consumers: [
      consumer({
        name: 'slow',
        backoff: () => 0,
        handle({ attempt }) {
          if (attempt === 1) throw new Error('not yet')
          return new Promise<void>((resolve) => {
            end = resolve
          })
        },
      }),
    ],
  })
  await emit('one')
  relay.start()
  await waitFor(() => isClaimed, { what: 'a claim' })
  const stopping = relay.stop({ timeoutMs: 60_000 })
  // The loops have seen that the relay stops.
  await new Promise((resolve) => setImmediate(resolve))
  answer()
  await waitFor(() => end, { what: 'the attempt' })
  await waitFor(() => renewals > 3, { what: 'renewals' })
  end?.()
  await stopping
  expect(await log.held({ consumer: 'slow', slots: [slotOf('one')] })).toEqual([])
})

// A bug: after failures, the loop that renews leases waited for up to 5 s, and the last release
// waited for it. A stop that was quicker did not take its leave, and said that the log had not
// answered.
test('a relay whose renewals fail takes its leave when it stops', async () => {
  const { log } = logOf()
  let failures = 0
  let isLeased = false
  let released = 0
  let hasLeft = false
  const failing: typeof log = {
    ...log,
    async lease(request) {
      if (!isLeased) {
        isLeased = true
        return await log.lease({ ...request, leaseMs: 60_000 })
      }
      failures += 1
      throw new Error('The connection was refused.')
    },
    async release(request) {
      await log.release(request)
      released += request.slots.length
      hasLeft ||= request.leaving
    },
  }
  const relay = createRelay({
    ...quick,
    log: failing,
    consumers: [consumer({ name: 'a', handle() {} })],
  })
  relay.start()
  await waitFor(() => failures === 5, { what: 'a long wait between renewals' })
  await relay.stop({ timeoutMs: 0 })
  expect({ released, hasLeft }).toEqual({ released: 64, hasLeft: true })
})

// A bug: a relay whose share grew while it gave up a slot took in pages of that slot again, though
// it might be another relay's already.
test('a relay starts nothing of a slot that the log is being told to release', async () => {
  const { emit, log } = logOf()
  let share: number | undefined
  let leases = 0
  let isHeld = false
  const calls: string[] = []
  const slow: typeof log = {
    ...log,
    async lease(request) {
      const lease = await log.lease(request)
      leases += 1
      return { ...lease, share: share ?? lease.share }
    },
    async release(request) {
      if (!isHeld && request.slots.length > 0) {
        isHeld = true
        share = undefined
        await emit('one')
        const before = leases
        const isOver = () => leases > before + 2 || calls.length > 0
        await waitFor(isOver, { what: 'the share to grow' })
      }
      await log.release(request)
    },
  }
  const relay = createRelay({
    ...quick,
    leaseMs: 300,
    log: slow,
    consumers: [
      consumer({
        name: 'a',
        handle({ event: { subject } }) {
          calls.push(String(subject))
        },
      }),
    ],
  })
  relay.start()
  await waitFor(() => leases > 0, { what: 'slots' })
  share = 0
  await waitFor(async () => (await log.lag('a')).events === 0 && calls.length > 0, {
    what: 'the event',
  })
  await relay.stop()
  expect(calls).toEqual(['one'])
})
