import assert from 'node:assert/strict'
import type { OutboxEvent } from '@oncekey/core'
import type { StoreBehaviourGroup } from '../fixture/store-behaviour.ts'
import { completionOf, expectReplay, responseOf } from '../fixture/store-context.ts'

/** Events are committed with the response, or not at all. */
export function events(): StoreBehaviourGroup {
  return {
    title: 'events',
    behaviours: [
      {
        title: 'are committed with the response, in the order given',
        needs: ['events'],
        async run({ claim, finish, event, committed }) {
          const given = Array.from({ length: 20 }, () => event())
          assert.deepEqual(await committed(...given), [])
          await finish(claim(), { events: given })
          assert.deepEqual(await committed(...given), idsOf(given))
        },
      },
      {
        title: 'are stored unchanged',
        needs: ['events'],
        async run({ claim, finish, event, fixture }) {
          const given = [
            event({
              type: 'order.created',
              source: '/shop/orders?x=1',
              subject: 'ordér-"1"',
              orderingKey: "customer'1",
              data: '{"b":[1,{"a":null}],"text":"Zoë \\u0001 🧾","big":1.5e300}',
              headers: { traceparent: '00-1-2-01', 'x-empty': '' },
              occurredAt: new Date('2026-02-03T04:05:06.789Z'),
            }),
            event({ subject: null, data: 'null', headers: {} }),
            event({ data: '"text"' }),
          ]
          await finish(claim(), { events: given })
          const all = (await fixture.events?.()) ?? []
          const found = given.map(({ id }) => all.find((each) => each.id === id))
          assert.deepEqual(found.map(comparable), given.map(comparable))
        },
      },
      {
        title: 'stand in the order of completion, not of claims',
        needs: ['events', 'attempts side by side'],
        async run({ claim, run, event, committed }) {
          const [one, two] = [await run(claim()), await run(claim())]
          const [ofOne, ofTwo] = [[event(), event()], [event()]]
          await two.complete(completionOf({ events: ofTwo }))
          await one.complete(completionOf({ events: ofOne }))
          assert.deepEqual(await committed(...ofOne, ...ofTwo), idsOf([...ofTwo, ...ofOne]))
        },
      },
      {
        title: 'can be hundreds',
        needs: ['events'],
        async run({ claim, finish, event, committed }) {
          const given = Array.from({ length: 500 }, () => event())
          await finish(claim(), { events: given })
          assert.deepEqual(await committed(...given), idsOf(given))
        },
      },
      {
        title: 'and the response become visible together',
        needs: ['events'],
        async run({ claim, retry, begin, run, event, committed, another }) {
          // The process that sent the completion may not know yet that it is committed.
          const other = await another()
          for (let race = 0; race < 20; race += 1) {
            const [first, given, response] = [claim(), [event(), event()], responseOf('both')]
            const attempt = await run(first)
            let completing = true
            const outcome = attempt
              .complete(completionOf({ response, events: given }))
              .finally(() => {
                completing = false
              })
            while (completing) {
              const eventsFirst = await committed(...given)
              const decision = await begin(retry(first), other)
              const eventsLast = await committed(...given)
              if (eventsFirst.length > 0) expectReplay(decision, response)
              if (decision.kind === 'replay') assert.deepEqual(eventsLast, idsOf(given))
            }
            assert.equal(await outcome, 'stored')
            assert.deepEqual(await committed(...given), idsOf(given))
            expectReplay(await begin(retry(first)), response)
          }
        },
      },
      {
        title: 'are not committed with `undo`: only the response is stored',
        needs: ['events'],
        async run({ claim, retry, begin, finish, event, committed }) {
          const [first, given, response] = [claim(), event(), responseOf('no', { status: 422 })]
          await finish(first, { response, writes: 'undo', events: [given] })
          assert.deepEqual(await committed(given), [])
          expectReplay(await begin(retry(first)), response)
        },
      },
      {
        title: 'are not committed again when a completion is sent again',
        needs: ['events'],
        async run({ claim, run, event, committed }) {
          const [attempt, given] = [await run(claim()), [event()]]
          await attempt.complete(completionOf({ events: given }))
          // Whatever it returns, it must change nothing.
          await attempt.complete(completionOf({ events: given })).catch(() => {})
          assert.deepEqual(await committed(...given), idsOf(given))
        },
      },
      {
        title: 'of an attempt that ended otherwise are never committed',
        needs: ['events'],
        async run({ claim, run, event, committed }) {
          for (const end of ['release', 'abandon'] as const) {
            const [attempt, late] = [await run(claim()), event()]
            await attempt[end]()
            await attempt.complete(completionOf({ events: [late] })).catch(() => {})
            assert.deepEqual(await committed(late), [], end)
          }
        },
      },
    ],
  }
}

function idsOf(events: readonly OutboxEvent[]): string[] {
  return events.map(({ id }) => id)
}

/** Compares the data as JSON, because a store may normalise spaces and the order of keys. */
function comparable(event: OutboxEvent | undefined): unknown {
  if (event === undefined) return undefined
  const { id, type, source, subject, orderingKey, data, headers, occurredAt } = event
  return {
    id,
    type,
    source,
    subject,
    orderingKey,
    data: JSON.parse(data),
    headers: { ...headers },
    occurredAt: occurredAt.getTime(),
  }
}
