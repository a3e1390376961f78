import assert from 'node:assert/strict'
import type { LogBehaviourGroup } from './fixture/log-behaviour.ts'
import { allSlots, type LogContext, type Reader } from './fixture/log-context.ts'

/**
 * A log that crashed, failed over or was restored begins another life, in which it may hand out
 * numbers again. What a relay remembers belongs to the earlier life, but the relay itself still
 * runs.
 */
export function lives(): LogBehaviourGroup {
  return {
    title: 'another life',
    behaviours: [
      {
        title: 'reads nothing from positions of an earlier one',
        needs: ['lives'],
        async run({ fixture, reader, append, event }) {
          const by = await reader()
          await append(event())
          await fixture.anotherLife?.()
          await assert.rejects(by.read(), { code: 'log-restored' })
          await by.lease()
          assert.equal((await by.readAll()).length, 1)
        },
      },
      {
        title: 'begins no transaction for slots that were leased in an earlier one',
        needs: ['lives', 'transactions'],
        async run({ log, fixture, reader, event }) {
          const by = await reader()
          const takeIn = (eventId: string) =>
            log.takeIn({
              consumer: by.consumer,
              eventIds: [eventId],
              slots: [by.held(7)],
              timeoutMs: 5_000,
            })
          const before = await takeIn(event().id)
          await before.commit([])
          await fixture.anotherLife?.()
          const { id } = event()
          await assert.rejects(takeIn(id), { code: 'log-restored' })
          await by.lease()
          const after = await takeIn(id)
          assert.deepEqual([...after.fresh], [id])
          await after.rollback()
        },
      },
      {
        title: 'gives a relay its slots again, and counts it as gone in none of them',
        needs: ['lives'],
        async run({ fixture, reader }) {
          const by = await reader()
          for (let lives = 0; lives < 3; lives += 1) {
            await fixture.anotherLife?.()
            const { taken, lost } = await by.lease()
            assert.deepEqual(sorted(lost), [...allSlots])
            assert.deepEqual(sorted(taken.map(({ slot }) => slot)), [...allSlots])
            assert.ok(taken.every(({ crashes }) => crashes === 0))
          }
        },
      },
      {
        // A bug: after a restart that took longer than a lease, whoever asked first took all slots,
        // and each counted a holder that had vanished.
        title: 'gives every relay as long as its lease to come back for its slots',
        needs: ['lives'],
        async run(context) {
          const { fixture, pass, shortLeaseMs } = context
          const [one, two] = await sharing(context)
          const before = [one, two].map(({ slots }) => sorted([...slots.keys()]))
          await pass(shortLeaseMs * 1.4)
          await fixture.anotherLife?.()
          const taken = [...(await two.lease()).taken, ...(await one.lease()).taken]
          assert.deepEqual(
            [one, two].map(({ slots }) => sorted([...slots.keys()])),
            before,
          )
          assert.ok(taken.every(({ crashes }) => crashes === 0))
        },
      },
      {
        title: 'counts a relay as gone that does not come back in that time',
        needs: ['lives'],
        async run(context) {
          const { fixture, pass, shortLeaseMs } = context
          const [one, two] = await sharing(context)
          await fixture.anotherLife?.()
          await two.lease()
          assert.equal(two.slots.size, 32)
          await pass(shortLeaseMs * 0.7)
          await two.lease()
          await pass(shortLeaseMs * 0.7)
          const { taken } = await two.lease()
          assert.deepEqual(sorted(taken.map(({ slot }) => slot)), sorted([...one.slots.keys()]))
          assert.ok(taken.every(({ crashes }) => crashes === 1))
        },
      },
    ],
  }
}

/** Two relays that have half of the slots each. */
async function sharing({ log, reader, name, shortLeaseMs }: LogContext): Promise<[Reader, Reader]> {
  const consumer = name()
  const one = await reader({ consumer, leaseMs: shortLeaseMs })
  const two = await reader({ consumer, leaseMs: shortLeaseMs })
  const half = [...one.slots.values()].slice(32)
  await log.release({ consumer, relay: one.relay, slots: half, leaving: false })
  for (const { slot } of half) {
    one.slots.delete(slot)
    one.positions.delete(slot)
  }
  await two.lease()
  return [one, two]
}

function sorted(slots: readonly number[]): number[] {
  return [...slots].sort((one, other) => one - other)
}
