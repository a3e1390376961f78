import assert from 'node:assert/strict'
import type { Redrives } from '@oncekey/core'
import { carriedOut, FAST, redrivesOf } from './fixture/carried-out.ts'
import type { LogBehaviourGroup } from './fixture/log-behaviour.ts'
import { someDead } from './some-dead.ts'

/**
 * Redrives on record: started once, carried in portions by whoever works the log. Other processes
 * may carry the same redrive at the same time, so no sentence says who does.
 */
export function redrives(): LogBehaviourGroup {
  return {
    title: 'redrives on record',
    behaviours: [
      {
        title: 'take what matches, portion by portion, the oldest first, and end',
        needs: ['redrives'],
        async run(context) {
          const { by, ids } = await someDead(context, 3)
          const on = redrivesOf(context)
          const id = await on.start({ origin: by.consumer }, FAST)
          const ended = await carriedOut(context, id)
          assert.deepEqual(
            [ended.state, ended.matched, ended.redriven, ended.refused],
            ['done', 3, 3, 0],
          )
          assert.ok(ended.endedAt instanceof Date)
          assert.deepEqual(await taken(on, id), ids)
          const { deliveries } = await by.takeDue()
          assert.deepEqual(
            deliveries.map((due) => [due.attempts, due.redrives]),
            [1, 2, 3].map(() => [0, 1]),
          )
        },
      },
      {
        title: 'are watched: what was asked for, by whom and why, and how far it has come',
        needs: ['redrives'],
        async run(context) {
          const { by } = await someDead(context, 2)
          const on = redrivesOf(context)
          const deadBefore = new Date(Date.now() + 86_400_000)
          const filter = { origin: by.consumer, deadBefore }
          const act = { actor: 'maria@shop.example', note: 'the printer is back' }
          const id = await on.start(filter, { ratePerSecond: 0.5, limit: 2 }, act)
          const found = await on.get(id)
          assert.ok(found)
          assert.deepEqual(
            [found.id, found.source, found.kind, found.state, found.matched],
            [id, 'consumers', 'dead-letters', 'running', 2],
          )
          assert.deepEqual([found.ratePerSecond, found.limit], [0.5, 2])
          assert.deepEqual({ actor: found.actor, note: found.note }, act)
          assert.deepEqual(found.filter, {
            origin: by.consumer,
            deadBefore: deadBefore.toISOString(),
          })
          assert.ok(found.startedAt instanceof Date && found.endedAt === null)
          assert.equal(await on.get('no-such-redrive'), undefined)
          assert.deepEqual(await taken(on, 'no-such-redrive'), [])
        },
      },
      {
        title: 'are listed the newest first, in pages, each once',
        needs: ['redrives'],
        async run(context) {
          const by = await context.reader()
          const on = redrivesOf(context)
          const started: string[] = []
          for (let count = 0; count < 4; count += 1) {
            started.unshift(await on.start({ origin: by.consumer }, FAST))
          }
          const listed: string[] = []
          let after: string | undefined
          do {
            const page = await on.list(
              { source: 'consumers' },
              { limit: 3, ...(after && { after }) },
            )
            assert.ok(page.items.length <= 3)
            listed.push(...page.items.map(({ id }) => id))
            after = page.next
          } while (after !== undefined && listed.length < 1_000)
          assert.deepEqual(
            listed.filter((id) => started.includes(id)),
            started,
          )
        },
      },
      {
        title: 'take nothing that died after they began',
        needs: ['redrives'],
        async run(context) {
          const { by, ids } = await someDead(context, 2)
          const on = redrivesOf(context)
          const id = await on.start({ origin: by.consumer }, FAST)
          await context.pass(2)
          // Each letter becomes dead again as soon as it was put back.
          const ended = await carriedOut(context, id, async () => {
            for (const due of (await by.takeDue()).deliveries) {
              await by.settle(due, { kind: 'dead', reason: 'exhausted' })
            }
          })
          assert.equal(ended.redriven, 2)
          assert.deepEqual(await taken(on, id), ids)
          for (const letter of ids) {
            const found = await context.log.deadLetters.get(letter)
            assert.deepEqual([found?.state, found?.redrives], ['dead', 1])
          }
        },
      },
      {
        title: 'that overlap, carried by two processes, take each letter once',
        needs: ['redrives'],
        async run(context) {
          const { by, ids } = await someDead(context, 6)
          const on = redrivesOf(context)
          const other = (await context.another()).deadLetters.redrives ?? on
          const started = [
            await on.start({ origin: by.consumer }, FAST),
            await other.start({ origin: by.consumer, reason: 'permanent' }, FAST),
          ]
          for (const id of started) {
            await carriedOut(context, id, async () => {
              await Promise.all([on.carry(), other.carry()])
            })
          }
          const both = [...(await taken(on, started[0])), ...(await taken(on, started[1]))]
          assert.deepEqual(both.sort(), [...ids].sort())
          assert.ok((await by.takeDue()).deliveries.every((due) => due.redrives === 1))
        },
      },
      {
        title: 'are carried on by another process',
        needs: ['redrives'],
        async run(context) {
          const { by, ids } = await someDead(context, 3)
          const on = redrivesOf(context)
          const id = await on.start({ origin: by.consumer }, FAST)
          await on.carry()
          const other = await context.another()
          assert.equal((await carriedOut({ ...context, log: other }, id)).redriven, 3)
          assert.deepEqual(await taken(on, id), ids)
        },
      },
      {
        title: 'go on at once if the clock is put back',
        needs: ['redrives', 'clock'],
        async run(context) {
          const { by } = await someDead(context, 2)
          const id = await redrivesOf(context).start({ origin: by.consumer }, FAST)
          await context.pass(-HOUR_MS)
          assert.equal((await carriedOut(context, id)).redriven, 2)
          await context.pass(HOUR_MS)
        },
      },
      {
        title: 'that are cancelled leave the rest dead; what they took stays taken',
        needs: ['redrives'],
        async run(context) {
          const { log } = context
          const { by } = await someDead(context, 3)
          const on = redrivesOf(context)
          const id = await on.start({ origin: by.consumer }, { ratePerSecond: 0.001 })
          await context.soon('the first portion', async () => {
            await on.carry()
            return (await on.get(id))?.redriven === 1 ? true : undefined
          })
          const act = { actor: 'maria@shop.example', note: 'the printer burns' }
          assert.equal(await on.cancel(id, act), 'cancelled')
          assert.equal(await on.cancel(id, act), 'over')
          assert.equal(await on.cancel('no-such-redrive', act), 'unknown')
          await context.pass(20)
          await on.carry()
          const ended = await on.get(id)
          assert.deepEqual([ended?.state, ended?.redriven], ['cancelled', 1])
          assert.ok(ended?.endedAt instanceof Date)
          assert.equal(await log.deadLetters.count({ origin: by.consumer }), 2)
          assert.equal((await by.takeDue()).deliveries.length, 1)
        },
      },
      {
        title: 'stop at their limit',
        needs: ['redrives'],
        async run(context) {
          const { by, ids } = await someDead(context, 4)
          const on = redrivesOf(context)
          const id = await on.start({ origin: by.consumer }, { ...FAST, limit: 2 })
          const ended = await carriedOut(context, id)
          assert.deepEqual([ended.state, ended.matched, ended.redriven], ['done', 4, 2])
          assert.deepEqual(await taken(on, id), ids.slice(0, 2))
          assert.equal(await context.log.deadLetters.count({ origin: by.consumer }), 2)
        },
      },
      {
        title: 'count what has taken effect as refused, and do not put it back',
        needs: ['redrives', 'transactions'],
        async run(context) {
          const { log } = context
          const { by, read, ids } = await someDead(context, 2)
          const eventIds = [read[0]?.id ?? '']
          const intake = await log.takeIn({ consumer: by.consumer, eventIds, timeoutMs: 5_000 })
          await intake.commit([])
          const on = redrivesOf(context)
          const id = await on.start({ origin: by.consumer }, FAST)
          const ended = await carriedOut(context, id)
          assert.deepEqual([ended.redriven, ended.refused], [1, 1])
          const { items } = await on.portions(id, { limit: 10 })
          assert.deepEqual(
            items.flatMap(({ refused }) => refused),
            [{ id: ids[0], outcome: 'already-done' }],
          )
          assert.equal((await by.takeDue()).deliveries.length, 1)
        },
      },
    ],
  }
}

const HOUR_MS = 3_600_000

/** The ids that a redrive put back, in order. */
async function taken(on: Redrives, id: string | undefined): Promise<readonly string[]> {
  const ids: string[] = []
  let after: string | undefined
  do {
    const page = await on.portions(id ?? '', { limit: 2, ...(after && { after }) })
    ids.push(...page.items.flatMap(({ redriven }) => redriven))
    after = page.next
  } while (after !== undefined)
  return ids
}
