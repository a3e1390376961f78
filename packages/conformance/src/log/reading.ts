import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { OptionsError } from '@oncekey/core'
import type { LogBehaviourGroup } from './fixture/log-behaviour.ts'
import { find, idsOf } from './fixture/log-context.ts'

/** A reader that continues gets every event once. */
export function reading(): LogBehaviourGroup {
  return {
    title: 'reading',
    behaviours: [
      {
        title: 'returns every event once to a reader that continues, page by page',
        async run({ reader, events, append }) {
          const by = await reader()
          const given = events(57)
          await append(...given.slice(0, 40))
          const read = await by.readAll(7)
          await append(...given.slice(40))
          read.push(...(await by.readAll(7)))
          assert.deepEqual(idsOf(read).sort(), idsOf(given).sort())
          assert.deepEqual((await by.read()).events, [])
        },
      },
      {
        // A bug: nobody could know whether an append took effect whose reply was lost.
        title: 'returns once what was appended again with the same requestId',
        async run({ log, another, reader, event, events, name }) {
          const by = await reader()
          const [given, other] = [events(2, { orderingKey: name() }), event()]
          const [requestId, otherId] = [name(), name()]
          await log.append(given, { requestId })
          await (await another()).append(given, { requestId })
          await log.append([other], { requestId: otherId })
          await Promise.all([1, 2, 3].map(() => log.append([other], { requestId: otherId })))
          const read = await by.readAll()
          assert.deepEqual(idsOf(read).sort(), idsOf([...given, other]).sort())
          await log.append(given)
          assert.equal((await by.readAll()).length, 2)
        },
      },
      {
        title: 'appends nothing under an invalid requestId',
        async run({ log, reader, event }) {
          const by = await reader()
          for (const requestId of ['', ' ', 'r'.repeat(201), 'a\0b', null as never]) {
            await assert.rejects(log.append([event()], { requestId }), OptionsError)
          }
          assert.deepEqual(await by.readAll(), [])
        },
      },
      {
        title: 'returns nothing of an append that contains an invalid event',
        async run({ reader, event, append }) {
          const by = await reader()
          const refused = [
            event({ subject: 's'.repeat(1_025) }),
            event({ orderingKey: 'k'.repeat(2_700) }),
            event({ type: '' }),
            event({ source: 'no reference' }),
            event({ headers: { trace: 'two\nlines' } }),
            event({ data: `"${'d'.repeat(2 * 1_048_576)}"` }),
          ]
          for (const each of refused) {
            await assert.rejects(append(event(), each), { code: 'event-invalid' })
          }
          assert.deepEqual(await by.readAll(), [])
        },
      },
      {
        title: 'returns at most the limit, and whether there may be more',
        async run({ reader, events, append }) {
          const by = await reader()
          await append(...events(5))
          const first = await by.read(3)
          assert.equal(first.events.length, 3)
          assert.equal(first.more, true)
          const second = await by.read(3)
          assert.equal(second.events.length, 2)
          // The log may need another read to find out.
          const { events: none, more } = second.more ? await by.read(3) : second
          assert.equal(more, false)
          assert.equal(second.more ? none.length : 0, 0)
        },
      },
      {
        title: 'limits a page in bytes, returns one event of any size, and continues behind it',
        async run({ reader, event, append }) {
          const by = await reader()
          // Each is a hundred times the size limit of a page, but compresses to almost nothing.
          const large = Array.from({ length: 6 }, () => event({ data: `"${'x'.repeat(200_000)}"` }))
          const mixed = Array.from({ length: 6 }, () =>
            event({ data: JSON.stringify(randomBytes(30_000).toString('base64')) }),
          )
          await append(...large, ...mixed)
          const read: string[] = []
          for (let more = true, pages = 0; more && pages < 100; pages += 1) {
            const page = await by.read(100, 2_000)
            assert.ok(page.events.length <= 1, `${page.events.length} events in one page`)
            read.push(...idsOf(page.events))
            more = page.more
          }
          assert.deepEqual(read.sort(), idsOf([...large, ...mixed]).sort())
        },
      },
      {
        title: 'returns the events of an ordering key in the order they were appended',
        needs: ['ordering'],
        async run({ reader, events, append, name }) {
          const by = await reader()
          const [one, two] = [
            events(20, { orderingKey: name() }),
            events(20, { orderingKey: name() }),
          ]
          for (let at = 0; at < 20; at += 4) {
            await append(...one.slice(at, at + 4), ...two.slice(at, at + 4))
          }
          const read = idsOf(await by.readAll(7))
          const inOrder = (of: readonly { id: string }[]): string[] =>
            read.filter((id) => of.some((event) => event.id === id))
          assert.deepEqual(inOrder(one), idsOf(one))
          assert.deepEqual(inOrder(two), idsOf(two))
        },
      },
      {
        title: 'returns events as they were written',
        async run({ reader, event, append }) {
          const by = await reader()
          const given = event({
            type: 'order.created',
            source: '/shop/orders?x=1',
            subject: 'ordér-"1"',
            data: '{"b":[1,{"a":null}],"text":"Zoë \\u0001 🧾","big":1.5e300}',
            headers: { traceparent: '00-1-2-01', 'x-empty': '' },
            occurredAt: new Date('2026-02-03T04:05:06.789Z'),
          })
          const plain = event({ subject: null, data: 'null' })
          await append(given, plain)
          const read = await by.readAll()
          const one = find(read, given)
          assert.equal(one.type, given.type)
          assert.equal(one.source, given.source)
          assert.equal(one.subject, given.subject)
          assert.equal(one.orderingKey, given.orderingKey)
          assert.deepEqual(JSON.parse(one.data), JSON.parse(given.data))
          assert.deepEqual(JSON.parse(one.headers), given.headers)
          assert.equal(one.occurredAtMs, given.occurredAt.getTime())
          assert.equal(find(read, plain).subject, null)
        },
      },
      {
        title: 'moves nothing: the same positions return the same events',
        async run({ log, reader, events, append }) {
          const by = await reader()
          await append(...events(9))
          const slots = [...by.positions].map(([slot, position]) => ({ slot, position }))
          const ask = () => log.read({ consumer: by.consumer, types: null, slots, limit: 100 })
          const [once, twice] = [await ask(), await ask()]
          assert.equal(once.events.length, 9)
          assert.deepEqual(idsOf(once.events), idsOf(twice.events))
        },
      },
      {
        title: 'continues behind an event from its position, in its slot',
        async run({ log, reader, events, append, name }) {
          const by = await reader()
          await append(...events(6, { orderingKey: name() }))
          const read = await by.readAll()
          for (const [at, { slot, position }] of read.entries()) {
            const slots = [{ slot, position }]
            const { events: rest } = await log.read({
              consumer: by.consumer,
              types: null,
              slots,
              limit: 100,
            })
            const behind = read.slice(at + 1).filter((event) => event.slot === slot)
            assert.deepEqual(idsOf(rest), idsOf(behind))
          }
        },
      },
      {
        title: 'returns only the requested slots, and all of their events',
        async run({ log, reader, events, append }) {
          const by = await reader()
          const given = events(60)
          await append(...given)
          const found: string[] = []
          for (const parity of [0, 1]) {
            let slots: readonly { slot: number; position: string }[] = [...by.positions]
              .filter(([slot]) => slot % 2 === parity)
              .map(([slot, position]) => ({ slot, position }))
            for (let more = true; more; ) {
              const page = await log.read({ consumer: by.consumer, types: null, slots, limit: 11 })
              assert.ok(page.events.every(({ slot }) => slot % 2 === parity))
              found.push(...idsOf(page.events))
              slots = page.next
              more = page.more
            }
          }
          assert.deepEqual(found.sort(), idsOf(given).sort())
        },
      },
      {
        title: 'reads each slot from its own position',
        async run({ log, reader, events, append }) {
          const by = await reader()
          const given = events(60)
          await append(...given)
          // Continues every slot from a different event, in one call.
          const all = await by.readAll()
          const bySlot = new Map<number, typeof all>()
          for (const event of all)
            bySlot.set(event.slot, [...(bySlot.get(event.slot) ?? []), event])
          const slots = [...bySlot].map(([slot, of], at) => ({
            slot,
            position: of[at % of.length]?.position ?? '',
          }))
          const expected = [...bySlot].flatMap(([, of], at) => of.slice((at % of.length) + 1))
          let asked: readonly { slot: number; position: string }[] = slots
          const read: string[] = []
          for (let more = true; more; ) {
            const page = await log.read({
              consumer: by.consumer,
              types: null,
              slots: asked,
              limit: 9,
            })
            read.push(...idsOf(page.events))
            asked = page.next
            more = page.more
          }
          assert.deepEqual(read.sort(), idsOf(expected).sort())
        },
      },
      {
        title: 'returns only the requested types, and passes the others',
        async run({ reader, event, append }) {
          const by = await reader({ types: ['a.wanted', 'b."quoted" \\ {x}'] })
          const wanted = [event({ type: 'a.wanted' }), event({ type: 'b."quoted" \\ {x}' })]
          await append(event({ type: 'a' }), ...wanted, event({ type: 'a.wanted.not' }))
          assert.deepEqual(idsOf(await by.readAll()).sort(), idsOf(wanted).sort())
          await append(event({ type: 'other' }), event({ type: 'a.wanted' }))
          assert.equal((await by.readAll()).length, 1)
        },
      },
      {
        title: 'begins with the next event, or with the oldest there is, as a new consumer asks',
        async run({ reader, event, append }) {
          const [before, after] = [event(), event()]
          await append(before)
          const fromNow = await reader({ startAt: 'now' })
          const fromBeginning = await reader({ startAt: 'beginning' })
          await append(after)
          assert.deepEqual(idsOf(await fromNow.readAll()), [after.id])
          const old = idsOf(await fromBeginning.readAll())
          assert.ok(old.includes(before.id) && old.includes(after.id))
        },
      },
      {
        title: 'continues where it was for a consumer that subscribes again',
        async run({ log, reader, event, append }) {
          const by = await reader()
          const given = event()
          await append(given)
          await log.subscribe({ consumer: by.consumer, types: null, startAt: 'now' })
          await by.release(true)
          const again = await reader({ consumer: by.consumer })
          assert.deepEqual(idsOf(await again.readAll()), [given.id])
        },
      },
    ],
  }
}
