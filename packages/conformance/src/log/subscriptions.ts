import assert from 'node:assert/strict'
import type { LogBehaviourGroup } from './fixture/log-behaviour.ts'
import { idsOf, type LogContext } from './fixture/log-context.ts'

/** Releases of a consumer with different types run side by side, and no event is skipped. */
export function subscriptions(): LogBehaviourGroup {
  return {
    title: 'subscriptions',
    behaviours: [
      {
        title: 'match by prefix and all: `order.*`, `*`',
        async run({ reader, event, append }) {
          const types = ['order.created', 'order.item.added', 'orders.created', 'order']
          const all = types.map((type) => event({ type }))
          const some = await reader({ types: ['order.*', 'order'] })
          const every = await reader({ types: ['*'] })
          await append(...all)
          const meant = all.filter(({ type }) => type !== 'orders.created')
          assert.deepEqual(idsOf(await some.readAll()).sort(), idsOf(meant).sort())
          assert.deepEqual(idsOf(await every.readAll()).sort(), idsOf(all).sort())
        },
      },
      {
        title: 'give way to a release with more types once it is on record',
        async run({ log, reader, event, append, name }) {
          const consumer = name()
          const old = await reader({ consumer, types: ['a'] })
          const [before, after] = [event({ type: 'b' }), event({ type: 'b' })]
          await append(before, event({ type: 'a' }))
          await old.readAll()
          const next = { consumer, relay: name(), types: ['a', 'b'], leaseMs: HOUR_MS }
          const standing = await log.want(next)
          assert.deepEqual(standing, { wanted: ['a', 'b'], reads: true, alone: false })
          await append(after)
          await assert.rejects(old.readAll(), { code: 'subscription-changed' })
          assert.deepEqual(await old.advance(), [])
          await old.release(true)
          const by = await reader({ consumer, types: ['a', 'b'] })
          assert.deepEqual(idsOf(await by.readAll()), [after.id])
        },
      },
      {
        title: 'let the relay with all wanted types read, or else the oldest live one',
        async run({ log, name, ...context }) {
          const ask = asking({ log, name, ...context })
          const narrow = await ask(['a'])
          assert.deepEqual(await narrow(), { wanted: ['a'], reads: true, alone: true })
          const wide = await ask(['a', 'b'], narrow.consumer)
          assert.equal((await wide()).reads, true)
          assert.equal((await narrow()).reads, false)
          const other = await ask(['c'], narrow.consumer)
          assert.deepEqual(await other(), { wanted: ['a', 'b', 'c'], reads: false, alone: false })
          assert.equal((await narrow()).reads, true)
          assert.equal((await wide()).reads, false)
          const all = await ask(['*'], narrow.consumer)
          assert.deepEqual(await all(), { wanted: ['*'], reads: true, alone: false })
          assert.equal((await narrow()).reads, false)
        },
      },
      {
        title: 'end when the last relay with an older list leaves',
        async run({ log, name, ...context }) {
          const ask = asking({ log, name, ...context })
          const old = await ask(['a', 'b'])
          const twin = await ask(['a', 'b'], old.consumer)
          const next = await ask(['a'], old.consumer)
          assert.equal((await next()).reads, false)
          await old.leave()
          assert.equal((await next()).reads, false)
          await twin.leave()
          assert.deepEqual(await next(), { wanted: ['a'], reads: true, alone: true })
        },
      },
      {
        title: 'stay on record while a release may be restarting',
        async run({ log, name, ...context }) {
          const ask = asking({ log, name, ...context })
          const old = await ask(['a'])
          const next = await ask(['a', 'b'], old.consumer)
          await next.leave()
          const standing = { wanted: ['a', 'b'], reads: true, alone: false }
          assert.deepEqual(await old(), standing)
          const crashed = await ask(['a'])
          await ask(['a', 'b'], crashed.consumer, context.shortLeaseMs)
          await context.pass(context.shortLeaseMs * 1.4)
          assert.deepEqual(await crashed(), standing)
        },
      },
      {
        title: 'do not exist for an unknown consumer',
        async run({ log, name }) {
          const unknown = { consumer: name(), relay: name(), types: null, leaseMs: HOUR_MS }
          assert.equal(await log.want(unknown), undefined)
          await log.subscribe({ consumer: unknown.consumer, types: ['a'], startAt: 'now' })
          assert.notEqual(await log.want(unknown), undefined)
          await log.retire(unknown.consumer)
          assert.equal(await log.want(unknown), undefined)
        },
      },
      {
        title: 'let a waiting relay keep what it holds without counting in the shares',
        async run({ log, reader, name }) {
          const consumer = name()
          const one = await reader({ consumer })
          const held = [...one.slots.values()].map(({ slot, epoch }) => ({ slot, epoch }))
          const request = { consumer, relay: one.relay, leaseMs: HOUR_MS, waiting: true }
          const half = held.slice(0, 32)
          await log.release({ consumer, relay: one.relay, slots: held.slice(32), leaving: false })
          const lease = await log.lease({ ...request, holding: half })
          assert.deepEqual([lease.taken, lease.lost], [[], []])
          const two = await reader({ consumer })
          assert.equal((await two.lease()).share, 64)
          assert.equal(two.slots.size, 32)
        },
      },
      {
        title: 'leave failed deliveries of another release’s types to that release',
        async run({ reader, event, append, log }) {
          const by = await reader()
          const [mine, others] = [event({ type: 'order.created' }), event({ type: 'refund.made' })]
          await append(mine, others)
          await by.advance(
            (await by.readAll()).map((each) => ({
              event: each,
              verdict: { kind: 'retrying', delayMs: 0 },
              attempt: null,
            })),
          )
          const ask = (types: readonly string[] | null) =>
            log.takeDue({
              consumer: by.consumer,
              slots: [...by.slots.values()],
              except: [],
              limit: 10,
              types,
            })
          const first = await ask(['order.*'])
          assert.deepEqual(
            first.deliveries.map(({ event }) => event.id),
            [mine.id],
          )
          assert.equal(first.nextInMs, null)
          const second = await ask(['refund.made'])
          assert.deepEqual(
            second.deliveries.map(({ event }) => event.id),
            [others.id],
          )
        },
      },
    ],
  }
}

const HOUR_MS = 60 * 60 * 1000

/** Relays of a consumer that ask what they may do. */
function asking({ log, name }: Pick<LogContext, 'log' | 'name'>) {
  return async (types: readonly string[], of?: string, leaseMs = HOUR_MS) => {
    const [consumer, relay] = [of ?? name(), name()]
    if (of === undefined) await log.subscribe({ consumer, types, startAt: 'now' })
    const ask = async () => {
      const standing = await log.want({ consumer, relay, types, leaseMs })
      assert.ok(standing)
      return standing
    }
    await ask()
    const leave = () => log.release({ consumer, relay, slots: [], leaving: true })
    return Object.assign(ask, { consumer, leave })
  }
}
