import assert from 'node:assert/strict'
import type { OutboxEvent } from '@oncekey/core'
import type { LogBehaviourGroup } from './fixture/log-behaviour.ts'
import { idsOf } from './fixture/log-context.ts'
import type { OpenAppend } from './fixture/log-fixture.ts'

/** Transactions commit in another order than they began. */
export function openTransactions(): LogBehaviourGroup {
  return {
    title: 'open transactions',
    behaviours: [
      {
        title: 'delay nobody, and their events come when they commit',
        needs: ['open transactions'],
        async run({ reader, event, append, fixture }) {
          const by = await reader()
          const [early, late] = [event(), event()]
          const open = await fixture.open?.([early])
          await append(late)
          assert.deepEqual(idsOf(await by.readAll()), [late.id])
          await by.advance()
          await open?.commit()
          assert.deepEqual(idsOf(await by.readAll()), [early.id])
        },
      },
      {
        title: 'that are rolled back leave nothing',
        needs: ['open transactions'],
        async run({ reader, event, append, fixture }) {
          const by = await reader()
          const open = await fixture.open?.([event()])
          await append(event())
          assert.equal((await by.readAll()).length, 1)
          await open?.rollback()
          await append(event())
          assert.equal((await by.readAll()).length, 1)
        },
      },
      {
        title: 'that commit between two pages are neither lost nor repeated',
        needs: ['open transactions'],
        async run({ reader, events, append, fixture }) {
          const by = await reader()
          const [held, shown, after] = [events(3), events(10), events(3)]
          const open = await fixture.open?.(held)
          await append(...shown)
          const read = [...(await by.read(4)).events]
          await open?.commit()
          await append(...after)
          read.push(...(await by.readAll(4)))
          assert.deepEqual(idsOf(read).sort(), idsOf([...held, ...shown, ...after]).sort())
        },
      },
      {
        title: 'that a page was read beside are passed event by event, the last one too',
        needs: ['open transactions'],
        async run({ log, reader, event, events, fixture }) {
          const by = await reader()
          const { orderingKey } = event()
          const given = events(3, { orderingKey })
          const open = await fixture.open?.(given)
          await by.readAll()
          await open?.commit()
          const { events: read } = await by.read()
          assert.deepEqual(idsOf(read), idsOf(given))
          const { consumer } = by
          for (const { slot, position } of read) {
            const move = { ...by.held(slot), position, calm: false, failed: [] }
            assert.deepEqual((await log.advance({ consumer, slots: [move] })).lost, [])
          }
          assert.deepEqual(await by.advance(), [])
        },
      },
      {
        title: 'that span many reads come once each, across takeovers',
        needs: ['open transactions'],
        async run({ reader, events, append, fixture, name }) {
          const consumer = name()
          let by = await reader({ consumer })
          const given: OutboxEvent[] = []
          const open: OpenAppend[] = []
          const read: string[] = []
          for (let round = 0; round < 30; round += 1) {
            const some = events(1 + (round % 3))
            given.push(...some)
            if (round % 3 === 2) await append(...some)
            else open.push((await fixture.open?.(some)) as OpenAppend)
            // Not the oldest first.
            if (open.length > 3) await open.splice((round * 7) % open.length, 1)[0]?.commit()
            read.push(...idsOf((await by.read(2)).events))
            if (round % 5 === 4) {
              await by.advance()
              await by.release(true)
              by = await reader({ consumer })
            }
          }
          for (const each of open) await each.commit()
          read.push(...idsOf(await by.readAll(2)))
          assert.deepEqual(read.sort(), idsOf(given).sort())
        },
      },
    ],
  }
}
