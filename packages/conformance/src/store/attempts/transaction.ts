import assert from 'node:assert/strict'
import type { Attempt } from '@oncekey/core'
import { eventually } from '../../behaviour/eventually.ts'
import type { StoreBehaviour, StoreBehaviourGroup } from '../fixture/store-behaviour.ts'
import {
  completionOf,
  expectDecision,
  expectError,
  expectReplay,
  responseOf,
  type StoreContext,
} from '../fixture/store-context.ts'

/** The transaction commits with the response, or not at all. */
export function transaction(): StoreBehaviourGroup {
  return {
    title: 'the transaction',
    behaviours: [
      {
        title: 'is refused with `transaction-unsupported` if the store has none',
        needs: ['no transactions'],
        async run({ claim, run }) {
          const attempt = await run(claim())
          await expectError('transaction-unsupported', () => attempt.transaction())
        },
      },
      {
        title: 'commits its writes with the response',
        needs: ['transactions'],
        async run({ claim, retry, begin, run, name, write, written }) {
          const [first, id, response] = [claim(), name(), responseOf('kept')]
          const attempt = await run(first)
          await write(attempt, id)
          assert.equal(await attempt.complete(completionOf({ response })), 'stored')
          assert.equal(await written(id), true)
          expectReplay(await begin(retry(first)), response)
        },
      },
      {
        title: 'with `undo` leaves no write, and the refusal is replayed all the same',
        needs: ['transactions'],
        async run({ claim, retry, begin, run, name, write, written }) {
          const [first, id] = [claim(), name()]
          const response = responseOf('no such card', { status: 402 })
          const attempt = await run(first)
          await write(attempt, id)
          assert.equal(await attempt.complete(completionOf({ response, writes: 'undo' })), 'stored')
          assert.equal(await written(id), false)
          expectReplay(await begin(retry(first)), response)
        },
      },
      undoneBy('release', (attempt) => attempt.release()),
      undoneBy('abandon', (attempt) => attempt.abandon()),
      ...withFailedStatement(),
      {
        title: 'is the same one on every call',
        needs: ['transactions'],
        async run({ claim, run }) {
          const attempt = await run(claim())
          const [one, two] = await Promise.all([attempt.transaction(), attempt.transaction()])
          assert.equal(one, two)
          assert.equal(await attempt.transaction(), one)
        },
      },
      {
        title: 'sees its own writes',
        needs: ['transactions'],
        async run({ claim, run, name, write, fixture }) {
          const [attempt, id] = [await run(claim()), name()]
          await write(attempt, id)
          assert.equal(await fixture.written?.(id, await attempt.transaction()), true)
        },
      },
      {
        title: 'is seen by nobody else before the response is stored',
        needs: ['transactions', 'attempts side by side'],
        async run({ claim, run, name, write, written, fixture }) {
          const [one, two] = [await run(claim()), await run(claim())]
          const [idOne, idTwo] = [name(), name()]
          await write(one, idOne)
          await write(two, idTwo)
          assert.equal(await fixture.written?.(idTwo, await one.transaction()), false)
          assert.equal(await fixture.written?.(idOne, await two.transaction()), false)
          assert.equal(await written(idOne), false)
          await one.complete(completionOf())
          await two.release()
          assert.deepEqual([await written(idOne), await written(idTwo)], [true, false])
        },
      },
      {
        title: 'need not be opened',
        needs: ['transactions'],
        async run({ claim, retry, begin, finish }) {
          const first = claim()
          const response = await finish(first)
          expectReplay(await begin(retry(first)), response)
        },
      },
      ...usedTooLate(),
      ...undoneInMidWrite(),
      {
        title: 'of fifty clients that retry until they succeed leaves one write',
        needs: ['transactions'],
        run: oneEffect,
      },
    ],
  }
}

function undoneBy(how: string, end: (attempt: Attempt) => Promise<void>): StoreBehaviour {
  return {
    title: `is undone by \`${how}\``,
    needs: ['transactions'],
    async run({ claim, run, name, write, written }) {
      const [attempt, id] = [await run(claim()), name()]
      await write(attempt, id)
      await end(attempt)
      assert.equal(await written(id), false)
    },
  }
}

/**
 * A failed statement does not end the transaction: the attempt can still report the failure, and
 * undo the writes.
 */
