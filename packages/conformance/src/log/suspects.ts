import assert from 'node:assert/strict'
import type { LogBehaviourGroup } from './fixture/log-behaviour.ts'
import { retrying } from './fixture/log-context.ts'

/** The cursor counts the starts of an event that may kill processes. */
export function suspects(): LogBehaviourGroup {
  return {
    title: 'suspects',
    behaviours: [
      {
        title: 'are counted across holders; another event begins at 1',
        async run({ log, reader, name, event }) {
          const consumer = name()
          const [one, other] = [event().id, event().id]
          const first = await reader({ consumer })
          const count = (by: typeof first, eventId: string) =>
            log.suspect({ consumer, slot: by.held(5), eventId })
          assert.equal(await count(first, one), 1)
          assert.equal(await count(first, one), 2)
          await first.release(true)
          const second = await reader({ consumer })
          assert.equal(await count(second, one), 3)
          assert.equal(await count(second, other), 1)
        },
      },
      {
        title: 'are taken back one by one, and not once another event was counted',
        async run({ log, reader, name, event }) {
          const consumer = name()
          const [one, other] = [event().id, event().id]
          const first = await reader({ consumer })
          const count = (by: typeof first, eventId: string, backTo?: number) =>
            log.suspect({
              consumer,
              slot: by.held(5),
              eventId,
              ...(backTo !== undefined && { backTo }),
            })
          await count(first, one)
          await count(first, one)
          await count(first, one, 1)
          await first.release(true)
          const second = await reader({ consumer })
          assert.equal(await count(first, one, 0), 'lost')
          assert.equal(await count(second, one), 2)
          await count(second, one, 0)
          assert.equal(await count(second, one), 1)
          await count(second, other)
          await count(second, one, 0)
          assert.equal(await count(second, other), 2)
        },
      },
      {
        title: 'that are on file are given back with the starts that stay on record',
        async run({ log, reader, event, append }) {
          const by = await reader()
          await append(event())
          await by.advance((await by.readAll()).map((each) => retrying(each)))
          await by.takeDue()
          const [due] = (await by.takeDue()).deliveries
          assert.deepEqual([due?.attempts, due?.starts], [1, 3])
          assert.ok(due)
          const { id, attempts, redrives } = due
          const { slot } = due.event
          const { lost } = await log.settle({
            consumer: by.consumer,
            slots: [by.held(slot)],
            settled: [
              {
                id,
                slot,
                verdict: { kind: 'retrying', delayMs: 0 },
                attempt: null,
                startsLeft: 2,
                claimed: { attempts, redrives },
              },
            ],
          })
          assert.deepEqual(lost, [])
          const [again] = (await by.takeDue()).deliveries
          assert.deepEqual([again?.attempts, again?.starts], [1, 3])
        },
      },
      {
        title: 'are told to the next holder if this one disappears, where the log says them at all',
        async run({ log, reader, name, event, shortLeaseMs, pass }) {
          const consumer = name()
          const { id: eventId } = event()
          const first = await reader({ consumer, leaseMs: shortLeaseMs })
          await log.suspect({ consumer, slot: first.held(5), eventId })
          await pass(shortLeaseMs * 1.4)
          const { slots } = await reader({ consumer })
          const told = slots.get(5)?.suspect
          assert.ok(told === undefined || told === eventId)
          assert.equal(slots.get(6)?.suspect, told === undefined ? undefined : null)
        },
      },
      {
        title: 'are not counted for a relay that lost the slot',
        async run({ log, reader, name, event }) {
          const consumer = name()
          const { id: eventId } = event()
          const first = await reader({ consumer })
          await first.release(true)
          const second = await reader({ consumer })
          assert.equal(await log.suspect({ consumer, slot: first.held(5), eventId }), 'lost')
          assert.equal(await log.suspect({ consumer, slot: second.held(5), eventId }), 1)
        },
      },
    ],
  }
}
