import assert from 'node:assert/strict'
import type { LogBehaviourGroup } from './fixture/log-behaviour.ts'
import { idsOf } from './fixture/log-context.ts'

/**
 * An event that is taken in takes effect once, with the consumer's writes and events, or not at
 * all.
 */
export function inbox(): LogBehaviourGroup {
  return {
    title: 'inbox',
    behaviours: [
      {
        title: 'commits writes, events and the mark together',
        needs: ['transactions'],
        async run({ log, fixture, reader, event, name }) {
          const by = await reader()
          const [consumer, row, taken, emitted] = [name(), name(), event(), event()]
          const intake = await log.takeIn({ consumer, eventIds: [taken.id], timeoutMs: 5_000 })
          assert.deepEqual([...intake.fresh], [taken.id])
          await fixture.write?.(intake.handle, row)
          await intake.commit([emitted])
          assert.equal(await fixture.written?.(row), true)
          assert.deepEqual(idsOf(await by.readAll()), [emitted.id])
          const again = await log.takeIn({ consumer, eventIds: [taken.id], timeoutMs: 5_000 })
          assert.equal(again.fresh.size, 0)
          await again.rollback()
        },
      },
      {
        title: 'leaves nothing behind after a rollback, and takes the event in the next time',
        needs: ['transactions'],
        async run({ log, fixture, reader, event, name }) {
          const by = await reader()
          const [consumer, row, { id }] = [name(), name(), event()]
          const intake = await log.takeIn({ consumer, eventIds: [id], timeoutMs: 5_000 })
          await fixture.write?.(intake.handle, row)
          await intake.rollback()
          assert.equal(await fixture.written?.(row), false)
          assert.deepEqual(await by.readAll(), [])
          const again = await log.takeIn({ consumer, eventIds: [id], timeoutMs: 5_000 })
          assert.deepEqual([...again.fresh], [id])
          await again.rollback()
        },
      },
      {
        title: 'takes an event in once, of ten that try at the same time',
        needs: ['transactions'],
        async run({ log, fixture, event, name }) {
          const [consumer, { id }] = [name(), event()]
          const rows = Array.from({ length: 10 }, () => name())
          const outcomes = await Promise.all(
            rows.map(async (row) => {
              const intake = await log.takeIn({ consumer, eventIds: [id], timeoutMs: 20_000 })
              if (intake.fresh.size === 0) {
                await intake.rollback()
                return 0
              }
              await fixture.write?.(intake.handle, row)
              return intake.commit([]).then(
                () => 1,
                () => 0,
              )
            }),
          )
          assert.equal(
            outcomes.reduce<number>((sum, one) => sum + one, 0),
            1,
          )
          const written = await Promise.all(rows.map((row) => fixture.written?.(row)))
          assert.equal(written.filter(Boolean).length, 1)
        },
      },
      {
        title: 'reports which of several events are new',
        needs: ['transactions'],
        async run({ log, events, name }) {
          const consumer = name()
          const ids = idsOf(events(5))
          const first = await log.takeIn({ consumer, eventIds: ids.slice(1, 3), timeoutMs: 5_000 })
          await first.commit([])
          const all = await log.takeIn({ consumer, eventIds: ids, timeoutMs: 5_000 })
          assert.deepEqual([...all.fresh].sort(), [ids[0], ids[3], ids[4]].sort())
          await all.rollback()
        },
      },
      {
        title: 'remembers what was taken in for as long as the event is in the log',
        needs: ['transactions'],
        async run({ log, fixture, reader, event, append }) {
          const by = await reader()
          const taken = event()
          await append(taken)
          const asked = { consumer: by.consumer, eventIds: [taken.id], timeoutMs: 5_000 }
          await (await log.takeIn(asked)).commit([])
          await fixture.advance?.(60 * 86_400_000)
          await log.maintain()
          const again = await log.takeIn(asked)
          await again.rollback()
          assert.deepEqual([...again.fresh], [])
        },
      },
      {
        title: 'keeps consumers apart',
        needs: ['transactions'],
        async run({ log, event, name }) {
          const { id } = event()
          for (const consumer of [name(), name()]) {
            const intake = await log.takeIn({ consumer, eventIds: [id], timeoutMs: 5_000 })
            assert.equal(intake.fresh.size, 1)
            await intake.commit([])
          }
        },
      },
      {
        title: 'ends the transaction: later use of it fails and writes nothing',
        needs: ['transactions'],
        async run({ log, fixture, event, name }) {
          for (const end of ['commit', 'rollback'] as const) {
            const row = name()
            const intake = await log.takeIn({
              consumer: name(),
              eventIds: [event().id],
              timeoutMs: 5_000,
            })
            await (end === 'commit' ? intake.commit([]) : intake.rollback())
            await assert.rejects(async () => await fixture.write?.(intake.handle, row), {
              code: 'transaction-over',
            })
            assert.equal(await fixture.written?.(row), false)
          }
        },
      },
      {
        title: 'commits events emitted without a transaction once',
        async run({ log, reader, event, name }) {
          const by = await reader()
          const [consumer, taken, emitted] = [name(), event(), event()]
          const asked = { consumer, eventId: taken.id, events: [emitted] }
          assert.equal(await log.emit(asked), 'done')
          if (log.capabilities.transactions) assert.equal(await log.emit(asked), 'duplicate')
          const read = idsOf(await by.readAll())
          assert.ok(read.includes(emitted.id))
          if (log.capabilities.transactions) assert.equal(read.length, 1)
        },
      },
    ],
  }
}
