import assert from 'node:assert/strict'
import { type DeadLetterFilter, OptionsError, type Redrives } from '@oncekey/core'
import { carriedOut, FAST, redrivesOf } from './fixture/carried-out.ts'
import type { LogBehaviourGroup } from './fixture/log-behaviour.ts'
import { NO_CONDITIONS, someDead } from './some-dead.ts'

/** Which starts of a redrive put one on record: one for each request, and only what can be done. */
export function redriveStarts(): LogBehaviourGroup {
  return {
    title: 'redrives on record',
    behaviours: [
      {
        title: 'are started once by a start that is sent again, also at the same time',
        needs: ['redrives'],
        async run(context) {
          const { by } = await someDead(context, 1)
          const on = redrivesOf(context)
          const other = (await context.another()).deadLetters.redrives ?? on
          const requestId = context.name()
          const start = (to: Redrives) => to.start({ origin: by.consumer }, { ...FAST, requestId })
          const together = await Promise.all([on, other, on, other].map(start))
          const [id] = together
          assert.ok(id)
          await carriedOut(context, id)
          assert.deepEqual(new Set([...together, await start(other)]), new Set([id]))
          const another = { ...FAST, requestId: context.name() }
          assert.notEqual(await on.start({ origin: by.consumer }, another), id)
        },
      },
      {
        title: 'are not started under the name of one that takes other letters',
        needs: ['redrives'],
        async run(context) {
          const { by } = await someDead(context, 1)
          const on = redrivesOf(context)
          const named = { ...FAST, requestId: context.name() }
          const since = (ms: number) => ({ origin: by.consumer, deadAfter: new Date(ms) })
          const id = await on.start(since(0), named)
          await assert.rejects(on.start({ origin: context.name() }, named), OptionsError)
          await assert.rejects(on.start({ ...since(0), type: 'a' }, named), OptionsError)
          await assert.rejects(on.start(since(0), { ...named, limit: 1 }), OptionsError)
          // A caller that reckons a time from now has another one when it repeats the start.
          assert.equal(await on.start(since(1_000), { ...named, ratePerSecond: 1 }), id)
          await carriedOut(context, id)
        },
      },
      {
        title: 'are not started with a pace, a filter or a name that cannot be',
        needs: ['redrives'],
        async run(context) {
          const on = redrivesOf(context)
          const origin = context.name()
          for (const pace of [
            { ratePerSecond: 0 },
            { ratePerSecond: Number.NaN },
            { limit: 0 },
            { limit: 1.5 },
            { requestId: ' ' },
            { requestId: 'x'.repeat(201) },
          ]) {
            await assert.rejects(on.start({ origin }, pace), OptionsError)
          }
          await assert.rejects(on.start({ origin, retired: true }, FAST), OptionsError)
          for (const wrong of NO_CONDITIONS) {
            const filter = { origin, ...wrong } as DeadLetterFilter
            await assert.rejects(on.start(filter, FAST), OptionsError)
          }
          await assert.rejects(on.list({}, { limit: 0 }), OptionsError)
          await assert.rejects(on.portions('1', { limit: 1_001 }), OptionsError)
        },
      },
    ],
  }
}
