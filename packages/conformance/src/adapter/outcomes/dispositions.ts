import assert from 'node:assert/strict'
import type { EngineOptions } from '@oncekey/core'
import type { AdapterBehaviour, AdapterBehaviourGroup } from '../site/adapter-behaviour.ts'
import { type AdapterContext, counted, expectReplay } from '../site/adapter-context.ts'
import type { Call, Reply } from '../site/adapter-fixture.ts'

/** The final status decides what becomes of a response, its writes and its events. */
export function dispositions(): AdapterBehaviourGroup {
  return {
    title: 'a response of status',
    behaviours: [
      ...[200, 201, 204, 302].map((status) => becomes(status, 'commit')),
      ...[400, 402, 403, 404, 409, 422].map((status) => becomes(status, 'refuse')),
      ...[401, 407, 408, 421, 423, 425, 429, 500, 502, 503, 504].map((status) =>
        becomes(status, 'retry'),
      ),
      ...[403, 409].map((status) =>
        becomes(status, 'retry', ' with Retry-After', {}, () => {}, [['retry-after', '0']]),
      ),
      becomes(402, 'commit', ' where the app says so', { disposition: { 402: 'commit' } }),
      becomes(404, 'retry', ' where the app says so', { disposition: { 404: 'retry' } }),
      becomes(503, 'refuse', ' where the app says so', { disposition: { 503: 'refuse' } }),
      becomes(200, 'retry', ' where the app says so', { disposition: { 200: 'retry' } }),
      ...[402, 500, 429].map((status) =>
        becomes(status, 'commit', ' after keep()', {}, ({ context }) => context.keep()),
      ),
      ...[200, 402, 500].map((status) =>
        becomes(status, 'release', ' after release()', {}, ({ context }) => context.release()),
      ),
    ],
  }
}

type Fate = 'commit' | 'refuse' | 'retry' | 'release'

const sentences: Record<Fate, string> = {
  commit: 'is kept, with its writes and events, and replayed',
  refuse: 'is kept and replayed, its writes and events are undone',
  retry: 'is not kept, its writes and events are undone, and a retry runs again',
  release: 'is not kept, its writes and events are undone, and a retry runs as attempt 1',
}

function becomes(
  status: number,
  fate: Fate,
  when = '',
  options: Partial<EngineOptions<unknown>> = {},
  act: (call: Call) => void = () => {},
  headers: NonNullable<Reply['headers']> = [],
): AdapterBehaviour {
  return {
    title: `${status}${when} ${sentences[fate]}`,
    async run({ serve, name, fixture, written, committed, mode }: AdapterContext) {
      const [key, row, subject] = [name(), name(), name()]
      const hasTransactions = fixture.write !== undefined && fixture.store.capabilities.transactions
      const attempts: number[] = []
      const { handler, runs } = counted(async (call) => {
        const { context } = call
        attempts.push(context.attempt)
        if (hasTransactions) await fixture.write?.(await context.transaction(), row)
        context.emit({ type: 'order.created', subject })
        act(call)
        return { status, headers: [...headers, ['x-run', String(attempts.length)]] }
      })
      const site = await serve(handler, { options })
      const first = await site.post(key)
      assert.equal(first.status, status)
      const isKept = fate === 'commit'
      if (hasTransactions) assert.equal(await written(row), isKept, 'the write is there')
      if (fixture.events) {
        assert.deepEqual(await committed(subject), isKept ? ['order.created'] : [])
      }
      const again = await site.post(key)
      if (fate === 'commit' || fate === 'refuse') {
        expectReplay(again, first)
        assert.equal(runs(), 1)
        return
      }
      assert.equal(again.header('x-idempotency-replayed'), undefined)
      assert.equal(again.header('x-run'), '2')
      const second = mode === 'lease' && fate === 'retry' ? 2 : 1
      assert.deepEqual(attempts, [1, second])
    },
  }
}
