import assert from 'node:assert/strict'
import type { LogBehaviourGroup } from './fixture/log-behaviour.ts'
import { find, idsOf, parked, retrying } from './fixture/log-context.ts'
import { orderedDeliveries } from './ordered-deliveries.ts'

/** A failed delivery is returned again when it is due, until a verdict ends it. */
export function deliveries(): LogBehaviourGroup {
  return {
    title: 'deliveries',
    behaviours: [
      {
        title: 'come when they are due, and not before',
        async run({ reader, events, append, pass }) {
          const by = await reader()
          const [soon, later] = events(2)
          assert.ok(soon && later)
          await append(soon, later)
          const read = await by.readAll()
          await by.advance([retrying(find(read, soon)), retrying(find(read, later), 2_000)])
          const first = await by.takeDue()
          assert.deepEqual(
            first.deliveries.map(({ event }) => event.id),
            [soon.id],
          )
          assert.ok(first.nextInMs !== null && first.nextInMs > 0 && first.nextInMs <= 2_000)
          await by.settle(first.deliveries[0] as never, { kind: 'done' })
          assert.deepEqual((await by.takeDue()).deliveries, [])
          await pass(2_050)
          const second = await by.takeDue()
          assert.deepEqual(
            second.deliveries.map(({ event }) => event.id),
            [later.id],
          )
        },
      },
      {
        title: 'come the oldest first, whatever their slots, if more are due than asked for',
        async run({ reader, events, append, pass }) {
          const by = await reader()
          for (const each of events(10)) await append(each)
          const read = (await by.readAll()).toSorted((one, other) => other.slot - one.slot)
          assert.ok(read[0]?.slot !== read.at(-1)?.slot)
          await by.advance(read.map((each, at) => retrying(each, at * 50)))
          await pass(10 * 50)
          const { deliveries: due, nextInMs } = await by.takeDue({ limit: 4 })
          assert.deepEqual(idsOf(due.map(({ event }) => event)), idsOf(read.slice(0, 4)))
          assert.equal(nextInMs, 0)
        },
      },
      {
        title: 'are limited in bytes, and only those returned are counted as started',
        async run({ reader, events, append }) {
          const by = await reader()
          const given = events(4, { data: `"${'x'.repeat(200_000)}"` })
          await append(...given)
          await by.advance((await by.readAll()).map((each) => retrying(each)))
          const taken: string[] = []
          for (let round = 0; round < 4; round += 1) {
            const { deliveries: due } = await by.takeDue({ maxBytes: 2_000, except: taken })
            assert.equal(due.length, 1)
            assert.equal(due[0]?.starts, 2)
            taken.push(...due.map(({ id }) => id))
          }
          assert.equal(new Set(taken).size, 4)
        },
      },
      {
        title: 'come with the event as read, and with their counts',
        async run({ reader, event, append }) {
          const by = await reader()
          const given = event({
            data: '{"text":"Zoë \\u0000 🧾"}',
            headers: { traceparent: '00-1-2-01' },
            subject: null,
          })
          await append(given)
          const read = find(await by.readAll(), given)
          await by.advance([retrying(read)])
          const { deliveries: due } = await by.takeDue()
          const [first] = due
          assert.ok(first)
          assert.deepEqual(
            { ...first.event, position: '', data: JSON.parse(first.event.data) },
            { ...read, position: '', data: JSON.parse(read.data) },
          )
          assert.deepEqual(JSON.parse(first.event.headers), given.headers)
          assert.equal(first.attempts, 1)
          assert.equal(first.starts, 2)
        },
      },
      {
        title: 'are deleted once they are done',
        async run({ log, reader, event, append }) {
          const by = await reader()
          await append(event())
          await by.advance((await by.readAll()).map((each) => retrying(each)))
          const [due] = (await by.takeDue()).deliveries
          assert.ok(due)
          await by.settle(due, { kind: 'done' })
          assert.deepEqual(await by.takeDue(), { deliveries: [], nextInMs: null })
          assert.equal(await log.deadLetters.get(due.id), undefined)
        },
      },
      {
        title: 'count attempts by outcome, and starts separately',
        async run({ reader, event, append }) {
          const by = await reader()
          await append(event())
          await by.advance((await by.readAll()).map((each) => retrying(each)))
          const [first] = (await by.takeDue()).deliveries
          assert.ok(first)
          await by.settle(first, { kind: 'retrying', delayMs: 0 })
          const [second] = (await by.takeDue()).deliveries
          assert.deepEqual([second?.attempts, second?.starts], [2, 3])
          // No verdict is recorded for this one, as if the process had died.
          const [third] = (await by.takeDue()).deliveries
          assert.deepEqual([third?.attempts, third?.starts], [2, 4])
        },
      },
      {
        title: 'are settled once, however often the verdict is sent',
        async run({ log, reader, event, append }) {
          const by = await reader()
          await append(event())
          await by.advance((await by.readAll()).map((each) => retrying(each)))
          const [first] = (await by.takeDue()).deliveries
          assert.ok(first)
          await by.settle(first, { kind: 'retrying', delayMs: 0 })
          await by.settle(first, { kind: 'retrying', delayMs: 0 })
          const [second] = (await by.takeDue()).deliveries
          assert.deepEqual([second?.attempts, second?.starts], [2, 3])
          assert.equal((await log.deadLetters.get(first.id))?.history.length, 2)
        },
      },
      {
        title: 'that died and were redriven are not ended by the old verdict, sent again',
        async run({ log, reader, event, append }) {
          const by = await reader()
          await append(event())
          await by.advance((await by.readAll()).map((each) => retrying(each)))
          const [first] = (await by.takeDue()).deliveries
          assert.ok(first)
          await by.settle(first, { kind: 'dead', reason: 'permanent' })
          await log.deadLetters.redrive({ ids: [first.id] }, { limit: 1, actor: 'a test' })
          await by.settle(first, { kind: 'dead', reason: 'permanent' })
          const [second] = (await by.takeDue()).deliveries
          assert.deepEqual([second?.attempts, second?.redrives], [0, 1])
        },
      },
      {
        title: 'that were started again are not ended by the old verdict, sent again',
        async run({ log, reader, event, append }) {
          const by = await reader()
          await append(event())
          await by.advance((await by.readAll()).map((each) => retrying(each)))
          const [first] = (await by.takeDue()).deliveries
          assert.ok(first)
          await by.settle(first, { kind: 'retrying', delayMs: 0 })
          const [second] = (await by.takeDue()).deliveries
          assert.ok(second)
          await by.settle(first, { kind: 'retrying', delayMs: 0 })
          assert.equal((await log.deadLetters.get(first.id))?.attempts, 2)
          await by.settle(second, { kind: 'done' })
          assert.deepEqual(await by.takeDue(), { deliveries: [], nextInMs: null })
        },
      },
      {
        title: 'that are named in `except` are left out',
        async run({ reader, events, append }) {
          const by = await reader()
          await append(...events(2))
          await by.advance((await by.readAll()).map((each) => retrying(each)))
          const { deliveries: due } = await by.takeDue({ limit: 1 })
          assert.equal(due.length, 1)
          const rest = await by.takeDue({ except: due.map(({ id }) => id) })
          assert.equal(rest.deliveries.length, 1)
          assert.notEqual(rest.deliveries[0]?.id, due[0]?.id)
        },
      },
      {
        title: 'that were started but never settled come alone',
        async run({ reader, events, append, name }) {
          const consumer = name()
          const one = await reader({ consumer })
          await append(...events(4))
          await one.advance((await one.readAll()).map((each) => retrying(each)))
          assert.equal((await one.takeDue({ limit: 2 })).deliveries.length, 2)
          await one.release(true)
          const two = await reader({ consumer })
          const seen: string[] = []
          for (let left = 2; left > 0; left -= 1) {
            const { deliveries: due } = await two.takeDue({ except: seen })
            assert.equal(due.length, 1)
            assert.equal(due[0]?.starts, 3)
            seen.push(due[0]?.id ?? '')
          }
          assert.equal((await two.takeDue({ except: seen })).deliveries.length, 2)
        },
      },
      {
        title: 'come only to the holder of their slot',
        async run({ log, reader, events, append, name }) {
          const consumer = name()
          const one = await reader({ consumer })
          await append(...events(20))
          await one.advance((await one.readAll()).map((each) => retrying(each)))
          const gone = [...one.slots.values()].filter(({ slot }) => slot % 2 === 0)
          await log.release({ consumer, relay: one.relay, slots: gone, leaving: false })
          const two = await reader({ consumer })
          const ofTwo = (await two.takeDue()).deliveries
          const ofOne = (await one.takeDue()).deliveries
          assert.ok(ofTwo.every(({ event }) => event.slot % 2 === 0))
          assert.ok(ofOne.every(({ event }) => event.slot % 2 === 1))
          assert.equal(ofOne.length + ofTwo.length, 20)
        },
      },
      {
        title: 'are not settled by a relay that lost the slot',
        async run({ reader, event, append, name, shortLeaseMs, pass }) {
          const consumer = name()
          const one = await reader({ consumer, leaseMs: shortLeaseMs })
          await append(event())
          await one.advance((await one.readAll()).map((each) => retrying(each)))
          const [due] = (await one.takeDue()).deliveries
          assert.ok(due)
          await pass(shortLeaseMs * 1.4)
          const two = await reader({ consumer })
          assert.deepEqual(await one.settle(due, { kind: 'done' }), [due.event.slot])
          const again = await two.takeDue()
          assert.deepEqual(
            again.deliveries.map(({ id }) => id),
            [due.id],
          )
        },
      },
      {
        title:
          'behind another of their ordering key come once that is settled, one after the other',
        needs: ['ordering'],
        async run({ reader, events, append, name }) {
          const by = await reader()
          const given = events(3, { orderingKey: name() })
          const other = events(1)
          await append(...given, ...other)
          const read = await by.readAll()
          const [first, second, third] = given.map((each) => find(read, each))
          assert.ok(first && second && third)
          await by.advance([retrying(first), parked(second), parked(third)])
          const come: string[] = []
          for (let rounds = 0; rounds < 3; rounds += 1) {
            const { deliveries: due } = await by.takeDue()
            assert.equal(due.length, 1)
            come.push(due[0]?.event.id ?? '')
            const verdict =
              rounds === 1
                ? { kind: 'dead' as const, reason: 'permanent' as const }
                : { kind: 'done' as const }
            await by.settle(due[0] as never, verdict)
          }
          assert.deepEqual(come, idsOf(given))
        },
      },
      {
        title: 'filed behind one that was settled meanwhile are due at once',
        needs: ['ordering'],
        async run({ reader, events, append, name }) {
          const by = await reader()
          const given = events(2, { orderingKey: name() })
          await append(...given)
          const read = await by.readAll()
          const [first, second] = given.map((each) => find(read, each))
          assert.ok(first && second)
          await by.advance([retrying(first)])
          const [due] = (await by.takeDue()).deliveries
          await by.settle(due as never, { kind: 'done' })
          await by.advance([parked(second)])
          assert.equal((await by.takeDue()).deliveries[0]?.event.id, second.id)
        },
      },
      ...orderedDeliveries(),
    ],
  }
}
