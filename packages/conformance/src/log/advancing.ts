import assert from 'node:assert/strict'
import type { LogBehaviourGroup } from './fixture/log-behaviour.ts'
import { dead, find, idsOf, retrying } from './fixture/log-context.ts'

/** Only the holder of a slot moves its cursor, and only forward. */
export function advancing(): LogBehaviourGroup {
  return {
    title: 'advancing',
    behaviours: [
      {
        title: 'is where the next holder begins',
        async run({ reader, events, append, name }) {
          const consumer = name()
          const given = events(12)
          const one = await reader({ consumer })
          await append(...given.slice(0, 8))
          await one.readAll(3)
          await one.advance()
          await append(...given.slice(8))
          await one.readAll()
          await one.release(true)
          const two = await reader({ consumer })
          assert.deepEqual(idsOf(await two.readAll()).sort(), idsOf(given.slice(8)).sort())
        },
      },
      {
        title: 'stops behind an event in the middle of a page',
        async run({ log, reader, events, append, name }) {
          const consumer = name()
          const given = events(6, { orderingKey: name() })
          const one = await reader({ consumer })
          await append(...given)
          const read = await one.readAll(4)
          const { slot, position } = find(read, given[2] as { id: string })
          const held = one.held(slot)
          await log.advance({ consumer, slots: [{ ...held, position, calm: false, failed: [] }] })
          await one.release(true)
          const two = await reader({ consumer })
          assert.deepEqual(idsOf(await two.readAll()), idsOf(given.slice(3)))
        },
      },
      {
        title: 'does nothing for a relay that lost the slot: neither cursor nor failures',
        async run({ log, reader, event, append, name, shortLeaseMs, pass }) {
          const consumer = name()
          const [given, filed] = [event(), event()]
          const one = await reader({ consumer, leaseMs: shortLeaseMs })
          await append(given, filed)
          const read = await one.readAll()
          await pass(shortLeaseMs * 1.4)
          const two = await reader({ consumer })
          const lost = await one.advance([dead(find(read, filed))])
          assert.equal(lost.length, 64)
          assert.equal((await two.readAll()).length, 2)
          assert.equal(await log.deadLetters.count({ origin: consumer }), 0)
        },
      },
      {
        title: 'moves the slots that are held even if others are lost',
        async run({ log, reader, events, append, name }) {
          const consumer = name()
          const one = await reader({ consumer })
          const given = events(40)
          await append(...given)
          const read = await one.readAll()
          const gone = [...one.slots.values()].filter(({ slot }) => slot % 2 === 0)
          await log.release({ consumer, relay: one.relay, slots: gone, leaving: false })
          const two = await reader({ consumer })
          assert.equal(two.slots.size, 32)
          const lost = await one.advance()
          assert.deepEqual(
            [...lost].sort((a, b) => a - b),
            gone.map(({ slot }) => slot),
          )
          await two.release(true)
          await one.release(true)
          const three = await reader({ consumer })
          const expected = read.filter(({ slot }) => slot % 2 === 0)
          assert.deepEqual(idsOf(await three.readAll()).sort(), idsOf(expected).sort())
        },
      },
      {
        title: 'never goes back',
        async run({ log, reader, events, append, name }) {
          const consumer = name()
          const one = await reader({ consumer })
          const key = name()
          await append(...events(3, { orderingKey: key }))
          const read = await one.readAll()
          const [first] = read
          assert.ok(first)
          await one.advance()
          const back = { ...one.held(first.slot), position: first.position }
          await log
            .advance({ consumer, slots: [{ ...back, calm: false, failed: [] }] })
            .catch(() => {})
          await one.release(true)
          const two = await reader({ consumer })
          assert.deepEqual(await two.readAll(), [])
        },
      },
      {
        title: 'may be repeated after its reply was lost',
        async run({ log, reader, event, append, name }) {
          const consumer = name()
          const one = await reader({ consumer })
          const given = event()
          await append(given)
          const failed = [dead(find(await one.readAll(), given))]
          assert.deepEqual(await one.advance(failed), [])
          assert.deepEqual(await one.advance(failed), [])
          assert.equal(await log.deadLetters.count({ origin: consumer }), 1)
        },
      },
      {
        title: 'files failed deliveries in the same commit, and nothing else',
        async run({ log, reader, events, append, name }) {
          const consumer = name()
          const one = await reader({ consumer })
          const given = events(5)
          await append(...given)
          const read = await one.readAll()
          const [broken, later] = [find(read, given[1] as never), find(read, given[3] as never)]
          await one.advance([dead(broken), retrying(later)])
          const { items } = await log.deadLetters.list({ origin: consumer }, { limit: 10 })
          assert.deepEqual(
            items.map(({ eventId, reason, attempts }) => ({ eventId, reason, attempts })),
            [{ eventId: broken.id, reason: 'permanent', attempts: 1 }],
          )
          const { deliveries } = await one.takeDue()
          assert.deepEqual(
            deliveries.map(({ event }) => event.id),
            [later.id],
          )
        },
      },
    ],
  }
}
