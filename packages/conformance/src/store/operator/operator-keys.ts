import assert from 'node:assert/strict'
import type { Claim, KeyFilter, KeyName, KeySummary, Keys, Store } from '@oncekey/core'
import type { StoreBehaviourGroup } from '../fixture/store-behaviour.ts'
import {
  expectDecision,
  expectError,
  responseOf,
  type StoreContext,
} from '../fixture/store-context.ts'

/** What an operator sees of keys. */
export function operatorKeys(): StoreBehaviourGroup {
  return {
    title: 'looking at keys',
    behaviours: [
      {
        title: 'a key that was never claimed is unknown',
        async run(context) {
          assert.equal(await keysOf(context).get(nameOf(context.claim())), undefined)
        },
      },
      {
        title: 'a finished key shows its request, its response, and its body on request',
        async run(context) {
          const { claim, finish } = context
          const first = claim()
          const bytes = Uint8Array.from({ length: 256 }, (_, index) => index)
          const response = responseOf('', { status: 404, body: bytes })
          await finish(first, { response })
          const bare = await keysOf(context).get(nameOf(first))
          assert.ok(bare)
          assert.equal(bare.state, 'finished')
          assert.equal(bare.fingerprint, first.fingerprints[0])
          assert.equal(bare.status, 404)
          assert.ok(bare.completedAt instanceof Date)
          assert.equal(bare.attempt, null)
          assert.equal(bare.response?.body, null)
          assert.equal(bare.response.bodyBytes, 256)
          const whole = await keysOf(context).get(nameOf(first), { body: true })
          assert.deepEqual(whole?.response?.headers, response.headers)
          assert.ok(whole?.response?.body)
          assert.equal(Buffer.compare(whole.response.body, bytes), 0)
        },
      },
      {
        title: 'a response that is gone is shown as gone',
        needs: ['expiring results'],
        async run(context) {
          const { claim, finish, fixture } = context
          const first = claim()
          await finish(first)
          await fixture.expireResults?.()
          const found = await keysOf(context).get(nameOf(first))
          assert.equal(found?.state, 'result-gone')
          assert.equal(found.response, null)
        },
      },
      {
        title: 'a key whose attempt runs is `running`, and looking at it changes nothing',
        needs: ['attempts side by side'],
        async run(context) {
          const { claim, retry, begin, run } = context
          const first = claim()
          const attempt = await run(first)
          for (let looks = 0; looks < 3; looks += 1) {
            assert.equal((await keysOf(context).get(nameOf(first)))?.state, 'running')
          }
          expectDecision(await begin(retry(first)), 'in-progress')
          await attempt.release()
          assert.equal(await keysOf(context).get(nameOf(first)), undefined)
        },
      },
      {
        title: 'looking at a free key does not claim it',
        needs: ['attempts side by side'],
        async run(context) {
          const { claim, begin } = context
          for (let round = 0; round < 5; round += 1) {
            const first = claim()
            const looks = Array.from({ length: 5 }, () => keysOf(context).get(nameOf(first)))
            const [decision] = await Promise.all([begin(first), ...looks])
            expectDecision(decision, 'run')
          }
        },
      },
      {
        title: 'in lease mode the attempt is shown: its number, its claim, its lease',
        needs: ['lease mode'],
        async run(context) {
          const { claim, retry, run } = context
          const first = claim()
          await (await run(first)).abandon()
          const unknown = await keysOf(context).get(nameOf(first))
          assert.equal(unknown?.state, 'unknown')
          assert.equal(unknown.fingerprint, first.fingerprints[0])
          assert.equal(unknown.attempt?.number, 1)
          await run(retry(first))
          const running = await keysOf(context).get(nameOf(first))
          assert.equal(running?.state, 'running')
          assert.ok(running.attempt)
          assert.equal(running.attempt.number, 2)
          assert.ok(running.attempt.leaseUntil > unknown.attempt.leaseUntil)
          assert.deepEqual(running.attempt.claimedAt, unknown.attempt.claimedAt)
        },
      },
      {
        title: 'an attempt that took a key over is shown with the fingerprint of its record to be',
        needs: ['lease mode'],
        async run(context) {
          const { begin, claim, retry, run } = context
          const first = claim({ fingerprints: ['older'] })
          await (await run(first)).abandon()
          const second = retry(first, { fingerprints: ['newer', 'older'] })
          const attempt = await run(second)
          const running = await keysOf(context).get(nameOf(first))
          assert.equal(running?.state, 'running')
          await attempt.complete({ response: responseOf('done'), events: [], writes: 'keep' })
          const decision = await begin(retry(second))
          assert.equal(decision.kind, 'replay')
          assert.equal(decision.kind === 'replay' && decision.fingerprint, running.fingerprint)
        },
      },
      {
        title:
          'the keys of a scope are listed in the order of their bytes, page by page, each once',
        needs: ['listed keys'],
        async run(context) {
          const { claim, finish, name } = context
          const scope = name()
          const names = ['Z', 'a', 'ab', 'a%', 'a_', 'b', 'é', '日本', '🧾', '\ud7ff', '\ue000']
          for (const key of names) await finish(claim({ scope, key }))
          await finish(claim({ scope: `${scope}x` }))
          const { namespace } = claim()
          const inOrder = names.toSorted((one, other) =>
            Buffer.compare(Buffer.from(one), Buffer.from(other)),
          )
          assert.deepEqual(namesOf(await pages(context, { namespace, scope }, 2)), inOrder)
          assert.deepEqual(
            namesOf(await pages(context, { namespace, scope, keyPrefix: 'a' }, 2)),
            inOrder.filter((key) => key.startsWith('a')),
          )
          assert.deepEqual(
            namesOf(await pages(context, { namespace, scope, keyPrefix: '\ud7ff' }, 2)),
            ['\ud7ff'],
          )
        },
      },
      {
        title: 'a list by state contains every key in that state',
        needs: ['listed keys', 'lease mode'],
        async run(context) {
          const { claim, finish, run, name } = context
          const scope = name()
          const [finished, unknown, running] = ['f', 'u', 'r'].map((key) => claim({ scope, key }))
          assert.ok(finished && unknown && running)
          await finish(finished)
          await (await run(unknown)).abandon()
          await run(running)
          const { namespace } = finished
          for (const [state, key] of [
            ['finished', 'f'],
            ['unknown', 'u'],
            ['running', 'r'],
          ] as const) {
            assert.deepEqual(namesOf(await pages(context, { namespace, scope, state }, 1)), [key])
            const byTime = await pages(context, { namespace, state }, 50)
            assert.ok(byTime.every((summary) => summary.state === state))
            assert.ok(byTime.some((summary) => summary.scope === scope && summary.key === key))
          }
        },
      },
      {
        title: 'without a scope the longest waiting come first, then the last finished',
        needs: ['listed keys', 'lease mode'],
        async run(context) {
          const { claim, finish, run, fixture } = context
          const wait = async () => {
            if (fixture.advance === undefined) await new Promise((tick) => setTimeout(tick, 2))
            else await fixture.advance(2)
          }
          const keys = ['1', '2', '3', '4', '5', '6']
          for (const key of keys) {
            const asked = claim({ key })
            if (Number(key) > 3) await finish(asked)
            else await (await run(asked)).abandon()
            await wait()
          }
          const { namespace } = claim()
          assert.deepEqual(namesOf(await pages(context, { namespace }, 2)), [
            ...['1', '2', '3'],
            ...['6', '5', '4'],
          ])
        },
      },
      {
        title: 'a store that has no list of its keys says so, and finds each by its name',
        needs: ['no list of keys'],
        async run(context) {
          const { claim, finish } = context
          const first = claim()
          await finish(first)
          await expectError('list-unsupported', () => keysOf(context).list({}, { limit: 10 }))
          assert.equal((await keysOf(context).get(nameOf(first)))?.state, 'finished')
        },
      },
      {
        title: 'a filter that would read everything, and a page without bounds, are refused',
        needs: ['listed keys'],
        async run(context) {
          const { list } = keysOf(context)
          for (const [filter, page] of [
            [{ scope: 'customer-1' }, { limit: 10 }],
            [{ namespace: 'http', keyPrefix: 'a' }, { limit: 10 }],
            [{}, { limit: 0 }],
            [{}, { limit: 1_001 }],
            [{}, { limit: Number.NaN }],
            [{}, { limit: 10, after: 'nowhere' }],
          ] as const) {
            await expectError('options-invalid', () => list(filter, page))
          }
        },
      },
    ],
  }
}

export function nameOf({ namespace, scope, key }: Claim): KeyName {
  return { namespace, scope, key }
}

/** The operator's view of a store; by default the context's. */
export function keysOf({ store }: StoreContext, on: Store | undefined = store): Keys {
  assert.ok(on.keys, "a store has `keys`, an operator's view of them")
  return on.keys
}

function namesOf(summaries: readonly KeySummary[]): string[] {
  return summaries.map(({ key }) => key)
}

/** All items of a list, in pages of that size. */
async function pages(
  context: StoreContext,
  filter: KeyFilter,
  limit: number,
): Promise<KeySummary[]> {
  const all: KeySummary[] = []
  let after: string | undefined
  do {
    const page = await keysOf(context).list(filter, { limit, ...(after && { after }) })
    assert.ok(page.items.length <= limit)
    all.push(...page.items)
    after = page.next
  } while (after !== undefined)
  return all
}
