import assert from 'node:assert/strict'
import {
  type ActResult,
  type Claim,
  keyTarget,
  type Operation,
  type Operations,
} from '@oncekey/core'
import type { StoreBehaviour, StoreBehaviourGroup } from '../fixture/store-behaviour.ts'
import {
  completionOf,
  expectDecision,
  expectError,
  expectReplay,
  responseOf,
  type StoreContext,
} from '../fixture/store-context.ts'
import { anAct, answers } from './operator-answers.ts'
import { keysOf, nameOf } from './operator-keys.ts'

/** An operator's acts on keys, each with its audit entry. */
export function operatorActs(): StoreBehaviourGroup {
  return {
    title: 'acts on keys',
    behaviours: [
      {
        title: 'release frees an unknown key: the next request runs as the first attempt',
        needs: ['lease mode'],
        async run(context) {
          const { claim, retry, run } = context
          const first = claim()
          await (await run(first)).abandon()
          assert.equal(await release(context, first), 'done')
          const next = await run(retry(first, { whenUnknown: 'hold' }))
          assert.equal(next.number, 1)
        },
      },
      {
        title: 'release frees it for another request, too',
        needs: ['lease mode'],
        async run(context) {
          const { claim, otherRequest, run } = context
          const first = claim()
          await (await run(first)).abandon()
          assert.equal(await release(context, first), 'done')
          await run(otherRequest(first))
        },
      },
      {
        title: 'after release the attempt that comes back late stores nothing',
        needs: ['lease mode'],
        async run(context) {
          const { claim, retry, run, begin, lapse, shortLeaseMs } = context
          const first = claim({ leaseMs: shortLeaseMs })
          const attempt = await run(first)
          await lapse(first)
          assert.equal(await release(context, first), 'done')
          const late = completionOf({ response: responseOf('too late') })
          assert.notEqual(await attempt.complete(late).catch(() => 'thrown'), 'stored')
          assert.equal(await attempt.renew(60_000), 'stale')
          expectDecision(await begin(retry(first)), 'run')
        },
      },
      ...answers(),
      {
        title: 'forget lets the next request with a finished key run again',
        async run(context) {
          const { claim, retry, finish, run } = context
          const first = claim()
          await finish(first)
          assert.equal(await forget(context, first), 'done')
          assert.equal((await run(retry(first))).number, 1)
        },
      },
      {
        title: 'after forget the attempt that had completed stores nothing more',
        needs: ['lease mode', 'events'],
        async run(context) {
          const { claim, retry, run, event, committed } = context
          const first = claim()
          const attempt = await run(first)
          const emitted = event()
          const completion = completionOf({ events: [emitted] })
          assert.equal(await attempt.complete(completion), 'stored')
          assert.equal(await forget(context, first), 'done')
          // It is sent again, because the first reply was lost.
          await attempt.complete(completion).catch(() => 'thrown')
          assert.deepEqual(await committed(emitted), [emitted.id])
          assert.equal((await run(retry(first))).number, 1)
        },
      },
      {
        title: 'forget changes nothing if another request is on record',
        async run(context) {
          const { claim, retry, begin, finish } = context
          const first = claim()
          const response = await finish(first)
          const named = { ...nameOf(first), fingerprint: 'json1:another' }
          assert.equal(await keysOf(context).forget(named, anAct()), 'other-request')
          expectReplay(await begin(retry(first)), response)
          assert.deepEqual(await trailOf(context, first), [])
        },
      },
      nothingHappens('to a running key', {
        as: 'running',
        prepare: async ({ run }, first) => {
          await run(first)
        },
        after: async ({ begin, retry }, first) => {
          expectDecision(await begin(retry(first)), 'in-progress')
        },
      }),
      nothingHappens('to a key of which nothing is known', {
        as: 'absent',
        prepare: async () => {},
        after: async ({ run, retry }, first) => {
          await run(retry(first))
        },
      }),
      {
        title: 'release and answer leave a finished key as it is',
        async run(context) {
          const { claim, retry, begin, finish } = context
          const first = claim()
          const response = await finish(first)
          assert.equal(await release(context, first), 'finished')
          const other = responseOf('another')
          assert.equal(await keysOf(context).answer(nameOf(first), other, anAct()), 'finished')
          expectReplay(await begin(retry(first)), response)
          assert.deepEqual(await trailOf(context, first), [])
        },
      },
      {
        title: 'forget leaves an unknown key as it is',
        needs: ['lease mode'],
        async run(context) {
          const { claim, retry, begin, run } = context
          const first = claim()
          await (await run(first)).abandon()
          assert.equal(await forget(context, first), 'unknown')
          const held = await begin(retry(first, { whenUnknown: 'hold' }))
          expectDecision(held, 'unknown')
        },
      },
      {
        title: 'of many acts on one unknown key one is done and recorded',
        needs: ['lease mode'],
        async run(context) {
          const { store, another, claim, run } = context
          const first = claim()
          await (await run(first)).abandon()
          const stores = [store, await another()]
          const results = await Promise.all(
            Array.from({ length: 6 }, (_, index) => {
              const keys = keysOf(context, stores[index % 2])
              return index % 3 === 0
                ? keys.release(nameOf(first), anAct())
                : keys.answer(nameOf(first), responseOf(`${index}`), anAct())
            }),
          )
          assert.equal(results.filter((result) => result === 'done').length, 1, results.join())
          assert.equal((await trailOf(context, first)).length, 1)
        },
      },
      {
        title: 'of an act and a claim that retakes one wins',
        needs: ['lease mode'],
        async run(context) {
          const { claim, retry, begin, run } = context
          for (let round = 0; round < 5; round += 1) {
            const first = claim()
            await (await run(first)).abandon()
            const [result, decision] = await Promise.all([
              release(context, first),
              begin(retry(first, { whenUnknown: 'retake' })),
            ])
            if (decision.kind === 'run') {
              // The claim runs as the second attempt of the old key, or as the first after the key
              // was released.
              assert.equal(decision.attempt.number, result === 'done' ? 1 : 2)
              const response = responseOf('by the claim')
              assert.equal(await decision.attempt.complete(completionOf({ response })), 'stored')
              expectReplay(await begin(retry(first)), response)
            } else {
              expectDecision(decision, 'in-progress')
              assert.equal(result, 'done')
            }
          }
        },
      },
      {
        title: 'each act that is done is recorded: who, what, on which key, why',
        async run(context) {
          const { claim, finish } = context
          const first = claim()
          await finish(first)
          const act = { actor: 'maria@shop.example', note: "the customer's 2nd – “double” – order" }
          const named = { ...nameOf(first), fingerprint: first.fingerprints[0] }
          assert.equal(await keysOf(context).forget(named, act), 'done')
          const [operation, ...others] = await trailOf(context, first)
          assert.deepEqual(others, [])
          assert.ok(operation)
          assert.deepEqual(
            [operation.actor, operation.act, operation.target, operation.note],
            [act.actor, 'keys.forget', keyTarget(first), act.note],
          )
          assert.equal(operation.detail.fingerprint, first.fingerprints[0])
          assert.ok(operation.at instanceof Date && !Number.isNaN(operation.at.getTime()))
        },
      },
      {
        title: 'the newest act comes first, page by page, each once',
        async run(context) {
          const { claim, finish, retry } = context
          const first = claim()
          const notes: string[] = []
          for (const note of ['one', 'two', 'three', 'four', 'five']) {
            await finish(retry(first))
            const named = { ...nameOf(first), fingerprint: first.fingerprints[0] }
            await keysOf(context).forget(named, { ...anAct(), note })
            notes.unshift(note)
          }
          const listed: string[] = []
          let after: string | undefined
          do {
            const filter = { target: keyTarget(first), act: 'keys.forget' }
            const page = await operationsOf(context).list(filter, {
              limit: 2,
              ...(after && { after }),
            })
            assert.ok(page.items.length <= 2)
            listed.push(...page.items.map(({ note }) => note))
            after = page.next
          } while (after !== undefined)
          assert.deepEqual(listed, notes)
        },
      },
      {
        title: 'an act without an actor or a note is refused, and nothing happens',
        async run(context) {
          const { claim, retry, begin, finish } = context
          const first = claim()
          const response = await finish(first)
          const named = { ...nameOf(first), fingerprint: first.fingerprints[0] }
          for (const act of [
            { actor: '', note: 'why' },
            { actor: 'maria', note: ' ' },
            { actor: 'm'.repeat(201), note: 'why' },
            undefined as never,
          ]) {
            await expectError('options-invalid', () => keysOf(context).forget(named, act))
          }
          expectReplay(await begin(retry(first)), response)
          assert.deepEqual(await trailOf(context, first), [])
        },
      },
    ],
  }
}