function withFailedStatement(): StoreBehaviour[] {
  const needs: StoreBehaviour['needs'] = ['transactions', 'failing statements']
  return [
    {
      title: 'in which a statement failed is not committed, and a retry runs again',
      needs,
      async run({ claim, retry, run, name, write, written, fixture }) {
        const [first, id] = [claim(), name()]
        const attempt = await run(first)
        await write(attempt, id)
        await fixture.fail?.(await attempt.transaction())
        await expectError('transaction-aborted', () => attempt.complete(completionOf()))
        assert.equal(await written(id), false)
        const again = await run(retry(first))
        await write(again, id)
        assert.equal(await again.complete(completionOf()), 'stored')
        assert.equal(await written(id), true)
      },
    },
    {
      title: 'in which a statement failed can be refused, and the refusal is replayed',
      needs,
      async run({ claim, retry, begin, run, fixture }) {
        const [first, response] = [claim(), responseOf('no such card', { status: 402 })]
        const attempt = await run(first)
        await fixture.fail?.(await attempt.transaction())
        assert.equal(await attempt.complete(completionOf({ response, writes: 'undo' })), 'stored')
        expectReplay(await begin(retry(first)), response)
      },
    },
    {
      title: 'in which a statement failed can be released, and a retry runs again',
      needs,
      async run({ claim, retry, begin, run, fixture }) {
        const first = claim()
        const attempt = await run(first)
        await fixture.fail?.(await attempt.transaction())
        await attempt.release()
        expectDecision(await begin(retry(first)), 'run')
      },
    },
  ]
}

function usedTooLate(): StoreBehaviour[] {
  const ends: [string, (attempt: Attempt) => Promise<unknown>][] = [
    ['it was completed', (attempt) => attempt.complete(completionOf())],
    ['it was refused', (attempt) => attempt.complete(completionOf({ writes: 'undo' }))],
    ['it was released', (attempt) => attempt.release()],
    ['it was abandoned', (attempt) => attempt.abandon()],
  ]
  return ends.map(([what, end]) => ({
    title: `used after ${what} throws \`transaction-over\` and writes nothing`,
    needs: ['transactions'],
    async run({ claim, run, name, write, written, fixture }) {
      const [attempt, early, late] = [await run(claim()), name(), name()]
      const open = await attempt.transaction()
      await write(attempt, early)
      const ending = end(attempt)
      // From the moment the attempt ends, not only once the end is confirmed.
      await expectError('transaction-over', () => fixture.write?.(open, late))
      await ending
      await expectError('transaction-over', () => fixture.write?.(open, late))
      await expectError('transaction-over', () => attempt.transaction())
      assert.equal(await written(late), false)
    },
  }))
}

/**
 * A library may hold back a statement that it was told to send, and send it after the rollback. The
 * statement is then committed by itself, or becomes part of another request's transaction.
 */
function undoneInMidWrite(): StoreBehaviour[] {
  const ends: [string, (attempt: Attempt) => Promise<unknown>][] = [
    ['refused', (attempt) => attempt.complete(completionOf({ writes: 'undo' }))],
    ['released', (attempt) => attempt.release()],
    ['abandoned', (attempt) => attempt.abandon()],
  ]
  return ends.map(([how, end]) => ({
    title: `that is ${how} leaves nothing of writes that were not awaited`,
    needs: ['transactions'],
    async run({ claim, run, name, written, fixture }) {
      const attempt = await run(claim())
      const open = await attempt.transaction()
      const ids = Array.from({ length: 5 }, name)
      const writes = ids.map(async (id) => fixture.write?.(open, id))
      const over = Promise.allSettled(writes)
      await end(attempt)
      await over
      for (const id of ids) assert.equal(await written(id), false)
    },
  }))
}

async function oneEffect(context: StoreContext): Promise<void> {
  const { claim, retry, begin, name, write, written } = context
  const first = claim()
  const ids: string[] = []
  const client = (): Promise<true> =>
    eventually('an answer', async () => {
      const decision = await begin(retry(first))
      if (decision.kind === 'replay') return true
      if (decision.kind !== 'run') {
        expectDecision(decision, 'in-progress')
        return undefined
      }
      const { attempt } = decision
      const id = name()
      ids.push(id)
      await write(attempt, id)
      // The first attempts fail, which frees the key for any client.
      if (ids.length === 1) await attempt.release()
      else if (ids.length === 2) await attempt.abandon()
      else await attempt.complete(completionOf())
      return undefined
    })
  await Promise.all(Array.from({ length: 50 }, client))
  const left = []
  for (const id of ids) if (await written(id)) left.push(id)
  assert.equal(left.length, 1, `${left.length} effects`)
}
