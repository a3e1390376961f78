import assert from 'node:assert/strict'
import type { StoreBehaviourGroup } from '../fixture/store-behaviour.ts'
import { completionOf, expectError } from '../fixture/store-context.ts'

/** An attempt without a key: transaction and events only. */
export function open(): StoreBehaviourGroup {
  return {
    title: 'an attempt without a key',
    behaviours: [
      {
        title: 'is number 1 and completes',
        async run({ open: openAttempt }) {
          const attempt = await openAttempt()
          assert.equal(attempt.number, 1)
          assert.equal(await attempt.complete(completionOf()), 'stored')
        },
      },
      {
        title: 'commits its writes and events',
        needs: ['transactions', 'events'],
        async run({ open: openAttempt, name, write, written, event, committed }) {
          const [attempt, id, given] = [await openAttempt(), name(), event()]
          await write(attempt, id)
          await attempt.complete(completionOf({ events: [given] }))
          assert.equal(await written(id), true)
          assert.deepEqual(await committed(given), [given.id])
        },
      },
      {
        title: 'leaves no write when it is refused, released or abandoned',
        needs: ['transactions'],
        async run({ open: openAttempt, name, write, written }) {
          for (const end of ['refuse', 'release', 'abandon'] as const) {
            const [attempt, id] = [await openAttempt(), name()]
            await write(attempt, id)
            if (end === 'refuse') await attempt.complete(completionOf({ writes: 'undo' }))
            else await attempt[end]()
            assert.equal(await written(id), false, end)
          }
        },
      },
      {
        title: 'ends once: its transaction is over, and a second completion commits nothing',
        needs: ['transactions', 'events'],
        async run({ open: openAttempt, name, write, written, event, committed }) {
          const [attempt, id, late] = [await openAttempt(), name(), event()]
          await attempt.transaction()
          await attempt.release()
          await expectError('transaction-over', () => write(attempt, id))
          await attempt.complete(completionOf({ events: [late] })).catch(() => {})
          assert.equal(await written(id), false)
          assert.deepEqual(await committed(late), [])
        },
      },
      {
        title: 'blocks nobody',
        needs: ['attempts side by side'],
        async run({ open: openAttempt, claim, run }) {
          const attempts = [await openAttempt(), await openAttempt(), await run(claim())]
          for (const attempt of attempts) {
            assert.equal(await attempt.complete(completionOf()), 'stored')
          }
        },
      },
    ],
  }
}
