import assert from 'node:assert/strict'
import type { LogBehaviourGroup } from './fixture/log-behaviour.ts'
import { idsOf } from './fixture/log-context.ts'

/** Events that some consumer has not read are kept. */
export function retention(): LogBehaviourGroup {
  return {
    title: 'retention',
    behaviours: [
      {
        title: 'keeps events that one consumer has passed and another has not',
        async run({ log, reader, events, append }) {
          const [fast, slow] = [await reader(), await reader()]
          const given = events(10)
          await append(...given)
          await fast.readAll()
          await fast.advance()
          await log.maintain()
          assert.deepEqual(idsOf(await slow.readAll()).sort(), idsOf(given).sort())
        },
      },
      {
        title: 'keeps events that were read but not passed',
        async run({ log, reader, events, append, name }) {
          const consumer = name()
          const one = await reader({ consumer })
          const given = events(4)
          await append(...given)
          await one.readAll()
          await log.maintain()
          await one.release(true)
          const two = await reader({ consumer })
          assert.deepEqual(idsOf(await two.readAll()).sort(), idsOf(given).sort())
        },
      },
      {
        title: 'says how far a consumer is behind',
        async run({ log, reader, events, append }) {
          const by = await reader()
          assert.deepEqual(
            [(await log.lag(by.consumer)).events, (await log.lag(by.consumer)).oldestMs],
            [0, null],
          )
          await append(...events(6))
          await by.read(2)
          const lag = await log.lag(by.consumer)
          assert.equal(lag.events, 6)
          assert.ok(lag.oldestMs !== null)
          await by.readAll()
          await by.advance()
          assert.equal((await log.lag(by.consumer)).events, 0)
        },
      },
      {
        title: 'reports an unknown consumer as unknown, not as up to date',
        async run({ log, reader, events, append, name }) {
          const consumer = name()
          await append(...events(2))
          assert.equal((await log.lag(consumer)).known, false)
          await reader({ consumer })
          assert.equal((await log.lag(consumer)).known, true)
          await log.retire(consumer)
          assert.equal((await log.lag(consumer)).known, false)
        },
      },
      {
        title:
          'says how long an event has been waiting by its own clock, not by that of who emitted it',
        async run({ log, reader, event, append }) {
          for (const occurredAt of [new Date(0), new Date('2100-01-01T00:00:00Z')]) {
            const by = await reader()
            await append(event({ occurredAt }))
            const { oldestMs } = await log.lag(by.consumer)
            assert.ok(oldestMs !== null && oldestMs >= 0 && oldestMs < 60 * 60 * 1000)
          }
        },
      },
      {
        title: 'forgets a retired consumer, which starts anew',
        async run({ log, reader, events, append, name }) {
          const consumer = name()
          await reader({ consumer })
          await append(...events(2))
          await log.retire(consumer)
          const anew = await reader({ consumer })
          assert.equal(anew.slots.size, 64)
          assert.deepEqual(await anew.readAll(), [])
        },
      },
    ],
  }
}
