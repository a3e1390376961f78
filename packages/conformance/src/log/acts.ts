import assert from 'node:assert/strict'
import { actTarget, type Operation, OptionsError } from '@oncekey/core'
import { redrivesOf } from './fixture/carried-out.ts'
import type { LogBehaviour, LogBehaviourGroup } from './fixture/log-behaviour.ts'
import type { LogContext } from './fixture/log-context.ts'
import { controlOf } from './pausing.ts'
import { someDead } from './some-dead.ts'

/** What operators do to a log's consumers and dead letters is on record. */
export function acts(): LogBehaviourGroup {
  return {
    title: 'acts on a log',
    behaviours: [
      {
        title: 'a discarded letter is recorded: who, why, and which',
        async run(context) {
          const { log } = context
          const { by, read, ids } = await someDead(context, 2)
          await log.deadLetters.discard([ids[0] ?? '', 'no-such-id'], WHY.note, WHY)
          // Nothing is discarded twice.
          await log.deadLetters.discard([ids[0] ?? ''], WHY.note, WHY)
          const [entry, ...others] = await trailOf(context, 'dead-letter', 'consumers', ids[0])
          assert.deepEqual(others, [])
          assertBy(entry, 'dead-letters.discard')
          const { id: eventId, type } = read[0] ?? {}
          assert.deepEqual(entry?.detail, { origin: by.consumer, eventId, type })
          assert.deepEqual(await trailOf(context, 'dead-letter', 'consumers', 'no-such-id'), [])
        },
      },
      {
        title: 'a redrive is recorded with the letters that it took, and not if it took none',
        async run(context) {
          const { log } = context
          const { by, ids } = await someDead(context, 2)
          await log.deadLetters.redrive({ origin: by.consumer }, { limit: 10, ...WHY })
          await log.deadLetters.redrive({ origin: by.consumer }, { limit: 10, ...WHY })
          const entries = (await trailOf(context, 'dead-letters', 'consumers')).filter(
            ({ detail }) => (detail.ids as string[]).some((id) => ids.includes(id)),
          )
          for (const entry of entries) assertBy(entry, 'dead-letters.redrive')
          // In a cluster each slot has its own commit, and its own entry.
          const recorded = entries.flatMap(({ detail }) => detail.ids as string[])
          assert.deepEqual(recorded.sort(), [...ids].sort())
        },
      },
      {
        title: 'the start and the cancelling of a redrive are recorded, each once',
        needs: ['redrives'],
        async run(context) {
          const { by } = await someDead(context, 2)
          const on = redrivesOf(context)
          const pace = { ratePerSecond: 0.001, requestId: context.name() }
          const id = await on.start({ origin: by.consumer }, pace, WHY)
          await on.start({ origin: by.consumer }, pace, WHY)
          await on.cancel(id, WHY)
          await on.cancel(id, WHY)
          const [cancelled, started, ...others] = await trailOf(context, 'redrive', id)
          assert.deepEqual(others, [])
          assertBy(started, 'redrives.start')
          assert.equal(started?.detail.source, 'consumers')
          assert.equal(started?.detail.matched, 2)
          assert.deepEqual(started?.detail.filter, { origin: by.consumer })
          assertBy(cancelled, 'redrives.cancel')
          assert.equal(cancelled?.detail.matched, 2)
        },
      },
      {
        title: 'pausing, resuming and retiring a consumer are recorded, each once',
        async run(context) {
          const { consumer } = await context.reader()
          const on = controlOf(context)
          await on.resume(consumer, WHY)
          await on.pause(consumer, WHY)
          await on.pause(consumer, WHY)
          await on.resume(consumer, WHY)
          await context.log.retire(consumer, WHY)
          const trail = await trailOf(context, 'consumer', consumer)
          assert.deepEqual(
            trail.map(({ act }) => act),
            ['consumers.retire', 'consumers.resume', 'consumers.pause'],
          )
          for (const entry of trail) assertBy(entry, entry.act)
          assert.equal(trail[1]?.detail.pausedBy, WHY.actor)
          assert.equal(trail[0]?.detail.remaining, 'keep')
        },
      },
      {
        title: 'an act that names nobody is recorded under a name that the log has for it',
        async run(context) {
          const { log } = context
          const { ids } = await someDead(context, 1)
          await log.deadLetters.discard(ids, 'account closed')
          const [entry] = await trailOf(context, 'dead-letter', 'consumers', ids[0])
          assert.ok(entry && entry.actor.trim() !== '')
        },
      },
      refused('a discard', async ({ log }, ids, by) => {
        await log.deadLetters.discard(ids, 'why', by)
      }),
      refused('a redrive', async ({ log }, ids, by) => {
        await log.deadLetters.redrive({ ids }, { limit: 10, ...by })
      }),
    ],
  }
}

const WHY = { actor: 'maria@shop.example', note: "the customer's 2nd – “double” – order" }

/** An actor that cannot be recorded is refused before anything happens. */
function refused(
  title: string,
  act: (context: LogContext, ids: string[], by: { actor: string }) => Promise<void>,
): LogBehaviour {
  return {
    title: `${title} by an actor that cannot be recorded is refused, and nothing happens`,
    async run(context) {
      const { by, ids } = await someDead(context, 1)
      for (const actor of ['', ' ', 'm'.repeat(201)]) {
        await assert.rejects(act(context, ids, { actor }), OptionsError)
      }
      assert.equal(await context.log.deadLetters.count({ origin: by.consumer }), 1)
    },
  }
}

function assertBy(entry: Operation | undefined, act: string): void {
  assert.ok(entry)
  assert.deepEqual([entry.act, entry.actor, entry.note], [act, WHY.actor, WHY.note])
  assert.ok(entry.at instanceof Date && !Number.isNaN(entry.at.getTime()))
}

/** What is recorded of a target, the newest first. */
async function trailOf(
  { log }: LogContext,
  kind: string,
  ...names: readonly (string | undefined)[]
): Promise<readonly Operation[]> {
  const target = actTarget(kind, ...names.map(String))
  assert.ok(log.operations, 'a log has `operations`')
  const page = await log.operations.list({ target }, { limit: 100 })
  return page.items
}