/** Each act returns the current state and leaves no audit entry. */
function nothingHappens(
  title: string,
  {
    as,
    prepare,
    after,
  }: {
    readonly as: ActResult
    prepare(context: StoreContext, claim: Claim): Promise<void>
    after(context: StoreContext, claim: Claim): Promise<void>
  },
): StoreBehaviour {
  return {
    title: `nothing happens ${title}, whatever the act: it answers \`${as}\``,
    needs: ['attempts side by side'],
    async run(context) {
      const first = context.claim()
      await prepare(context, first)
      const answer = responseOf('by the operator')
      assert.equal(await release(context, first), as)
      assert.equal(await keysOf(context).answer(nameOf(first), answer, anAct()), as)
      assert.equal(await forget(context, first), as)
      await after(context, first)
      assert.deepEqual(await trailOf(context, first), [])
    },
  }
}

function operationsOf({ store }: StoreContext): Operations {
  assert.ok(store.operations, 'a store has `operations`, the audit trail of its keys')
  return store.operations
}

function release(context: StoreContext, claim: Claim): Promise<ActResult> {
  return keysOf(context).release(nameOf(claim), anAct())
}

function forget(context: StoreContext, claim: Claim): Promise<ActResult> {
  const [fingerprint] = claim.fingerprints
  return keysOf(context).forget({ ...nameOf(claim), fingerprint }, anAct())
}

async function trailOf(context: StoreContext, claim: Claim): Promise<readonly Operation[]> {
  const page = await operationsOf(context).list({ target: keyTarget(claim) }, { limit: 100 })
  return page.items
}
