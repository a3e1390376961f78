import assert from 'node:assert/strict'
import type { LogBehaviourGroup } from './fixture/log-behaviour.ts'
import { allSlots } from './fixture/log-context.ts'

/** One relay holds a slot at a time, and slots are shared fairly. */
export function leasing(): LogBehaviourGroup {
  return {
    title: 'leasing',
    behaviours: [
      {
        title: 'gives a single relay every slot',
        async run({ reader }) {
          const by = await reader()
          assert.deepEqual(
            [...by.slots.keys()].sort((a, b) => a - b),
            [...allSlots],
          )
        },
      },
      {
        title: 'gives a slot to one relay at a time',
        async run({ reader, another, name }) {
          const consumer = name()
          const others = [await reader({ consumer })]
          for (let more = 0; more < 3; more += 1) {
            others.push(await reader({ consumer, log: await another() }))
          }
          for (const by of others) await by.lease()
          const held = others.flatMap(({ slots }) => [...slots.keys()])
          assert.equal(new Set(held).size, held.length)
        },
      },
      {
        title: 'reports the fair share, and takes nothing away by itself',
        async run({ reader, name }) {
          const consumer = name()
          const one = await reader({ consumer })
          const two = await reader({ consumer })
          assert.equal(two.slots.size, 0)
          const { share, lost } = await one.lease()
          assert.equal(share, 32)
          assert.deepEqual(lost, [])
          assert.equal(one.slots.size, 64)
        },
      },
      {
        title: 'shares released slots, up to the fair share',
        async run({ log, reader, name }) {
          const consumer = name()
          const one = await reader({ consumer })
          const two = await reader({ consumer })
          const leaving = [...one.slots.values()].slice(0, 40)
          await log.release({ consumer, relay: one.relay, slots: leaving, leaving: false })
          const { taken } = await two.lease()
          assert.equal(taken.length, 32)
          assert.ok(taken.every(({ slot }) => leaving.some((each) => each.slot === slot)))
        },
      },
      {
        title: 'does not count relays that left in the shares',
        async run({ reader, name }) {
          const consumer = name()
          const one = await reader({ consumer })
          const two = await reader({ consumer })
          assert.equal((await one.lease()).share, 32)
          await two.release(true)
          assert.equal((await one.lease()).share, 64)
        },
      },
      {
        title: 'takes over leases that ran out, and not renewed ones',
        async run({ reader, name, shortLeaseMs, pass }) {
          const consumer = name()
          const one = await reader({ consumer, leaseMs: shortLeaseMs })
          const renewing = await reader({ consumer: `${consumer}-renewed`, leaseMs: shortLeaseMs })
          await pass(shortLeaseMs * 0.7)
          assert.deepEqual((await renewing.lease()).lost, [])
          await pass(shortLeaseMs * 0.7)
          const two = await reader({ consumer })
          assert.equal(two.slots.size, 64)
          assert.deepEqual(
            [...(await one.lease()).lost].sort((a, b) => a - b),
            [...allSlots],
          )
          const three = await reader({ consumer: `${consumer}-renewed` })
          assert.equal(three.slots.size, 0)
        },
      },
      {
        title: 'raises the epoch each time a slot is taken',
        async run({ reader, name }) {
          const consumer = name()
          const epochs: number[] = []
          for (let taken = 0; taken < 3; taken += 1) {
            const by = await reader({ consumer })
            epochs.push(Number.parseInt(by.slots.get(7)?.epoch ?? '', 10))
            await by.release(true)
          }
          assert.ok((epochs[0] ?? 0) < (epochs[1] ?? 0) && (epochs[1] ?? 0) < (epochs[2] ?? 0))
        },
      },
      {
        title: 'counts holders that disappeared, until an advance is calm',
        async run({ reader, name, shortLeaseMs, pass, append, event }) {
          const consumer = name()
          const crashesOf = async (leaseMs?: number) => {
            const by = await reader({ consumer, ...(leaseMs === undefined ? {} : { leaseMs }) })
            return { by, crashes: by.slots.get(0)?.crashes }
          }
          assert.equal((await crashesOf(shortLeaseMs)).crashes, 0)
          await pass(shortLeaseMs * 1.4)
          const second = await crashesOf(shortLeaseMs)
          assert.equal(second.crashes, 1)
          await append(event())
          await second.by.readAll()
          await second.by.advance()
          await pass(shortLeaseMs * 1.4)
          const third = await crashesOf()
          assert.equal(third.crashes, 2)
          await third.by.advance([], true)
          await third.by.release(true)
          assert.equal((await crashesOf()).crashes, 0)
        },
      },
      {
        title: 'gives a relay what it holds and does not know of, and does not count it as gone',
        async run({ reader, name, shortLeaseMs, pass }) {
          const consumer = name()
          const one = await reader({ consumer, leaseMs: shortLeaseMs })
          for (const passedMs of [0, shortLeaseMs * 1.4]) {
            await pass(passedMs)
            const before = one.held(7)
            one.slots.clear()
            const { taken } = await one.lease()
            assert.deepEqual(
              taken.map(({ crashes }) => crashes),
              allSlots.map(() => 0),
            )
            assert.notEqual(one.held(7).epoch, before.epoch)
          }
        },
      },
      {
        title: 'lets others have what a relay holds, does not know of and is above its share',
        async run({ reader, name, shortLeaseMs, pass }) {
          const consumer = name()
          const one = await reader({ consumer, leaseMs: shortLeaseMs })
          const two = await reader({ consumer, leaseMs: shortLeaseMs })
          one.slots.clear()
          for (let renewals = 0; renewals < 3; renewals += 1) {
            await one.lease()
            await two.lease()
            await pass(shortLeaseMs * 0.7)
          }
          assert.deepEqual([one.slots.size, two.slots.size], [32, 32])
        },
      },
      {
        title: 'gives others at once all that a relay held when it left, known to it or not',
        async run({ reader, name }) {
          const consumer = name()
          const one = await reader({ consumer })
          for (const { slot } of [...one.slots.values()].slice(10)) one.slots.delete(slot)
          await one.release(true)
          const { slots } = await reader({ consumer })
          assert.deepEqual(
            [...slots.values()].map(({ crashes }) => crashes),
            allSlots.map(() => 0),
          )
        },
      },
      {
        title: 'takes nothing from the others when a relay leaves',
        async run({ log, reader, name }) {
          const consumer = name()
          const one = await reader({ consumer })
          const two = await reader({ consumer })
          const half = [...one.slots.values()].slice(32)
          await log.release({ consumer, relay: one.relay, slots: half, leaving: false })
          for (const { slot } of half) one.slots.delete(slot)
          await two.lease()
          const { epoch } = two.held(half[0]?.slot ?? 0)
          await one.release(true)
          const three = await reader({ consumer })
          assert.deepEqual([two.slots.size, three.slots.size], [32, 32])
          assert.deepEqual((await two.lease()).lost, [])
          assert.equal(two.held(half[0]?.slot ?? 0).epoch, epoch)
        },
      },
      {
        title: 'ignores a release by a relay that lost the slot',
        async run({ reader, name, shortLeaseMs, pass }) {
          const consumer = name()
          const one = await reader({ consumer, leaseMs: shortLeaseMs })
          await pass(shortLeaseMs * 1.4)
          const two = await reader({ consumer })
          await one.release()
          const three = await reader({ consumer })
          assert.equal(three.slots.size, 0)
          assert.deepEqual((await two.lease()).lost, [])
        },
      },
    ],
  }
}
