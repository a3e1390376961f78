import assert from 'node:assert/strict'
import type { LogBehaviour } from './fixture/log-behaviour.ts'
import { dead, find, idsOf, parked, retrying } from './fixture/log-context.ts'

/** Deliveries of an ordered consumer come in the order of their keys. */
export function orderedDeliveries(): LogBehaviour[] {
  return [
    {
      title: 'come in runs to an ordered consumer: the first of a key with those that wait for it',
      needs: ['ordering'],
      async run({ reader, events, append, name }) {
        const by = await reader()
        const given = events(4, { orderingKey: name() })
        const [other] = events(1)
        assert.ok(other)
        await append(...given, other)
        const read = await by.readAll()
        const [first, ...rest] = given.map((each) => find(read, each))
        assert.ok(first)
        await by.advance([retrying(first), ...rest.map(parked), retrying(find(read, other))])
        const { deliveries: due } = await by.takeDue({ run: 3, limit: 2 })
        const ofKey = due.filter(({ event }) => event.id !== other.id)
        // At most 3 per key and 3 in all, the first of each key before any second.
        assert.deepEqual(
          ofKey.map(({ event }) => event.id),
          idsOf(given).slice(0, 2),
        )
        assert.equal(due.length, 3)
        assert.deepEqual(
          ofKey.map(({ attempts, starts }) => [attempts, starts]),
          [
            [1, 2],
            [0, 0],
          ],
        )
        // A delivery behind one that is under way is not returned.
        assert.deepEqual(await by.takeDue({ run: 3, except: due.map(({ id }) => id) }), {
          deliveries: [],
          nextInMs: null,
        })
        for (const each of due) await by.settle(each, { kind: 'done' })
        const { deliveries: after } = await by.takeDue({ run: 3 })
        assert.deepEqual(idsOf(after.map(({ event }) => event)), idsOf(given).slice(2))
        assert.equal(after[0]?.starts, 1)
      },
    },
    {
      title: 'do not come to an ordered consumer while an earlier one waits',
      needs: ['ordering'],
      async run({ reader, events, append, name, pass }) {
        const by = await reader()
        const given = events(3, { orderingKey: name() })
        await append(...given)
        const read = await by.readAll()
        const [first, second, third] = given.map((each) => find(read, each))
        assert.ok(first && second && third)
        await by.advance([retrying(first, 2_000), retrying(second), parked(third)])
        const { deliveries: none, nextInMs } = await by.takeDue({ run: 10 })
        assert.deepEqual(none, [])
        assert.ok(nextInMs !== null && nextInMs > 0 && nextInMs <= 2_000)
        await pass(2_050)
        const { deliveries: due } = await by.takeDue({ run: 10 })
        assert.deepEqual(idsOf(due.map(({ event }) => event)), idsOf(given))
      },
    },
    {
      title: 'that were redriven come to an ordered consumer before those behind them in the log',
      needs: ['ordering'],
      async run({ log, reader, events, append, name }) {
        const by = await reader()
        const orderingKey = name()
        const given = events(3, { orderingKey })
        await append(...given)
        const read = await by.readAll()
        const [first, second, third] = given.map((each) => find(read, each))
        assert.ok(first && second && third)
        await by.advance([dead(first), retrying(second), parked(third)])
        await log.deadLetters.redrive({ origin: by.consumer }, { limit: 10 })
        const held = await log.held({
          consumer: by.consumer,
          slots: [first.slot],
          orderingKeys: [orderingKey, name()],
        })
        assert.deepEqual(held, [{ slot: first.slot, orderingKey, count: 3 }])
        const [head] = (await by.takeDue({ run: 1 })).deliveries
        assert.equal(head?.event.id, first.id)
        await by.settle(head as never, { kind: 'retrying', delayMs: 60_000 })
        assert.deepEqual((await by.takeDue({ run: 10 })).deliveries, [])
      },
    },
    {
      title: 'that are filed while the one before them ends come to an ordered consumer',
      needs: ['ordering'],
      async run({ reader, events, append, name }) {
        const by = await reader()
        const keys = Array.from({ length: 8 }, () => name())
        const ofEachKey = () => keys.flatMap((orderingKey) => events(1, { orderingKey }))
        await append(...ofEachKey())
        const firsts = await by.readAll()
        await by.advance(firsts.map((event) => retrying(event)))
        const { deliveries } = await by.takeDue({ run: 1 })
        assert.equal(deliveries.length, keys.length)
        await append(...ofEachKey())
        const seconds = await by.readAll()
        await Promise.all([
          by.advance(seconds.map(parked)),
          ...deliveries.map((due) => by.settle(due, { kind: 'done' })),
        ])
        const { deliveries: next } = await by.takeDue({ run: 1 })
        assert.deepEqual(idsOf(next.map(({ event }) => event)).sort(), idsOf(seconds).sort())
      },
    },
    {
      title: 'that were started but never settled come alone to an ordered consumer, too',
      needs: ['ordering'],
      async run({ reader, events, append, name }) {
        const consumer = name()
        const one = await reader({ consumer })
        const given = events(3, { orderingKey: name() })
        await append(...given)
        const read = await one.readAll()
        const [first, ...rest] = given.map((each) => find(read, each))
        assert.ok(first)
        await one.advance([retrying(first), ...rest.map(parked)])
        assert.equal((await one.takeDue({ run: 10 })).deliveries.length, 3)
        await one.release(true)
        const two = await reader({ consumer })
        const { deliveries: due } = await two.takeDue({ run: 10 })
        assert.deepEqual(idsOf(due.map(({ event }) => event)), [first.id])
        assert.equal(due[0]?.starts, 3)
        await two.settle(due[0] as never, { kind: 'done' })
        assert.equal((await two.takeDue({ run: 10 })).deliveries.length, 2)
      },
    },
    {
      title: 'are counted by ordering key, for a relay that takes a slot over',
      needs: ['ordering'],
      async run({ log, reader, events, append, name }) {
        const by = await reader()
        const orderingKey = name()
        await append(...events(3, { orderingKey }), ...events(1))
        const read = await by.readAll()
        const mine = read.filter((event) => event.orderingKey === orderingKey)
        assert.deepEqual(await log.held({ consumer: by.consumer, slots: [...by.slots.keys()] }), [])
        await by.advance([
          retrying(mine[0] as never),
          parked(mine[1] as never),
          parked(mine[2] as never),
        ])
        assert.deepEqual(await log.held({ consumer: by.consumer, slots: [...by.slots.keys()] }), [
          { slot: mine[0]?.slot, orderingKey, count: 3 },
        ])
      },
    },
  ]
}
