import assert from 'node:assert/strict'
import type { Attempt, Decision, Store } from '@oncekey/core'
import type { StoreBehaviourGroup } from '../fixture/store-behaviour.ts'
import {
  completionOf,
  countKinds,
  expectDecision,
  expectReplay,
  responseOf,
  type StoreContext,
} from '../fixture/store-context.ts'

/** Two stores on the same records, one per mode, as during a deploy that changes the mode. */
export function mixedModes(): StoreBehaviourGroup {
  return {
    title: 'beside a store of the other mode',
    behaviours: [
      {
        title: 'replays what the other has finished, committed or refused',
        needs: ['other mode'],
        async run(context) {
          for (const [ours, theirs] of pairings(context)) {
            for (const writes of ['keep', 'undo'] as const) {
              const claim = context.claim()
              const response = responseOf(`${writes} by the other`)
              const attempt = await context.run(claim, theirs)
              assert.equal(await attempt.complete(completionOf({ response, writes })), 'stored')
              expectReplay(await context.begin(context.retry(claim), ours), response)
              const other = await context.begin(context.otherRequest(claim), ours)
              expectDecision(other, 'mismatch')
            }
          }
        },
      },
      {
        title: 'a key is in progress while the other runs it',
        needs: ['other mode', 'attempts side by side'],
        async run(context) {
          for (const [ours, theirs] of pairings(context)) {
            const claim = context.claim()
            const attempt = await context.run(claim, theirs)
            expectDecision(await context.begin(context.retry(claim), ours), 'in-progress')
            await attempt.release()
            await context.run(context.retry(claim), ours)
          }
        },
      },
      {
        title: 'of claims in both modes that arrive together, at most one runs',
        needs: ['other mode', 'attempts side by side'],
        async run(context) {
          for (let round = 0; round < 5; round += 1) {
            const claim = context.claim()
            const stores = pairings(context).map(([store]) => store)
            const decisions = await Promise.all(
              Array.from({ length: 20 }, (_, at) =>
                context.begin(context.retry(claim), stores[at % stores.length]),
              ),
            )
            const { run = 0, 'in-progress': told = 0 } = countKinds(decisions)
            assert.ok(run <= 1, `${run} of them run`)
            assert.equal(run + told, 20)
          }
        },
      },
      {
        title: 'a refusal does not overwrite a claim that the other made meanwhile',
        needs: ['other mode', 'attempts side by side'],
        async run(context) {
          for (const [ours, theirs] of pairings(context)) {
            for (let round = 0; round < 10; round += 1)
              await refusalMeetsClaim(context, ours, theirs)
          }
        },
      },
      {
        title: 'a key that the other released or abandoned runs anew',
        needs: ['other mode', 'attempts side by side'],
        async run(context) {
          for (const [ours, theirs] of pairings(context)) {
            const claim = context.claim()
            await (await context.run(claim, theirs)).release()
            const attempt = await context.run(context.retry(claim), ours)
            const response = responseOf('by the second')
            assert.equal(await attempt.complete(completionOf({ response })), 'stored')
            expectReplay(await context.begin(context.retry(claim), theirs), response)
          }
        },
      },
      {
        title: 'an unknown outcome is retaken, and its result is final for both',
        needs: ['other mode', 'attempts side by side'],
        async run(context) {
          const stores = pairings(context).map(([store]) => store)
          const leased = stores.find(({ capabilities }) => capabilities.mode === 'lease')
          const other = stores.find((store) => store !== leased)
          assert.ok(leased !== undefined && other !== undefined)
          for (const writes of ['keep', 'undo'] as const) {
            const claim = context.claim()
            const stale = await context.run(claim, leased)
            await stale.abandon()
            const attempt = await context.run(context.retry(claim), other)
            assert.equal(attempt.number, 2)
            const response = responseOf(`${writes}, after all`)
            assert.equal(await attempt.complete(completionOf({ response, writes })), 'stored')
            const late = await stale.complete(completionOf()).catch(() => 'thrown')
            assert.notEqual(late, 'stored')
            for (const store of stores) {
              expectReplay(await context.begin(context.retry(claim), store), response)
            }
          }
        },
      },
    ],
  }
}

/** Each store paired with the other. */
function pairings({ store, fixture }: StoreContext): [ours: Store, theirs: Store][] {
  const other = fixture.otherMode?.()
  assert.ok(other !== undefined)
  return [
    [store, other],
    [other, store],
  ]
}

/**
 * The other store claims in the moment when the writes are undone and the refusal is not yet
 * stored.
 */
async function refusalMeetsClaim(context: StoreContext, ours: Store, theirs: Store): Promise<void> {
  const claim = context.claim()
  const refusing = await context.run(claim, ours)
  const refusal = responseOf('refused', { status: 422 })
  const refused = refusing.complete(completionOf({ response: refusal, writes: 'undo' }))
  const decision = await firstAnswer(context, theirs, () => context.retry(claim))
  if (decision.kind !== 'run') {
    assert.equal(await refused, 'stored')
    return expectReplay(decision, refusal)
  }
  const outcome = await refused
  assert.equal(outcome, 'superseded', 'the refusal is on record beside a running attempt')
  await finishes(context, decision.attempt, () => context.retry(claim))
}

async function firstAnswer(
  { begin }: StoreContext,
  store: Store,
  claim: () => Parameters<Store['begin']>[0],
): Promise<Decision> {
  for (;;) {
    const decision = await begin(claim(), store)
    if (decision.kind !== 'in-progress') return decision
  }
}

async function finishes(
  { begin, store }: StoreContext,
  attempt: Attempt,
  retry: () => Parameters<Store['begin']>[0],
): Promise<void> {
  const response = responseOf('done')
  assert.equal(await attempt.complete(completionOf({ response })), 'stored')
  expectReplay(await begin(retry(), store), response)
}
