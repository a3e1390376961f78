import assert from 'node:assert/strict'
import { type LoggedEvent, OptionsError, type RetireOptions } from '@oncekey/core'
import type { LogBehaviourGroup } from './fixture/log-behaviour.ts'
import { dead, type LogContext, type Reader, retrying } from './fixture/log-context.ts'

/**
 * Retiring a consumer decides what becomes of its failed deliveries, and no other consumer gets
 * them.
 */
export function retiring(): LogBehaviourGroup {
  return {
    title: 'retiring',
    behaviours: [
      {
        title: 'keeps dead and retrying deliveries, apart from other dead letters',
        async run(context) {
          const { log } = context
          const { by, read } = await oneDeadOneRetrying(context)
          assert.deepEqual(await log.retire(by.consumer), { kept: 2, discarded: 0 })
          const mine = { origin: by.consumer }
          assert.deepEqual((await log.deadLetters.list(mine, { limit: 10 })).items, [])
          assert.deepEqual((await log.deadLetters.listRetrying(mine, { limit: 10 })).items, [])
          const { items } = await log.deadLetters.list(
            { ...mine, retired: true, type: read.died.type },
            { limit: 10 },
          )
          assert.equal(await log.deadLetters.count({ ...mine, retired: true }), 2)
          const kept = new Map(items.map((letter) => [letter.eventId, letter]))
          const [died, retried] = [kept.get(read.died.id), kept.get(read.retried.id)]
          assert.deepEqual(
            [died?.state, died?.reason, retried?.state, retried?.reason],
            ['retired', 'permanent', 'retired', 'retired'],
          )
          assert.ok(died?.deadAt instanceof Date && retried?.deadAt instanceof Date)
          const detail = await log.deadLetters.get(retried?.id ?? '')
          assert.equal(detail?.state, 'retired')
          assert.equal(detail?.history.length, 1)
        },
      },
      {
        title: 'lists what it kept page by page, each once',
        async run(context) {
          const { log } = context
          const by = await context.reader()
          await context.append(...context.events(7))
          const read = await by.readAll()
          await by.advance(read.map((event, at) => (at % 2 === 0 ? dead(event) : retrying(event))))
          await log.retire(by.consumer)
          const listed: string[] = []
          let after: string | undefined
          do {
            const page = await log.deadLetters.list(
              { origin: by.consumer, retired: true },
              { limit: 3, ...(after === undefined ? {} : { after }) },
            )
            listed.push(...page.items.map(({ eventId }) => eventId))
            after = page.next
          } while (after !== undefined)
          assert.deepEqual(listed.sort(), read.map(({ id }) => id).sort())
        },
      },
      {
        title: 'discards dead and retrying deliveries on request, with a note',
        async run(context) {
          const { log } = context
          const { by, ids } = await oneDeadOneRetrying(context)
          const choice = { remaining: 'discard', note: 'replaced by billing' } as const
          assert.deepEqual(await log.retire(by.consumer, choice), { kept: 0, discarded: 2 })
          for (const retired of [true, false]) {
            assert.equal(await log.deadLetters.count({ origin: by.consumer, retired }), 0)
          }
          for (const id of ids) {
            const letter = await log.deadLetters.get(id)
            assert.deepEqual(
              [letter?.state, letter?.resolution, letter?.note],
              ['resolved', 'discarded', 'replaced by billing'],
            )
          }
        },
      },
      {
        title: 'refuses to redrive what it kept; that can be discarded',
        async run(context) {
          const { log } = context
          const { by, ids } = await oneDeadOneRetrying(context)
          await log.retire(by.consumer)
          const refused = ids.map((id) => ({ id, outcome: 'retired' }))
          for (const anew of [false, true]) {
            if (anew) await context.reader({ consumer: by.consumer })
            assert.deepEqual(await log.deadLetters.redrive({ ids }, { limit: 10 }), {
              redriven: [],
              refused,
            })
            const asked = { origin: by.consumer, retired: true }
            assert.deepEqual((await log.deadLetters.redrive(asked, { limit: 10 })).redriven, [])
            assert.equal(await log.deadLetters.count(asked), 2)
          }
          const given = await log.deadLetters.discard(ids, 'looked at')
          assert.deepEqual(new Set(given), new Set(ids.map((id) => ({ id, outcome: 'discarded' }))))
          assert.equal(await log.deadLetters.count({ origin: by.consumer, retired: true }), 0)
        },
      },
      {
        title: 'leaves nothing to a new consumer of that name',
        async run(context) {
          const { log } = context
          const { by } = await oneDeadOneRetrying(context)
          await log.retire(by.consumer)
          const anew = await context.reader({ consumer: by.consumer })
          const mine = { origin: by.consumer }
          assert.deepEqual(await anew.takeDue(), { deliveries: [], nextInMs: null })
          assert.deepEqual(
            await log.held({ consumer: by.consumer, slots: [...anew.slots.keys()] }),
            [],
          )
          assert.equal(await log.deadLetters.count(mine), 0)
          assert.deepEqual((await log.deadLetters.listRetrying(mine, { limit: 10 })).items, [])
          const { groups } = await log.deadLetters.stats()
          assert.deepEqual(
            groups.filter(({ origin }) => origin === by.consumer),
            [],
          )
        },
      },
      {
        title: 'lets a new consumer of that name file an event that failed before',
        async run(context) {
          const { log } = context
          for (const choice of [{}, { remaining: 'discard' }] as readonly RetireOptions[]) {
            const { by, read } = await oneDeadOneRetrying(context, true)
            await log.retire(by.consumer, choice)
            const { type } = read.died
            const anew = await context.reader({
              consumer: by.consumer,
              types: [type],
              startAt: 'beginning',
            })
            const again = await anew.readAll()
            assert.equal(again.length, 3)
            await anew.advance(again.map((event) => retrying(event)))
            const { deliveries } = await anew.takeDue()
            assert.deepEqual(
              deliveries.map(({ event, attempts }) => [event.id, attempts]).sort(),
              again.map(({ id }) => [id, 1]).sort(),
            )
            for (const due of deliveries) await anew.settle(due, { kind: 'done' })
            assert.deepEqual((await anew.takeDue()).deliveries, [])
          }
        },
      },
      {
        title: 'fences off earlier holders, also from the slots of a new consumer of that name',
        async run(context) {
          const { log } = context
          const by = await context.reader()
          const anew = async () => {
            await log.retire(by.consumer)
            return context.reader({ consumer: by.consumer })
          }
          const next = await anew()
          const given = context.event()
          await context.append(given)
          await next.readAll()
          for (const [slot, position] of next.positions) by.positions.set(slot, position)
          assert.equal((await by.advance()).length, 64)
          const after = await anew()
          await context.append(given, context.event())
          assert.equal((await after.readAll()).length, 2)
        },
      },
      {
        // A bug: a relay that was older than the last restart of the server subscribed again.
        title: 'is not undone by a relay that runs on, in a later life of the log either',
        needs: ['lives'],
        async run(context) {
          const { fixture } = context
          const log = await context.another()
          for (const livesBefore of [0, 1]) {
            const by = await context.reader()
            for (let lives = 0; lives < livesBefore; lives += 1) {
              await fixture.anotherLife?.()
              await by.lease()
            }
            await log.retire(by.consumer)
            for (const _ of ['this life', 'the next', 'the one after that']) {
              // Whether the relay is told so by an error or by no slots is for the log to choose.
              await by.lease().catch(() => {})
              assert.equal((await log.lag(by.consumer)).known, false)
              await fixture.anotherLife?.()
            }
          }
        },
      },
      {
        title: 'is not undone by a relay that was away while the log began another life',
        needs: ['lives'],
        async run(context) {
          const by = await context.reader()
          const log = await context.another()
          await log.retire(by.consumer)
          await context.fixture.anotherLife?.()
          await by.lease().catch(() => {})
          assert.equal((await log.lag(by.consumer)).known, false)
        },
      },
      {
        title: 'of an unknown consumer changes nothing',
        async run({ log, name }) {
          assert.deepEqual(await log.retire(name()), { kept: 0, discarded: 0 })
        },
      },
      {
        title: 'refuses an invalid option before anything is retired',
        async run(context) {
          const { log } = context
          const { by } = await oneDeadOneRetrying(context)
          for (const choice of [
            { remaining: 'forget' },
            { remaining: 'discard', note: ' ' },
          ] as RetireOptions[]) {
            await assert.rejects(log.retire(by.consumer, choice), OptionsError)
          }
          assert.equal((await by.takeDue()).deliveries.length, 1)
        },
      },
    ],
  }
}

/**
 * A consumer with one dead and one retrying delivery, and optionally one that was redriven and is
 * done.
 */
async function oneDeadOneRetrying(
  context: LogContext,
  withDone = false,
): Promise<{
  by: Reader
  read: { died: LoggedEvent; retried: LoggedEvent }
  ids: readonly string[]
}> {
  const { log, name } = context
  const type = `retiring.${name()}`
  const by = await context.reader({ types: [type] })
  await context.append(...context.events(withDone ? 3 : 2, { type }))
  const [died, retried, done] = await by.readAll()
  assert.ok(died && retried)
  const failed = [dead(died), retrying(retried)]
  if (done !== undefined) {
    await by.advance([dead(done)])
    await log.deadLetters.redrive({ origin: by.consumer }, { limit: 1 })
    const [due] = (await by.takeDue()).deliveries
    await by.settle(due as never, { kind: 'done' })
  }
  await by.advance(failed)
  const { items } = await log.deadLetters.list({ origin: by.consumer }, { limit: 10 })
  const waiting = await log.deadLetters.listRetrying({ origin: by.consumer }, { limit: 10 })
  const ids = [...items, ...waiting.items].map(({ id }) => id)
  assert.equal(ids.length, 2)
  return { by, read: { died, retried }, ids }
}
