import assert from 'node:assert/strict'
import { type DeadLetter, type DeadLetterFilter, OptionsError } from '@oncekey/core'
import type { LogBehaviourGroup } from './fixture/log-behaviour.ts'
import { dead, find, idsOf, retrying } from './fixture/log-context.ts'
import { NO_CONDITIONS, someDead } from './some-dead.ts'

/** Dead letters can be inspected, redriven and discarded. */
export function deadLettersGroup(): LogBehaviourGroup {
  return {
    title: 'dead letters',
    behaviours: [
      {
        title: 'are listed the oldest first, in pages, each once',
        async run(context) {
          const { by, read } = await someDead(context, 7)
          const listed: string[] = []
          let after: string | undefined
          do {
            const page = await context.log.deadLetters.list(
              { origin: by.consumer },
              { limit: 3, ...(after === undefined ? {} : { after }) },
            )
            listed.push(...page.items.map(({ eventId }) => eventId))
            after = page.next
          } while (after !== undefined)
          assert.deepEqual(listed, idsOf(read))
        },
      },
      {
        title: 'are found by a filter in pages, each once: a short page is not the last',
        async run(context) {
          const { log, by, read } = await someDead(context, 9, (event, at) =>
            dead(event, at % 3 === 0 ? 'exhausted' : 'permanent'),
          )
          const listed: string[] = []
          let after: string | undefined
          do {
            const page = await log.deadLetters.list(
              { origin: by.consumer, reason: 'exhausted' },
              { limit: 2, ...(after === undefined ? {} : { after }) },
            )
            assert.ok(page.items.length <= 2)
            listed.push(...page.items.map(({ eventId }) => eventId))
            after = page.next
          } while (after !== undefined)
          assert.deepEqual(listed, idsOf(read.filter((_, at) => at % 3 === 0)))
        },
      },
      {
        title: 'show the event and every attempt: when, how long, what error',
        async run({ log, reader, event, append }) {
          const by = await reader()
          const given = event({ subject: 'order-7', data: '{"total":12}', headers: { a: 'b' } })
          await append(given)
          await by.advance([retrying(find(await by.readAll(), given))])
          const [due] = (await by.takeDue()).deliveries
          await by.settle(due as never, { kind: 'dead', reason: 'exhausted' })
          const { items } = await log.deadLetters.list({ origin: by.consumer }, { limit: 10 })
          const letter = await log.deadLetters.get(items[0]?.id ?? '')
          assert.ok(letter)
          assert.equal(letter.state, 'dead')
          assert.equal(letter.reason, 'exhausted')
          assert.equal(letter.eventId, given.id)
          assert.equal(letter.subject, 'order-7')
          assert.deepEqual(JSON.parse(letter.data), { total: 12 })
          assert.deepEqual(letter.headers, { a: 'b' })
          assert.equal(letter.attempts, 2)
          assert.deepEqual(
            letter.history.map(({ number, durationMs, error }) => ({
              number,
              durationMs,
              message: error.message,
              code: error.code,
              hasStack: error.stack !== null,
            })),
            [1, 2].map((number) => ({
              number,
              durationMs: 12,
              message: 'no route to the printer',
              code: 'EHOSTUNREACH',
              hasStack: true,
            })),
          )
        },
      },
      {
        title: 'are redriven with the id of their event, and their attempts count from 1',
        async run(context) {
          const { log, by, read } = await someDead(context, 1)
          const { redriven } = await log.deadLetters.redrive({ origin: by.consumer }, { limit: 10 })
          assert.equal(redriven.length, 1)
          const [due] = (await by.takeDue()).deliveries
          assert.equal(due?.event.id, read[0]?.id)
          assert.deepEqual([due?.attempts, due?.starts, due?.redrives], [0, 1, 1])
        },
      },
      {
        title: 'match the same filter in a redrive, a count and a list',
        async run(context) {
          const { log, by, read } = await someDead(context, 4, (event, at) =>
            dead(event, at % 2 === 0 ? 'permanent' : 'exhausted', `kind ${at % 2}`),
          )
          const { items } = await log.deadLetters.list({ origin: by.consumer }, { limit: 10 })
          const [first, second] = items
          assert.ok(first?.deadAt && second?.deadAt)
          const filters: DeadLetterFilter[] = [
            { ids: [first.id] },
            { eventIds: [read[1]?.id ?? ''] },
            { reason: 'exhausted' },
            { fingerprint: 'printer:kind 0' },
            { type: 'nothing.like.it' },
            { subject: 'order-1', deadAfter: new Date(0) },
            { deadBefore: new Date(0) },
            { deadAfter: first.deadAt },
            { deadBefore: second.deadAt },
            { eventIds: idsOf(read), deadAfter: first.deadAt },
            {},
          ]
          for (const filter of filters) {
            const mine = { ...filter, origin: by.consumer }
            const count = await log.deadLetters.count(mine)
            const listed = (await log.deadLetters.list(mine, { limit: 10 })).items
            assert.equal(listed.length, count)
            const { redriven } = await log.deadLetters.redrive(mine, { limit: 10 })
            assert.deepEqual([...redriven].sort(), listed.map(({ id }) => id).sort())
            // Makes each letter dead again, for the reason that it had.
            for (const due of (await by.takeDue()).deliveries) {
              const { reason } = items.find(({ id }) => id === due.id) ?? {}
              await log.settle({
                consumer: by.consumer,
                slots: [by.held(due.event.slot)],
                settled: [
                  {
                    id: due.id,
                    slot: due.event.slot,
                    verdict: { kind: 'dead', reason: reason ?? 'permanent' },
                    attempt: null,
                  },
                ],
              })
            }
          }
        },
      },
      {
        title: 'are redriven up to the limit, the oldest first',
        async run(context) {
          const { log, by, read } = await someDead(context, 5)
          await log.deadLetters.redrive({ origin: by.consumer }, { limit: 2 })
          const due = (await by.takeDue()).deliveries.map(({ event }) => event.id)
          assert.deepEqual(due.sort(), idsOf(read.slice(0, 2)).sort())
          assert.equal(await log.deadLetters.count({ origin: by.consumer }), 3)
        },
      },
      {
        title: 'that were redriven and are done stay listed, and a second redrive reports them',
        async run(context) {
          const { log, by } = await someDead(context, 1)
          const { redriven } = await log.deadLetters.redrive({ origin: by.consumer }, { limit: 10 })
          const [due] = (await by.takeDue()).deliveries
          assert.deepEqual(
            (await log.deadLetters.redrive({ ids: redriven }, { limit: 10 })).refused,
            [{ id: redriven[0], outcome: 'retrying' }],
          )
          await by.settle(due as never, { kind: 'done' })
          const again = await log.deadLetters.redrive({ ids: redriven }, { limit: 10 })
          assert.deepEqual(again, {
            redriven: [],
            refused: [{ id: redriven[0], outcome: 'already-done' }],
          })
          const kept = await log.deadLetters.get(redriven[0] ?? '')
          assert.deepEqual([kept?.state, kept?.resolution], ['resolved', 'redriven'])
          assert.deepEqual((await by.takeDue()).deliveries, [])
        },
      },
      {
        title: 'that are in the inbox are not redriven, because they took effect',
        needs: ['transactions'],
        async run(context) {
          const { log, by, read } = await someDead(context, 1)
          const eventIds = idsOf(read)
          const intake = await log.takeIn({ consumer: by.consumer, eventIds, timeoutMs: 5_000 })
          await intake.commit([])
          const { redriven, refused } = await log.deadLetters.redrive(
            { origin: by.consumer },
            { limit: 10 },
          )
          assert.deepEqual(redriven, [])
          assert.deepEqual(
            refused.map(({ outcome }) => outcome),
            ['already-done'],
          )
          assert.equal(await log.deadLetters.count({ origin: by.consumer }), 0)
          assert.deepEqual((await by.takeDue()).deliveries, [])
        },
      },
      {
        // A bug: `{ origin: undefined }` and `{ consumer: 'email' }` took all letters of everybody.
        title: 'are not looked for by a condition that there is not, or that has no value',
        async run(context) {
          const { log, by } = await someDead(context, 1)
          for (const wrong of NO_CONDITIONS) {
            const filter = { origin: by.consumer, ...wrong } as DeadLetterFilter
            await assert.rejects(log.deadLetters.count(filter), OptionsError)
            await assert.rejects(log.deadLetters.list(filter, { limit: 10 }), OptionsError)
            await assert.rejects(log.deadLetters.redrive(filter, { limit: 10 }), OptionsError)
          }
          const ofDead = { origin: by.consumer, reason: 'permanent' } as object
          for (const filter of [...NO_CONDITIONS, ofDead]) {
            await assert.rejects(log.deadLetters.listRetrying(filter, { limit: 10 }), OptionsError)
          }
          assert.equal(await log.deadLetters.count({ origin: by.consumer }), 1)
        },
      },
      {
        title: 'that are being retried are listed separately, with their next attempt',
        async run(context) {
          const { log } = context
          const by = await context.reader()
          await context.append(...context.events(5, { type: 'order.placed' }))
          const read = await by.readAll()
          const [first, ...others] = read
          assert.ok(first)
          await by.advance([dead(first), ...others.map((event) => retrying(event))])
          const listed: DeadLetter[] = []
          let after: string | undefined
          do {
            const page = await log.deadLetters.listRetrying(
              { origin: by.consumer },
              { limit: 3, ...(after === undefined ? {} : { after }) },
            )
            assert.ok(page.items.length <= 3)
            listed.push(...page.items)
            after = page.next
          } while (after !== undefined)
          assert.deepEqual(listed.map(({ eventId }) => eventId).sort(), idsOf(others).sort())
          for (const letter of listed) {
            assert.deepEqual(
              [letter.state, letter.attempts, letter.deadAt, letter.error?.message],
              ['retrying', 1, null, 'no route to the printer'],
            )
            assert.ok(letter.dueAt instanceof Date && !Number.isNaN(letter.dueAt.getTime()))
          }
          for (const [filter, count] of [
            [{ type: 'order.placed', subject: 'order-1' }, 4],
            [{ type: 'nothing.like.it' }, 0],
            [{ subject: 'nobody' }, 0],
          ] as const) {
            const asked = { ...filter, origin: by.consumer }
            const page = await log.deadLetters.listRetrying(asked, { limit: 100 })
            assert.equal(page.items.length, count)
          }
        },
      },
      {
        title: 'are discarded with a note, and not redriven after that',
        async run(context) {
          const { log, by } = await someDead(context, 2)
          const { items } = await log.deadLetters.list({ origin: by.consumer }, { limit: 10 })
          const ids = [items[0]?.id ?? '', 'no-such-id']
          assert.deepEqual(await log.deadLetters.discard(ids, 'account closed'), [
            { id: ids[0], outcome: 'discarded' },
            { id: 'no-such-id', outcome: 'unknown' },
          ])
          const letter = await log.deadLetters.get(ids[0] ?? '')
          assert.deepEqual(
            [letter?.state, letter?.resolution, letter?.note],
            ['resolved', 'discarded', 'account closed'],
          )
          const { redriven, refused } = await log.deadLetters.redrive({ ids }, { limit: 10 })
          assert.deepEqual(redriven, [])
          assert.deepEqual(refused, [
            { id: ids[0], outcome: 'already-discarded' },
            { id: 'no-such-id', outcome: 'unknown' },
          ])
          assert.equal(await log.deadLetters.count({ origin: by.consumer }), 1)
        },
      },
      {
        title: 'that are redriven and discarded at once have one outcome each, and no act fails',
        async run(context) {
          const { log, ids } = await someDead(context, 12)
          const [one, other, { redriven }] = await Promise.all([
            log.deadLetters.discard(ids, 'account closed'),
            log.deadLetters.discard(ids.toReversed(), 'too late'),
            log.deadLetters.redrive({ ids }, { limit: 100 }),
          ])
          const discarded = [...one, ...other].filter(({ outcome }) => outcome === 'discarded')
          const touched = [...discarded.map(({ id }) => id), ...redriven]
          assert.deepEqual(touched.sort(), [...ids].sort())
        },
      },
      {
        title: 'are counted and grouped by kind of error, with a sample',
        async run(context) {
          const { log, by, read } = await someDead(context, 3, (event, at) =>
            dead(event, 'permanent', at === 0 ? 'paper jam' : 'no ink'),
          )
          const stats = await log.deadLetters.stats()
          assert.ok(stats.depth >= 3)
          assert.ok(stats.oldestAgeMs !== null && stats.oldestAgeMs >= 0)
          assert.ok(stats.arrivedPerMinute > 0)
          const groups = stats.groups.filter(({ origin }) => origin === by.consumer)
          assert.deepEqual(
            groups.map(({ count, fingerprint, sample }) => [count, fingerprint, sample.message]),
            [
              [2, 'printer:no ink', 'no ink'],
              [1, 'printer:paper jam', 'paper jam'],
            ],
          )
          const sample = await log.deadLetters.get(groups[1]?.sample.id ?? '')
          assert.equal(sample?.eventId, read[0]?.id)
        },
      },
    ],
  }
}
