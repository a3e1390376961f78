import assert from 'node:assert/strict'
import { eventually } from '../../behaviour/eventually.ts'
import type { StoreBehaviourGroup } from '../fixture/store-behaviour.ts'
import type { StoreFixture } from '../fixture/store-fixture.ts'

/** A claim that may be carried out although its handler does not run: a reply to it was lost. */
export function unansweredClaim(): StoreBehaviourGroup {
  return {
    title: 'a claim without an answer',
    behaviours: [
      {
        title: 'leaves its key free, even if it is carried out later',
        needs: ['lease mode', 'a server that does not answer'],
        async run({ fixture, claim, retry, begin }) {
          const first = claim({ whenUnknown: 'hold' })
          const { store, answer } = await unanswered(fixture)
          await assert.rejects(begin(first, store))
          await answer()
          const attempt = await eventually('the key to be free', async () => {
            const decision = await begin(retry(first))
            return decision.kind === 'run' ? decision.attempt : undefined
          })
          assert.equal(attempt.number, 1)
        },
      },
      {
        title: 'whose second copy is answered leaves its key free, even if the first comes later',
        needs: ['lease mode', 'claims that are sent twice'],
        async run({ fixture, claim, retry, begin, run }) {
          const first = claim({ whenUnknown: 'hold' })
          const holder = await run(first)
          assert.ok(fixture.sentTwice)
          const { store, deliver } = await fixture.sentTwice()
          assert.equal((await begin(retry(first), store)).kind, 'in-progress')
          await holder.release()
          await deliver()
          const attempt = await eventually('the key to be free', async () => {
            const decision = await begin(retry(first))
            return decision.kind === 'run' ? decision.attempt : undefined
          })
          assert.equal(attempt.number, 1)
        },
      },
      {
        title: 'whose attempt has released its key takes nothing when its first copy comes later',
        needs: ['lease mode', 'claims that are sent twice'],
        async run({ fixture, claim, retry, begin, run }) {
          assert.ok(fixture.sentTwice)
          const first = claim({ whenUnknown: 'hold' })
          const { store, deliver } = await fixture.sentTwice()
          await (await run(first, store)).release()
          await deliver()
          const next = await begin(retry(first))
          assert.equal(next.kind, 'run', 'the key is free')
          assert.equal(next.kind === 'run' && next.attempt.number, 1)
        },
      },
      {
        title: 'whose attempt was abandoned takes nothing when its first copy comes later',
        needs: ['lease mode', 'claims that are sent twice'],
        async run({ fixture, claim, retry, begin, run }) {
          assert.ok(fixture.sentTwice)
          const first = claim({ whenUnknown: 'retake' })
          const { store, deliver } = await fixture.sentTwice()
          await (await run(first, store)).abandon()
          await deliver()
          const { kind } = await begin(retry(first, { whenUnknown: 'hold' }))
          assert.equal(kind, 'unknown')
          const next = await begin(retry(first))
          assert.equal(next.kind === 'run' && next.attempt.number, 2)
        },
      },
      {
        title: 'leaves an outcome unknown that was, even if it is carried out later',
        needs: ['lease mode', 'a server that does not answer'],
        async run({ fixture, claim, retry, begin, run }) {
          const first = claim()
          await (await run(first)).abandon()
          const { store, answer } = await unanswered(fixture)
          await assert.rejects(begin(retry(first), store))
          await answer()
          await eventually('the outcome to be unknown', async () => {
            const { kind } = await begin(retry(first, { whenUnknown: 'hold' }))
            assert.notEqual(kind, 'run', 'the key is not free')
            return kind === 'unknown' ? true : undefined
          })
        },
      },
      {
        title: 'is open for settle() until it was given back',
        needs: ['lease mode', 'a server that does not answer', 'late answers'],
        async run({ fixture, claim, retry, begin }) {
          const first = claim({ whenUnknown: 'hold' })
          const { store, answer } = await unanswered(fixture)
          await assert.rejects(begin(first, store))
          assert.notEqual(await store.settle?.({ withinMs: 100 }), 0)
          await answer()
          assert.equal(await store.settle?.({ withinMs: 20_000 }), 0)
          const next = await begin(retry(first))
          assert.equal(next.kind, 'run')
        },
      },
    ],
  }
}

async function unanswered(fixture: StoreFixture) {
  assert.ok(fixture.unanswered)
  return await fixture.unanswered()
}
